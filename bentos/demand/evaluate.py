"""Cuts time into training, calibration and test, and measures forecasts. Trains nothing."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.demand.panel import Panel, Rows
from bentos.demand.parameters import Windows

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]

BASELINES = {"naive": "last_week", "mean_4_weeks": "mean_4", "seasonal_naive": "year_ago"}
"""The simple forecasts of Hyndman & Athanasopoulos, Forecasting: Principles and Practice (3rd ed.),
chapter 5.2, by the rows' attribute that they are."""

_VOLUMES = (("below 2 units", 0, 2), ("2 to 20 units", 2, 20), ("above 20 units", 20, math.inf))


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows to train on, to calibrate the interval on, and to test on, each after the one before.

    Attributes:
        name: for a reader.
    """

    name: str
    train: Mask
    calibration: Mask
    test: Mask


def splits(week: NDArray[np.int64], windows: Windows) -> list[Split]:
    """Rolling tests, the oldest first; nothing is learned from weeks after a test's begin."""
    ends = [int(week.max()) + 1 - number * windows.test_weeks for number in range(windows.folds)]
    return [
        _split(week, end - windows.test_weeks, end, windows.calibration_weeks)
        for end in reversed(ends)
    ]


def to_publish(week: NDArray[np.int64], windows: Windows) -> Split:
    """The same cut at the data's end: the newest weeks calibrate, and nothing is left to test."""
    end = int(week.max()) + 1
    return _split(week, end, end, windows.calibration_weeks)


def _split(week: NDArray[np.int64], begin: int, end: int, calibration_weeks: int) -> Split:
    train = week < begin - calibration_weeks
    test = (week >= begin) & (week < end)
    return Split(
        name=f"weeks {begin} to {end - 1}",
        train=train,
        calibration=(week < begin) & ~train,
        test=test,
    )


def conformal_shift(missed: Values, coverage: float) -> float:
    """What an interval has to grow by on both sides to hold so many of the values.

    Conformalized quantile regression: the ceil((n + 1) · coverage)-th smallest of
    max(low - y, y - high); negative where the interval was too wide. Romano, Patterson & Candès,
    Conformalized Quantile Regression, NeurIPS 2019.

    Args:
        missed: (n,) how far each value lies outside; negative inside.
        coverage: wanted share.
    """
    if not len(missed):
        return 0.0
    rank = min(len(missed), math.ceil((len(missed) + 1) * coverage))
    return float(np.partition(missed, rank - 1)[rank - 1])


def accuracy(truth: Values, forecast: Values) -> dict[str, float]:
    """Mean absolute error in units; the same and the bias as shares of all that was asked for."""
    off = forecast - truth
    total = max(float(truth.sum()), 1.0)
    return {
        "mae": float(np.abs(off).mean()),
        "wape": float(np.abs(off).sum() / total),
        "bias": float(off.sum() / total),
    }


def interval(truth: Values, low: Values, high: Values) -> dict[str, float]:
    """How often the interval held what was asked for, and how wide it was."""
    return {
        "coverage": float(((low <= truth) & (truth <= high)).mean()),
        "below": float((truth < low).mean()),
        "above": float((truth > high).mean()),
        "mean_width": float((high - low).mean()),
    }


def compare(rows: Rows, split: Split, predicted: Values) -> dict[str, Any]:
    """Model and baselines on one test, against demand in all its weeks.

    Args:
        rows: all of them.
        split: whose test is measured.
        predicted: (tests, 3) forecast, low and high of the test's rows.
    """
    test, truth = split.test, rows.demand[split.test]
    found = {
        "split": split.name,
        "rows": int(test.sum()),
        "model": accuracy(truth, predicted[:, 0]),
        **{
            name: accuracy(truth, getattr(rows, attribute)[test])
            for name, attribute in BASELINES.items()
        },
        "interval": interval(truth, predicted[:, 1], predicted[:, 2]),
    }
    if np.isfinite(rows.mean).all():
        found["true_mean"] = accuracy(truth, rows.mean[test])
    return found


