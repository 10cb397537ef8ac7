"""What the tests of the models share: a store of their own, and a small graph made by hand."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from bentos import card
from bentos.card import Card
from bentos.recipe import Data, Outcome, Recipe
from bentos.spec import Bar, Field, ModelSpec, Number, Table

SPEC = ModelSpec(
    name="toy",
    title="A toy",
    summary="Doubles a number.",
    takes=Table(
        columns=(
            Number(name="a", unit="m", minimum=0, maximum=9, description="A length.", example=1),
        )
    ),
    answer=(Field(name="twice", schema={"type": "number"}, example=2.0),),
    bars=(Bar(measure="score", at_least=0.9),),
    max_batch=8,
    deadline_ms=100,
    queue_items=8,
    golden_tolerance=0.1,
)


@pytest.fixture(autouse=True, scope="session")
def _untracked() -> Iterator[None]:
    """No run of MLflow for the models that tests make: seconds each, and none looks at it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOFLEET_TRACKING", "off")
        yield


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """BentoML's home of this test alone."""
    folder = tmp_path / "bentoml"
    monkeypatch.setenv("BENTOML_HOME", str(folder))
    monkeypatch.setenv("BENTOML_DO_NOT_TRACK", "True")
    return folder


@pytest.fixture
def linear(tmp_path: Path) -> Callable[[Sequence[Sequence[float]]], Path]:
    """Writes a graph y = x · weights under the names of the contract."""

    def write(weights: Sequence[Sequence[float]]) -> Path:
        rows, columns = len(weights), len(weights[0])
        flat = [value for row in weights for value in row]
        graph = helper.make_graph(
            [helper.make_node("MatMul", ["x", "w"], ["y"])],
            "linear",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", rows])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", columns])],
            [helper.make_tensor("w", TensorProto.FLOAT, [rows, columns], flat)],
        )
        path = tmp_path / "linear.onnx"
        onnx.save(
            helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8),
            path,
        )
        return path

    return write


class Kitchen:
    """A toy model's recipe that counts how often it is made."""

    def __init__(self) -> None:
        self.made = 0
        self.score = 0.95
        self.sha256 = "0" * 64
        self.simulated = False
        self.parameters: dict[str, object] = {"rounds": 1}
        self.frameworks: tuple[str, ...] = ("numpy",)

    def recipe(self, *, small: bool = False) -> Recipe:
        """The recipe as it is now."""
        return Recipe(
            spec=SPEC,
            data=Data(
                source="here",
                sha256=self.sha256,
                rows=3,
                simulated=self.simulated,
                licence="CC0 1.0",
                citation="nobody",
            ),
            parameters={**self.parameters, "small": small},
            frameworks=self.frameworks,
            licence="Apache-2.0",
            make=self.make,
        )

    def make(self, folder: Path) -> Outcome:
        """Writes the files."""
        self.made += 1
        (folder / "model.onnx").write_bytes(b"graph" * 1000)
        (folder / "golden.json").write_text("{}")
        (folder / "golden").mkdir()
        (folder / "golden" / "a.jpg").write_bytes(b"photo")
        return Outcome(
            metrics={"score": self.score}, parity={}, limits=("It only doubles.",), export={}
        )

    def cooked(self, folder: Path) -> Card:
        """Makes the model into a new folder; gives its card."""
        folder.mkdir()
        recipe = self.recipe()
        return card.make(recipe, recipe.version(), self.make(folder), folder)


@pytest.fixture
def kitchen() -> Kitchen:
    """A new toy."""
    return Kitchen()
