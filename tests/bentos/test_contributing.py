"""CONTRIBUTING's recipe for a new model, followed in a copy of the sources."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.train

ROOT = Path(__file__).parents[2]

BLOCK = re.compile(r"^```python\n# (bentos/\S+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)

ASK = """
import asyncio, os
import httpx
from bentos.catalog import MODELS
from service import settings
from service.process import Process

async def ask():
    process = Process(settings.read(os.environ), MODELS)
    await process.start()
    await process._loading
    transport = httpx.ASGITransport(process.application)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        row = {column.name: column.example for column in MODELS["fraud"].takes.columns}
        answers = [
            await client.post("/v1/fraud/predict", json=row),
            await client.post("/v1/fraud/predict", json={**row, "hour": 99}),
        ]
    await process.stop()
    for answer in answers:
        print("answer", answer.status_code, answer.text)

asyncio.run(ask())
"""


def files() -> dict[str, str]:
    """The files of the recipe, by their path."""
    return dict(BLOCK.findall((ROOT / "CONTRIBUTING.md").read_text()))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sources with the model of the recipe added."""
    folder = tmp_path_factory.mktemp("copy")
    for name in ("bentos", "service", "tests/bentos", "tests/test_bentofile.py"):
        source = ROOT / name
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(source, folder / name, ignore=ignored)
        else:
            shutil.copy(source, folder / name)
    shutil.copy(ROOT / "pyproject.toml", folder)
    given = files()
    line = given.pop("bentos/catalog.py")
    for name, text in given.items():
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    add_to_catalog(folder / "bentos" / "catalog.py", line)
    add_to_bentofile(folder / "bentofile.yaml")
    return folder


def add_to_catalog(catalog: Path, line: str) -> None:
    """As step 5 says."""
    text = catalog.read_text().replace("from bentos.spec import", f"{line}from bentos.spec import")
    changed = re.sub(r"\bENERGY,", "ENERGY, FRAUD,", text, count=1)
    assert changed != text
    catalog.write_text(changed)


def add_to_bentofile(bentofile: Path) -> None:
    """As step 6 says."""
    text = (ROOT / "bentofile.yaml").read_text()
    text = text.replace("models:\n", "models:\n  - fraud:latest\n")
    bentofile.write_text(re.sub(r"(BENTOFLEET_MODELS: .*energy)", r"\1,fraud", text))


def run(copy: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs Python in the copy, whose modules come before the repository's."""
    environ = {
        **os.environ,
        "PYTHONPATH": str(copy),
        "BENTOML_HOME": str(copy / "build" / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "BENTOFLEET_TRACKING": "off",
        "BENTOFLEET_MODELS": "fraud",
        "BENTOFLEET_AUTH": "off",
        "BENTOFLEET_METRICS_PORT": "0",
    }
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=copy,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_recipe_has_a_whole_model() -> None:
    assert [path.removeprefix("bentos/") for path in files()] == [
        "fraud/__init__.py",
        "fraud/spec.py",
        "fraud/features.py",
        "fraud/transactions.py",
        "fraud/recipe.py",
        "catalog.py",
    ]


def test_a_model_made_by_the_recipe_is_built_and_served(copy: Path) -> None:
    built = run(copy, "-m", "bentos.build", "--model", "fraud", "--small")
    assert (built.returncode, built.stderr) == (0, "")
    assert "fraud: published (fraud:" in built.stdout
    asked = run(copy, "-c", ASK)
    good, bad = [line for line in asked.stdout.splitlines() if line.startswith("answer ")]
    assert good.startswith("answer 200 "), asked.stderr
    assert 0 < json.loads(good.removeprefix("answer 200 "))["fraud_probability"] <= 1
    assert bad.startswith("answer 422 ")
    assert "hour" in bad


def test_the_recipes_code_is_in_the_projects_style(copy: Path) -> None:
    for command in (["format", "--check"], ["check"]):
        done = run(copy, "-m", "ruff", *command, "bentos/fraud")
        assert done.returncode == 0, done.stdout + done.stderr


def test_the_tests_of_the_catalog_pass_with_it(copy: Path) -> None:
    tests = ["tests/bentos/test_catalog.py", "tests/test_bentofile.py"]
    done = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests)
    assert done.returncode == 0, done.stdout[-3000:]
    assert "fraud" in run(copy, "-m", "pytest", "--collect-only", "-q", tests[0]).stdout
