"""A published photo model into the form for a card: the same answers, or no conversion."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from bentos import converted, sums
from bentos.recipe import BuildError
from bentos.vulkan import __main__ as command
from bentos.vulkan import convert
from bentos.wildlife.features import LABELS, SIDE

NAME = "wildlife"
STORED = converted.stored_name(NAME)


def graph() -> onnx.ModelProto:
    """(n, 3, 224, 224) to (n, 398): a convolution, a mean, a layer, and the softmax of the real."""
    rng = np.random.default_rng(3)
    shapes = {"w": (8, 3, 3, 3), "b": (8,), "m": (8, len(LABELS)), "c": (len(LABELS),)}
    weights = [
        numpy_helper.from_array(rng.normal(size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["f"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["f"], ["r"]),
        helper.make_node("GlobalAveragePool", ["r"], ["p"]),
        helper.make_node("Flatten", ["p"], ["v"]),
        helper.make_node("Gemm", ["v", "m", "c"], ["s"]),
        helper.make_node("Softmax", ["s"], ["y"], axis=1),
    ]
    made = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", len(LABELS)])],
        weights,
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


@pytest.fixture
def published(home: Path) -> Path:
    """The folder of a published model with two golden photos."""
    folder = home / "models" / NAME / "0123456789ab"
    (folder / "golden").mkdir(parents=True)
    (folder.parent / "latest").write_text(folder.name)
    onnx.save(graph(), folder / "model.onnx")
    items = []
    for name, colour in (("red.png", (200, 40, 30)), ("grey.png", (90, 90, 90))):
        Image.new("RGB", (300, 240), colour).save(folder / "golden" / name)
        items.append({"input": f"golden/{name}", "answer": {}})
    (folder / "golden.json").write_text(json.dumps({"tolerance": 1e-3, "items": items}))
    seal(folder)
    return folder


def seal(folder: Path) -> None:
    """Writes the card's sums of the files as they are now."""
    (folder / "card.json").unlink(missing_ok=True)
    (folder / "card.json").write_text(json.dumps({"files": sums.of_folder(folder)}))


def stored(home: Path) -> Path:
    (found,) = (path for path in (home / "models" / STORED).iterdir() if path.is_dir())
    return found


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The graphs that were converted."""
    seen: list[Path] = []
    real = convert.convert

    def count(graph: Path, *rest: object) -> None:
        seen.append(graph)
        real(graph, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(convert, "convert", count)
    return seen


def test_a_converted_model_lies_beside_the_published_one_with_its_proof(
    home: Path, published: Path
) -> None:
    version = command.ensure(NAME)

    folder = stored(home)
    assert folder.name == version == (folder.parent / "latest").read_text()
    assert converted.fault(folder, published) is None
    manifest = json.loads((folder / converted.MANIFEST).read_text())
    assert (manifest["version"], manifest["parity"]["photos"]) == (published.name, 2)
    assert manifest["graph"] == sums.file_sha256(published / "model.onnx")
    assert 0 <= manifest["parity"]["largest"] <= convert.TOLERANCE
    assert (folder / "model.yaml").is_file()


def test_it_is_converted_once(home: Path, published: Path, counted: list[Path]) -> None:
    assert command.main(["--model", NAME]) == 0
    assert command.main(["--model", NAME]) == 0

    assert len(counted) == 1


def test_a_damaged_conversion_is_made_again(
    home: Path, published: Path, counted: list[Path]
) -> None:
    command.ensure(NAME)
    (stored(home) / convert.WEIGHTS_FILE).write_bytes(b"half")

    command.ensure(NAME)

    assert len(counted) == 2
    assert converted.fault(stored(home), published) is None


def test_another_graph_is_another_version(home: Path, published: Path) -> None:
    before = command.ensure(NAME)
    model = onnx.load(published / "model.onnx")
    model.graph.node[0].attribute[1].ints[:] = [1, 1]
    onnx.save(model, published / "model.onnx")
    seal(published)

    assert command.ensure(NAME) != before


def test_a_conversion_that_answers_otherwise_is_refused(
    published: Path, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = convert.runner

    def off(folder: Path) -> Callable[[np.ndarray], np.ndarray]:
        run = real(folder)
        return lambda x: run(x) + np.float32(2e-4)

    monkeypatch.setattr(convert, "runner", off)

    with pytest.raises(BuildError, match=r"converted, an output differs by 0\.0002 \(at most"):
        command.ensure(NAME)
    assert not list((home / "models").glob(f"{STORED}/*"))


def test_an_output_that_is_not_a_number_is_refused(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = convert.runner
    monkeypatch.setattr(convert, "runner", lambda folder: lambda x: real(folder)(x) * np.nan)

    with pytest.raises(BuildError, match="an output differs by nan"):
        command.ensure(NAME)


def test_a_graph_that_pnnx_refuses_is_one_line(
    published: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pnnx", SimpleNamespace(EXEC_PATH="false"))

    assert command.main(["--model", NAME]) == 1
    assert capsys.readouterr().err == (
        "pnnx: failed with exit code 1 (it said nothing). Go back to the versions of uv.lock.\n"
    )


def test_a_damaged_model_is_not_converted(published: Path) -> None:
    (published / "model.onnx").write_bytes(b"half of it")

    with pytest.raises(BuildError, match=r"is damaged \(model\.onnx was cut off .*make models"):
        command.ensure(NAME)


def test_a_number_for_each_photo_keeps_the_axis_that_ncnn_does_not_add(
    published: Path, home: Path
) -> None:
    """As in octagon: a sum over cells, then an axis, then beside the cells."""
    model = onnx.load(published / "model.onnx")
    axes = numpy_helper.from_array(np.array([1]), "axes")
    model.graph.initializer.append(axes)
    del model.graph.node[5:]
    model.graph.node.extend(
        [
            helper.make_node("ReduceLogSumExp", ["s"], ["l"], axes=[1], keepdims=0),
            helper.make_node("Unsqueeze", ["l", "axes"], ["u"]),
            helper.make_node("Concat", ["u", "s"], ["t"], axis=1),
            helper.make_node("Sigmoid", ["t"], ["y"]),
        ]
    )
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_value += 1
    onnx.save(model, published / "model.onnx")
    seal(published)

    command.ensure(NAME)

    assert "ExpandDims" not in (stored(home) / convert.PARAM_FILE).read_text()


def test_a_pnnx_that_writes_nothing_is_told(
    published: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pnnx", SimpleNamespace(EXEC_PATH="true"))

    with pytest.raises(BuildError, match=r"pnnx wrote no model\.ncnn\.param"):
        convert.convert(published / "model.onnx", (3, SIDE, SIDE), tmp_path)


def test_a_model_that_is_not_published_is_named(home: Path) -> None:
    with pytest.raises(BuildError, match=r"wildlife: is not published yet\. Run `make models"):
        command.ensure(NAME)
