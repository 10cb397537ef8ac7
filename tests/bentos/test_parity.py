"""The proof of parity: right graphs pass, and every kind of wrong one is caught."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bentos import parity
from bentos.recipe import BuildError

Linear = Callable[[Sequence[Sequence[float]]], Path]

WEIGHTS = ((1.0, 2.0, 3.0), (4.0, 5.0, 6.0))
NAMES = ("a", "b", "c")
X = np.random.default_rng(1).uniform(1, 2, (200, 2)).astype(np.float32)
TRUTH = X @ np.array(WEIGHTS, dtype=np.float32)


def prove(graph: Path, expected: Any = TRUTH, **options: Any) -> parity.Parity:
    """`parity.prove` with the usual arguments."""
    rule = parity.Rule(**{"measure": "relative", "tolerance": 1e-4, **options})
    return parity.prove(graph, X, expected, NAMES, rule)


def test_a_right_graph_passes_and_tells_each_outputs_difference(linear: Linear) -> None:
    proof = prove(linear(WEIGHTS))
    assert set(proof.outputs) == set(NAMES)
    assert proof.largest == max(proof.outputs.values()) < 1e-6
    assert (proof.items, proof.singles) == (200, 64)


@pytest.mark.parametrize("output", range(3), ids=NAMES)
def test_one_wrong_output_among_right_ones_is_named(linear: Linear, output: int) -> None:
    wrong = [list(row) for row in WEIGHTS]
    wrong[0][output] *= 1.01
    with pytest.raises(BuildError, match=f"the output {NAMES[output]} differs"):
        prove(linear(wrong))


def test_outputs_in_another_order_are_caught(linear: Linear) -> None:
    with pytest.raises(BuildError, match="the output a differs"):
        prove(linear([row[::-1] for row in WEIGHTS]))


def test_an_output_that_is_not_a_number_is_caught(linear: Linear) -> None:
    with pytest.raises(BuildError, match="differs from the model by nan"):
        prove(linear(((float("nan"), 2.0, 3.0), WEIGHTS[1])))


def test_a_missing_output_is_caught(linear: Linear) -> None:
    with pytest.raises(BuildError, match=r"shape should be \(200, 3\) \(got \(200, 2\)\)"):
        prove(linear([row[:2] for row in WEIGHTS]))


def test_a_small_absolute_difference_can_be_a_large_relative_one(linear: Linear) -> None:
    shifted = TRUTH + np.array([5e-3, 0, 0])
    assert prove(linear(WEIGHTS), shifted, measure="absolute", tolerance=1e-2).largest > 4e-3
    with pytest.raises(BuildError, match="the output a differs"):
        prove(linear(WEIGHTS), shifted)


def test_another_best_output_is_caught_within_the_tolerance(linear: Linear) -> None:
    graph = linear(((1.0, 1.0, 1.00001), (1.0, 1.0, 1.0)))
    expected = X @ np.array(((1.0, 1.00001, 1.0), (1.0, 1.0, 1.0)), dtype=np.float32)
    assert prove(graph, expected).largest < 1e-4
    with pytest.raises(BuildError, match="largest output is another one"):
        prove(graph, expected, same_first=True)


def test_a_graph_that_is_wrong_for_one_item_alone_is_caught(tmp_path: Path) -> None:
    """It multiplies by the number of items, over 200: right only for all at once."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], end=1),
        helper.make_node("Cast", ["shape"], ["count"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["count", "w"], ["scaled"]),
        helper.make_node("MatMul", ["x", "scaled"], ["y"]),
    ]
    flat = [value / 200 for row in WEIGHTS for value in row]
    graph = helper.make_graph(
        nodes,
        "counts",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 2])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 3])],
        [helper.make_tensor("w", TensorProto.FLOAT, [2, 3], flat)],
    )
    path = tmp_path / "counts.onnx"
    opsets = [helper.make_opsetid("", 15)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    with pytest.raises(BuildError, match="the output a differs"):
        prove(path)


def test_a_graph_with_other_names_is_refused(linear: Linear) -> None:
    path = linear(WEIGHTS)
    model = onnx.load(path)
    model.graph.output[0].name = model.graph.node[0].output[0] = "variable"
    onnx.save(model, path)
    with pytest.raises(BuildError, match=r"should have the input x and the output y"):
        prove(path)


def test_the_worst_outputs_are_kept(linear: Linear) -> None:
    proof = prove(linear(WEIGHTS), TRUTH * (1 + np.array([0, 2e-5, 1e-5])))
    assert list(proof.worst(2).outputs) == ["b", "c"]
    assert proof.worst(2).largest == proof.largest
