"""Fits the boosters of forecast and interval; what they miss makes interval and safety stock wider.

The boosters learn units / level, weighted with the level: the absolute error and the quantile's
loss are then those of the units themselves, and one tree serves slow and fast products.
"""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import xgboost
from numpy.typing import NDArray

from bentos.demand import features, safety
from bentos.demand.evaluate import Split, conformal_shift
from bentos.demand.panel import Rows
from bentos.demand.parameters import OBJECTIVE, Parameters
from bentos.demand.safety import Multipliers
from bentos.demand.spec import CATEGORIES, COVERAGE

Predictions = NDArray[np.float64]

TAILS = ((1 - COVERAGE) / 2, (1 + COVERAGE) / 2)
"""The quantiles at the interval's ends."""


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """A trained model.

    Attributes:
        boosters: of forecast, low and high, each a share of the level.
        shifts: by category, in the spec's order: what the interval grows by on both sides, as a
            share of the level.
        multipliers: of the safety stock.
    """

    boosters: tuple[xgboost.XGBRegressor, ...]
    shifts: tuple[float, ...]
    multipliers: Multipliers


def fit(rows: Rows, x: NDArray[np.float32], split: Split, parameters: Parameters) -> Fitted:
    """Trains on the split's training weeks, then calibrates on the weeks after them.

    One thread per booster: threads inside a booster gain less, and here the core count cannot
    change a result.
    """
    objectives = [(OBJECTIVE, None), *(("reg:quantileerror", tail) for tail in TAILS)]
    with ThreadPoolExecutor(_cores()) as pool:
        fits = [
            pool.submit(fit_one, rows, x, split.train, parameters, objective, quantile)
            for objective, quantile in objectives
        ]
        boosters = tuple(future.result() for future in fits)
    calibration = split.calibration
    fitted = Fitted(
        boosters=boosters, shifts=_shifts(rows, x, calibration, boosters), multipliers=()
    )
    predicted = predict(fitted, x[calibration])
    return replace(fitted, multipliers=safety.calibrate(rows, calibration, predicted))


def fit_one(
    rows: Rows,
    x: NDArray[np.float32],
    chosen: NDArray[np.bool_],
    parameters: Parameters,
    objective: str,
    quantile: float | None = None,
) -> xgboost.XGBRegressor:
    """One booster, trained on the chosen rows that tell of demand."""
    chosen = chosen & rows.learned
    level = _level(x[chosen])
    booster = xgboost.XGBRegressor(
        objective=objective,
        quantile_alpha=quantile,
        n_estimators=parameters.rounds,
        max_depth=parameters.depth,
        learning_rate=parameters.learning_rate,
        subsample=parameters.subsample,
        colsample_bytree=parameters.colsample,
        min_child_weight=parameters.min_child_weight,
        random_state=parameters.seed,
        tree_method="hist",
        max_bin=parameters.bins,
        n_jobs=1,
    )
    shares = rows.units[chosen] / level
    return booster.fit(_learned(x[chosen]), shares, sample_weight=level / level.mean())


def predict(fitted: Fitted, x: NDArray[np.float32]) -> Predictions:
    """(n, 3): forecast, low and high in units, as the graph computes them."""
    level = _level(x)
    forecast, low, high = (booster.predict(_learned(x)) for booster in fitted.boosters)
    shift = _categories(x) @ np.array(fitted.shifts, dtype=np.float32)
    center = np.maximum(forecast, 0)
    low = np.clip(low - shift, 0, center)
    high = np.maximum(high + shift, center)
    shares = np.column_stack([center, low, high])
    return np.asarray(shares * level[:, None])


def units(booster: xgboost.XGBRegressor, x: NDArray[np.float32]) -> Predictions:
    """One booster's forecast, in units."""
    return np.asarray(np.maximum(booster.predict(_learned(x)), 0) * _level(x))


def _shifts(
    rows: Rows,
    x: NDArray[np.float32],
    calibration: NDArray[np.bool_],
    boosters: Sequence[xgboost.XGBRegressor],
) -> tuple[float, ...]:
    chosen = calibration & rows.learned
    level = _level(x[chosen])
    low, high = (booster.predict(_learned(x[chosen])) for booster in boosters[1:])
    sold = rows.units[chosen] / level
    missed = np.maximum(np.maximum(low, 0) - sold, sold - high)
    missed[rows.sold_out[chosen]] = missed.max(initial=0)  # demand may have been anything above
    category = _categories(x[chosen]) > 0
    return tuple(conformal_shift(missed[category[:, i]], COVERAGE) for i in range(len(CATEGORIES)))


def _learned(x: NDArray[np.float32]) -> NDArray[np.float32]:
    return x[:, : len(features.LEARNED)]


def _level(x: NDArray[np.float32]) -> Predictions:
    return x[:, features.NAMES.index("level")].astype(np.float64)


def _categories(x: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, 3): one where the row is of the category."""
    first = features.NAMES.index(f"category_{CATEGORIES[0]}")
    return x[:, first : first + len(CATEGORIES)]


def _cores() -> int:
    return len(os.sched_getaffinity(0))
