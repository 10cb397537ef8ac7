"""Merges boosters, interval and reorder formula into one ONNX graph.

Proves nothing: see bentos/parity.py. The formulas in words: train.py and reorder.py.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper

from bentos import trees
from bentos.demand import features
from bentos.demand.reorder import KNOTS, MEAN_WEIGHTS, REVIEW_WEEKS, WIDTH_SIGMAS
from bentos.demand.spec import CATEGORIES
from bentos.demand.train import Fitted
from bentos.parity import INPUT, OUTPUT

OUTPUTS = ("forecast_units", "low_units", "high_units", "reorder_units")

_SHARES = ("share", "share_low", "share_high")


def merge(fitted: Fitted) -> onnx.ModelProto:
    """One graph: x as `features.encode` makes it, y (n, 4) as `features.answer` reads it.

    Raises:
        BuildError: a booster converts to anything but one ensemble of trees.
    """
    boosters = zip(fitted.boosters, _SHARES, strict=True)
    nodes = [trees.ensemble(booster, name) for booster, name in boosters]
    return trees.graph(
        "demand",
        [*nodes, *_interval(), *_reorder()],
        len(features.NAMES),
        len(OUTPUTS),
        _constants(fitted),
    )


def _interval() -> list[onnx.NodeProto]:
    """Shares of the level to units: widened, in order, and not below nothing."""
    return [
        helper.make_node("Split", [INPUT, "widths"], ["learned", *features.GIVEN], axis=1),
        helper.make_node("MatMul", [INPUT, "shift_by_category"], ["shift"]),
        helper.make_node("Max", ["share", "zero"], ["center"]),
        helper.make_node("Sub", ["share_low", "shift"], ["lowered"]),
        helper.make_node("Min", ["lowered", "center"], ["not_above"]),
        helper.make_node("Max", ["not_above", "zero"], ["low"]),
        helper.make_node("Add", ["share_high", "shift"], ["raised"]),
        helper.make_node("Max", ["raised", "center"], ["high"]),
        helper.make_node("Concat", ["center", "low", "high"], ["shares"], axis=1),
        helper.make_node("Mul", ["shares", "level"], ["units"]),
    ]


def _reorder() -> list[onnx.NodeProto]:
    """The formula of reorder.py, before rounding: whole units are made by `features.answer`."""
    return [
        helper.make_node("MatMul", ["units", "mean_weights"], ["mean"]),
        helper.make_node("MatMul", ["units", "width_weights"], ["width"]),
        helper.make_node("Mul", ["width", "width"], ["width_variance"]),
        helper.make_node("Add", ["width_variance", "mean"], ["variance"]),
        helper.make_node("Sqrt", ["variance"], ["sigma"]),
        helper.make_node("Sub", ["z", "bends_at"], ["beyond"]),
        helper.make_node("Max", ["beyond", "at_least"], ["bends"]),
        helper.make_node("MatMul", [INPUT, "slopes_by_category"], ["slopes"]),
        helper.make_node("Mul", ["bends", "slopes"], ["parts"]),
        helper.make_node("ReduceSum", ["parts", "columns"], ["multiplier"], keepdims=1),
        helper.make_node("Mul", ["multiplier", "sigma"], ["safety"]),
        helper.make_node("Add", ["mean", "safety"], ["weekly"]),
        helper.make_node("Add", ["lead_weeks", "review_weeks"], ["weeks"]),
        helper.make_node("Mul", ["weekly", "weeks"], ["enough"]),
        helper.make_node("Sub", ["enough", "stock"], ["missing"]),
        helper.make_node("Max", ["missing", "zero"], ["need"]),
        helper.make_node("Concat", ["units", "need"], [OUTPUT], axis=1),
    ]


def _constants(fitted: Fitted) -> dict[str, NDArray[Any]]:
    slopes = [_slopes(knots) for knots in fitted.multipliers]
    return {
        "widths": np.array([len(features.LEARNED), *(1 for _ in features.GIVEN)]),
        "columns": np.array([1]),
        "shift_by_category": _by_category([[shift] for shift in fitted.shifts]),
        "zero": _column(0.0),
        "mean_weights": _column(*MEAN_WEIGHTS),
        "width_weights": _column(0.0, -1 / WIDTH_SIGMAS, 1 / WIDTH_SIGMAS),
        "bends_at": _column(np.inf, *KNOTS[:-1]).T,  # the first stays at 1, for the begin
        "at_least": _column(1.0, *(0.0 for _ in KNOTS[:-1])).T,
        "slopes_by_category": _by_category(slopes),
        "review_weeks": _column(REVIEW_WEEKS),
    }


def _slopes(knots: Sequence[float]) -> list[float]:
    """The line through the knots as the graph adds it up: its begin, its first slope, and by how
    much the slope changes at each knot that follows."""
    slopes = np.diff(knots) / np.diff(KNOTS)
    return [knots[0], slopes[0], *np.diff(slopes)]


def _by_category(values: Sequence[Sequence[float]]) -> NDArray[np.float32]:
    """One row per column of x; all but the categories' are zero."""
    table = np.zeros((len(features.NAMES), len(values[0])), dtype=np.float32)
    for category, row in zip(CATEGORIES, values, strict=True):
        table[features.NAMES.index(f"category_{category}")] = row
    return table


def _column(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)[:, None]
