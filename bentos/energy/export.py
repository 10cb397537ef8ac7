"""Merges the zones' boosters into one ONNX graph. Proves nothing: see bentos/parity.py."""

from collections.abc import Sequence

import onnx
import xgboost
from onnx import helper

from bentos import trees
from bentos.parity import OUTPUT


def merge(boosters: Sequence[xgboost.XGBRegressor], columns: int) -> onnx.ModelProto:
    """One graph: x (n, columns) float32 to y (n, len(boosters)) float32, in the boosters' order.

    Raises:
        BuildError: a booster converts to anything but one ensemble of trees.
    """
    nodes = [trees.ensemble(booster, f"output_{i}") for i, booster in enumerate(boosters)]
    parts = [node.output[0] for node in nodes]
    together = helper.make_node("Concat", parts, [OUTPUT], name="outputs", axis=1)
    return trees.graph("energy", [*nodes, together], columns, len(boosters))