def by_group(panel: Panel, rows: Rows, split: Split, predicted: Values) -> dict[str, Any]:
    """The measures of one test by store, category and volume."""
    series = [panel.series[number] for number in rows.series[split.test]]
    volume = rows.mean_13[split.test]
    groups: dict[str, Mapping[str, Mask]] = {
        "stores": _masks([one.store for one in series]),
        "categories": _masks([one.category for one in series]),
        "volumes": {name: (volume >= least) & (volume < most) for name, least, most in _VOLUMES},
    }
    return {
        kind: [
            {"name": name, **_measures(rows, split, predicted, mask)}
            for name, mask in masks.items()
            if mask.any()
        ]
        for kind, masks in groups.items()
    }


def summary(cells: Sequence[Mapping[str, Any]], coverage: float) -> dict[str, float]:
    """What bars and publishing rule ask for: the means over all tests, and the baselines'.

    Args:
        cells: of `compare`.
        coverage: that the interval is meant to have.
    """

    def mean(kind: str, measure: str) -> float:
        return float(np.mean([cell[kind][measure] for cell in cells]))

    return {
        "wape": mean("model", "wape"),
        **{f"wape_{name}": mean(name, "wape") for name in BASELINES},
        "mae": mean("model", "mae"),
        "gain_over_mean_4_weeks": 1 - mean("model", "wape") / mean("mean_4_weeks", "wape"),
        "wins_over_baselines": sum(
            cell["model"]["mae"] < cell[name]["mae"] for cell in cells for name in BASELINES
        ),
        "coverage": mean("interval", "coverage"),
        "coverage_nearness": 1 - max(abs(c["interval"]["coverage"] - coverage) for c in cells),
    }


def limits(
    simulated: Mapping[str, Any], on_real: Mapping[str, Any] | None, *, small: bool
) -> tuple[str, ...]:
    """What the tests and the real sales say about trusting the model.

    Args:
        simulated: figures of the tests on the simulated shops.
        on_real: figures of the pipeline on real sales; None where it did not run.
        small: it never runs in the variant for tests.
    """
    rare = "Service levels above 99 % were not measured."
    kept = f"How often the reorder's stock lasted in the tests: {_kept(simulated)}."
    if on_real is None:
        why = "this is the small variant" if small else "the package with them was out of reach"
        return (f"Not measured on real sales: {why}.", f"{kept} {rare}")
    baselines = ", ".join(
        f"{name.replace('_', ' ')} {on_real[f'wape_{name}']:.3f}" for name in BASELINES
    )
    return (
        f"Real sales are harder: the same pipeline on {on_real['source']} has a WAPE of "
        f"{on_real['wape']:.3f} ({baselines}; means of {len(on_real['tests'])} tests), and its "
        f"interval held {on_real['coverage']:.0%}. The published model is not trained on them.",
        f"{kept} On real sales: {_kept(on_real)}. {rare}",
    )


def _kept(found: Mapping[str, Any]) -> str:
    """Wanted and reached service levels, in words."""
    cells: dict[float, list[Mapping[str, float]]] = {}
    for cell in found["reorder_service"]:
        cells.setdefault(cell["wanted"], []).append(cell)
    leads = "/".join(f"{cell['lead_time_weeks']:g}" for cell in next(iter(cells.values())))
    reached = [
        "/".join(f"{cell['reached']:.1%}" for cell in same) + f" for {wanted:.0%}"
        for wanted, same in cells.items()
    ]
    far = 1 - found["service_level_nearness"]
    (dear,) = (cell for cell in cells[max(cells)] if cell["lead_time_weeks"] == 1)
    return (
        f"with lead times of {leads} weeks {', '.join(reached)} wanted (means of the tests; none "
        f"lay more than {100 * far:.1f} points off), and {dear['wanted']:.0%} with a week's lead "
        f"time took {dear['stock_per_unit_asked']:.1f} units of stock for each that was asked for"
    )


def _masks(names: Sequence[str]) -> dict[str, Mask]:
    listed = np.array(names)
    return {name: listed == name for name in dict.fromkeys(names)}


def _measures(rows: Rows, split: Split, predicted: Values, mask: Mask) -> dict[str, Any]:
    truth = rows.demand[split.test][mask]
    forecast, low, high = predicted[mask].T
    baselines = {
        f"mae_{name}": accuracy(truth, getattr(rows, attribute)[split.test][mask])["mae"]
        for name, attribute in BASELINES.items()
    }
    return {
        "rows": len(truth),
        **accuracy(truth, forecast),
        **baselines,
        "coverage": interval(truth, low, high)["coverage"],
    }
