"""A few scenes, and a model made by hand that finds dark photos."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from bentos import card, store
from bentos.octagon import data, scenes
from bentos.octagon.parameters import SMALL
from bentos.octagon.scenes import Scene
from bentos.octagon.spec import CELLS, SPEC
from bentos.recipe import Data, Outcome, Recipe

PHOTOS = data.splits(SMALL)["train"].photos


@pytest.fixture(scope="session")
def rendered() -> list[Scene]:
    """Sixty scenes of all kinds."""
    return [scenes.render(PHOTOS, Random(f"tests/{number}")) for number in range(60)]  # noqa: S311


@pytest.fixture
def photo() -> Callable[[int], bytes]:
    """A grey photo of that level, as PNG."""

    def make(level: int) -> bytes:
        file = BytesIO()
        Image.new("RGB", (64, 64), (level, level, level)).save(file, "PNG")
        return file.getvalue()

    return make


@pytest.fixture
def published(home: Path, tmp_path: Path) -> str:
    """Publishes a model that says yes to dark photos and is unsure of grey ones; its version."""
    folder = tmp_path / "dark"
    folder.mkdir()
    onnx.save(_dark(), folder / "model.onnx")
    (folder / "golden.json").write_text("{}")

    def make(into: Path) -> Outcome:
        raise AssertionError("nobody makes it")

    recipe = Recipe(
        spec=SPEC,
        data=Data(
            source="", sha256="0" * 64, rows=1, simulated=True, licence="CC0 1.0", citation=""
        ),
        parameters={"small": True},
        frameworks=("numpy",),
        licence="Apache-2.0",
        make=make,
    )
    metrics = {bar.measure: 1.0 for bar in SPEC.bars}
    outcome = Outcome(metrics=metrics, parity={}, limits=(), export={})
    store.publish(card.make(recipe, "aaaaaaaaaaaa", outcome, folder), folder)
    return "aaaaaaaaaaaa"


def _dark() -> onnx.ModelProto:
    """y = sigmoid(-8 times the mean of x), as often as there are outputs."""
    outputs = 1 + CELLS**2
    steep = np.full(outputs, -8, np.float32)
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["x"], ["mean"], axes=[1, 2, 3], keepdims=0),
            helper.make_node("Unsqueeze", ["mean", "one"], ["column"]),
            helper.make_node("Mul", ["column", "steep"], ["score"]),
            helper.make_node("Sigmoid", ["score"], ["y"]),
        ],
        "dark",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 256, 256])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [
            helper.make_tensor("one", TensorProto.INT64, [1], [1]),
            helper.make_tensor("steep", TensorProto.FLOAT, [outputs], steep.tolist()),
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
