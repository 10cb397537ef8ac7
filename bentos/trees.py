"""Puts XGBoost's boosters into one ONNX graph. Proves nothing: see bentos/parity.py.

One ensemble per booster and one booster per output: those with many convert silently wrong.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import xgboost
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnxmltools import convert_xgboost  # type: ignore[import-untyped]
from onnxmltools.convert.common.data_types import FloatTensorType  # type: ignore[import-untyped]

from bentos.parity import INPUT, OUTPUT
from bentos.recipe import BuildError

_ENSEMBLE = "TreeEnsembleRegressor"
_OPSET = 15  # the highest that onnxmltools writes
_ML_OPSET = 1
_IR_VERSION = 8


def ensemble(booster: xgboost.XGBRegressor, output: str) -> onnx.NodeProto:
    """A booster as one node from x to `output`, (n, 1); x may have more columns than it knows.

    Raises:
        BuildError: it converts to anything else.
    """
    kinds = [(INPUT, FloatTensorType([None, booster.n_features_in_]))]
    nodes = convert_xgboost(booster, initial_types=kinds, target_opset=_OPSET).graph.node
    found = [node.op_type for node in nodes]
    if found != [_ENSEMBLE]:
        raise BuildError(
            f"{output}: the booster should convert to one ensemble of trees (got {found}). "
            "Go back to the versions in uv.lock."
        )
    trees = onnx.NodeProto()
    trees.CopyFrom(nodes[0])
    del trees.input[:], trees.output[:]
    trees.input.append(INPUT)
    trees.output.append(output)
    trees.name = output
    return trees


def graph(
    name: str,
    nodes: Sequence[onnx.NodeProto],
    columns: int,
    outputs: int,
    constants: Mapping[str, NDArray[np.generic]] | None = None,
) -> onnx.ModelProto:
    """The model that these nodes make: x (n, columns) float32 to y (n, outputs) float32."""
    made = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, ["n", columns])],
        [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(value, key) for key, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", _OPSET), helper.make_opsetid("ai.onnx.ml", _ML_OPSET)]
    model = helper.make_model(
        made, producer_name="bentofleet", opset_imports=opsets, ir_version=_IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model
