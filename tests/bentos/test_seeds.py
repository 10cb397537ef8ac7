"""Every random number of the models comes from a seed."""

import ast
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "bentos"
FILES = [pytest.param(path, id=str(path.relative_to(FOLDER))) for path in FOLDER.rglob("*.py")]

SEEDED = {"default_rng", "Random", "RandomState", "manual_seed", "Generator", "SeedSequence"}
"""May be called with a seed; what else `random` and `numpy.random` have draws from hidden state."""


def unseeded(code: str) -> list[str]:
    """Calls that draw random numbers from no seed of ours."""
    tree = ast.parse(code)
    modules = {"np.random", "numpy.random"}
    modules |= {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
        if alias.name == "random"
    }
    return [ast.unparse(node) for node in ast.walk(tree) if _is_unseeded(node, modules)]


def _is_unseeded(node: ast.AST, modules: set[str]) -> bool:
    if not isinstance(node, ast.Call):
        return False
    owner, _, name = ast.unparse(node.func).rpartition(".")
    if name in SEEDED:
        return not (node.args or node.keywords)
    return owner in modules


@pytest.mark.parametrize("path", FILES)
def test_no_random_number_comes_without_a_seed(path: Path) -> None:
    assert unseeded(path.read_text()) == []


@pytest.mark.parametrize(
    "code",
    [
        "np.random.default_rng()",
        "np.random.normal()",
        "import random; random.choice(a)",
        "Random()",
    ],
)
def test_what_has_no_seed_is_found(code: str) -> None:
    assert unseeded(code)


@pytest.mark.parametrize(
    "code", ["np.random.default_rng(7)", "random.Random(seed)", "rng.normal()"]
)
def test_what_has_a_seed_is_fine(code: str) -> None:
    assert not unseeded(code)
