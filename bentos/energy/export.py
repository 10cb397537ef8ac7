"""Merges the zones' boosters into one ONNX graph. Proves nothing: see bentos/parity.py."""

from collections.abc import Sequence

import onnx
import xgboost
from onnx import TensorProto, helper
from onnxmltools import convert_xgboost  # type: ignore[import-untyped]
from onnxmltools.convert.common.data_types import FloatTensorType  # type: ignore[import-untyped]

from bentos.parity import INPUT, OUTPUT

_OPSET = 15  # the highest that onnxmltools writes
_ML_OPSET = 1
_IR_VERSION = 8


def merge(boosters: Sequence[xgboost.XGBRegressor], columns: int) -> onnx.ModelProto:
    """One graph: x (n, columns) float32 to y (n, len(boosters)) float32, in the boosters' order.

    Raises:
        ValueError: a booster converts to anything but one ensemble of trees.
    """
    nodes = [_ensemble(booster, columns, f"output_{i}") for i, booster in enumerate(boosters)]
    parts = [node.output[0] for node in nodes]
    graph = helper.make_graph(
        [*nodes, helper.make_node("Concat", parts, [OUTPUT], name="outputs", axis=1)],
        "energy",
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", columns])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", len(boosters)])],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model = helper.make_model(
        graph, producer_name="bentofleet", opset_imports=opsets, ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _ensemble(booster: xgboost.XGBRegressor, columns: int, output: str) -> onnx.NodeProto:
    kinds = [(INPUT, FloatTensorType([None, columns]))]
    converted = convert_xgboost(booster, initial_types=kinds, target_opset=_OPSET)
    (node,) = converted.graph.node
    if node.op_type != "TreeEnsembleRegressor":
        raise ValueError(f"a booster should convert to an ensemble of trees (got {node.op_type}).")
    trees = onnx.NodeProto()
    trees.CopyFrom(node)
    del trees.input[:], trees.output[:]
    trees.input.append(INPUT)
    trees.output.append(output)
    trees.name = output
    return trees
