"""The fp16 and int8 forms of small graphs."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from bentos import parity
from bentos.precision import variants
from bentos.precision.variants import FP16, FP32, INT8, NotApplicable


def saved(path, nodes, weights, shape_in, shape_out, domains=("",)):
    """A graph from x to y."""
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape_out)],
        weights,
    )
    opsets = [helper.make_opsetid(name, 17 if not name else 3) for name in domains]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=8), path)
    return path


@pytest.fixture
def convolution(tmp_path):
    """(n, 3, 8, 8) to (n, 4)."""
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3)).astype(np.float32)
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], kernel_shape=[3, 3]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["y"]),
    ]
    tensor = helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.ravel())
    return saved(tmp_path / "conv.onnx", nodes, [tensor], ["n", 3, 8, 8], ["n", 4])


@pytest.fixture
def tree(tmp_path):
    """One split of one number."""
    node = helper.make_node(
        "TreeEnsembleRegressor",
        ["x"],
        ["y"],
        domain="ai.onnx.ml",
        n_targets=1,
        nodes_treeids=[0, 0, 0],
        nodes_nodeids=[0, 1, 2],
        nodes_featureids=[0, 0, 0],
        nodes_modes=["BRANCH_LEQ", "LEAF", "LEAF"],
        nodes_values=[0.5, 0.0, 0.0],
        nodes_truenodeids=[1, 0, 0],
        nodes_falsenodeids=[2, 0, 0],
        nodes_missing_value_tracks_true=[0, 0, 0],
        target_treeids=[0, 0],
        target_nodeids=[1, 2],
        target_ids=[0, 0],
        target_weights=[1.0, 2.0],
    )
    return saved(tmp_path / "tree.onnx", [node], [], ["n", 1], ["n", 1], ("", "ai.onnx.ml"))


@pytest.fixture
def photos():
    """Inputs to calibrate with."""
    return np.random.default_rng(1).normal(size=(8, 3, 8, 8)).astype(np.float32)


def difference(graph, other, x):
    return float(np.abs(parity.runner(graph)(x) - parity.runner(other)(x)).max())


def test_half_precision_answers_nearly_the_same(convolution, photos, tmp_path):
    made = variants.fp16(convolution, tmp_path / "fp16.onnx")
    assert 0 < difference(convolution, made, photos) < 0.01
    assert [variants.kind(path) for path in (convolution, made)] == [FP32, FP16]


def test_eight_bits_are_calibrated_and_answer_nearly_the_same(convolution, photos, tmp_path):
    made = variants.int8(convolution, tmp_path / "int8.onnx", photos)
    assert 0 < difference(convolution, made, photos) < 0.1
    assert variants.kind(made) == INT8
    assert sorted(path.name for path in tmp_path.glob("*.onnx")) == ["conv.onnx", "int8.onnx"]


def test_convolutions_are_not_quantized_without_calibration(convolution, tmp_path):
    with pytest.raises(NotApplicable, match="no calibration inputs"):
        variants.int8(convolution, tmp_path / "int8.onnx", None)


def test_products_of_rows_are_quantized_without_calibration(linear, tmp_path):
    made = variants.int8(linear([[1.0, 2.0], [3.0, 4.0]]), tmp_path / "int8.onnx", None)
    assert variants.kind(made) == INT8


def test_trees_have_no_other_form_and_the_reason_is_told(tree, tmp_path):
    with pytest.raises(NotApplicable, match="leaves TreeEnsembleRegressor in fp32"):
        variants.fp16(tree, tmp_path / "fp16.onnx")
    with pytest.raises(NotApplicable, match="no integer form of TreeEnsembleRegressor"):
        variants.int8(tree, tmp_path / "int8.onnx", None)
