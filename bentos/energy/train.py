"""Fits the boosters: one per zone, never one for all, because those convert silently wrong."""

import logging
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import xgboost
from numpy.typing import NDArray

from bentos.energy import evaluate
from bentos.energy.evaluate import Split
from bentos.energy.parameters import Parameters
from bentos.energy.spec import ZONES

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Problem:
    """The data as numbers.

    Attributes:
        x: (n, k) float32 of `features.encode`.
        power_kw: (n, 3).
        last_week: (n, 3), NaN where it is not known.
    """

    x: NDArray[np.float32]
    power_kw: NDArray[np.float64]
    last_week: NDArray[np.float64]


def score(
    problem: Problem, splits: Sequence[Split], parameters: Parameters
) -> list[dict[str, Any]]:
    """Trains and measures every split and zone; says how each split went.

    Returns:
        `evaluate.compare` of each, split by split.
    """
    cells = []
    for split, boosters in zip(splits, _fit_all(problem, splits, parameters), strict=True):
        x, test = problem.x[split.test], split.test
        found = [
            evaluate.compare(
                split.name,
                zone,
                problem.power_kw[test, zone],
                booster.predict(x),
                problem.last_week[test, zone],
            )
            for zone, booster in enumerate(boosters)
        ]
        _say(split, found)
        cells.extend(found)
    return cells


def fit(problem: Problem, parameters: Parameters) -> list[xgboost.XGBRegressor]:
    """The boosters of all zones, trained on all rows."""
    everything = np.ones(len(problem.x), dtype=np.bool_)
    split = Split(name="all rows", train=everything, test=everything)
    return next(_fit_all(problem, [split], parameters))


def _fit_all(
    problem: Problem, splits: Sequence[Split], parameters: Parameters
) -> Iterator[list[xgboost.XGBRegressor]]:
    """The boosters of each split, in order, as they get ready.

    One thread per booster and a booster per core: threads inside a booster gain less, crawl when
    the machine is shared (1 s became 44 s), and here the core count cannot change a result.
    """
    pool = ThreadPoolExecutor(_cores())
    try:
        waiting: list[list[Future[xgboost.XGBRegressor]]] = [
            [pool.submit(_fit_one, problem, split, zone, parameters) for zone in range(len(ZONES))]
            for split in splits
        ]
        for futures in waiting:
            yield [future.result() for future in futures]
    finally:
        pool.shutdown(cancel_futures=True)  # so that Ctrl-C waits for two boosters, not for all


def _fit_one(
    problem: Problem, split: Split, zone: int, parameters: Parameters
) -> xgboost.XGBRegressor:
    rows = np.flatnonzero(split.train)[:: parameters.row_step]
    booster = xgboost.XGBRegressor(
        n_estimators=parameters.rounds,
        max_depth=parameters.depth,
        learning_rate=parameters.learning_rate,
        subsample=parameters.subsample,
        colsample_bytree=parameters.colsample,
        min_child_weight=parameters.min_child_weight,
        random_state=parameters.seed,
        tree_method="hist",
        n_jobs=1,
    )
    booster.fit(problem.x[rows], problem.power_kw[rows, zone])
    return booster


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _say(split: Split, found: Sequence[dict[str, Any]]) -> None:
    pairs = "; ".join(
        f"zone {zone} {cell['model_compared']['r2']:.3f} ({cell['last_week']['r2']:.3f})"
        for zone, cell in enumerate(found, 1)
    )
    log.info("energy: %s: R² (and last week's) %s", split.name, pairs)
