"""Splits the year and measures predictions against 'same time last week'. Trains nothing."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.energy.spec import ZONES

FOLDS = 5
LAST_SHARE = 0.2
_WEEK = timedelta(days=7)


@dataclass(frozen=True, kw_only=True)
class Split:
    """Rows to train on and rows to measure on.

    Attributes:
        name: for a reader: `fold 1`.
        train: (n,) bool.
        test: (n,) bool.
    """

    name: str
    train: NDArray[np.bool_]
    test: NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class Measures:
    """How far predictions are off; `mape` is a share, not a percentage."""

    r2: float
    rmse_kw: float
    mae_kw: float
    mape: float


def folds(times: Sequence[datetime]) -> list[Split]:
    """Five folds of whole weeks: a random split would leak, as neighbours are alike."""
    weeks = np.array([(time.timetuple().tm_yday - 1) // 7 % FOLDS for time in times])
    return [
        Split(name=f"fold {number + 1}", train=weeks != number, test=weeks == number)
        for number in range(FOLDS)
    ]


def last_fifth(count: int) -> Split:
    """Training on the first 80 % of the year, measuring on the rest."""
    test = np.arange(count) >= round(count * (1 - LAST_SHARE))
    return Split(name="last fifth of the year", train=~test, test=test)


def last_week(times: Sequence[datetime], power_kw: NDArray[np.float64]) -> NDArray[np.float64]:
    """What was drawn at the same time a week before; NaN where that is not known."""
    row = {time: index for index, time in enumerate(times)}
    before = np.array([row.get(time - _WEEK, -1) for time in times])
    return np.where((before >= 0)[:, None], power_kw[before], np.nan)


def measure(truth: NDArray[np.float64], predicted: NDArray[np.floating[Any]]) -> Measures:
    """The measures of one zone's (n,) predictions."""
    off = truth - predicted
    return Measures(
        r2=float(1 - np.sum(off**2) / np.sum((truth - truth.mean()) ** 2)),
        rmse_kw=float(np.sqrt(np.mean(off**2))),
        mae_kw=float(np.mean(np.abs(off))),
        mape=float(np.mean(np.abs(off) / truth)),
    )


def compare(
    name: str,
    zone: int,
    truth: NDArray[np.float64],
    predicted: NDArray[np.floating[Any]],
    baseline: NDArray[np.float64],
) -> dict[str, Any]:
    """Measures of the model and of last week for one split and zone.

    Args:
        name: of the split.
        zone: index.
        truth: (n,) kW; so are the others.
        predicted: by the model.
        baseline: of last week; NaN rows are left out of the comparison.

    Returns:
        `model` over all rows; `model_compared` and `last_week` over the rows that have a last
        week; `win`: the model's R² is the higher one there.
    """
    known = ~np.isnan(baseline)
    ours = measure(truth[known], predicted[known])
    theirs = measure(truth[known], baseline[known])
    return {
        "split": name,
        "zone": ZONES[zone],
        "rows": len(truth),
        "rows_compared": int(known.sum()),
        "model": asdict(measure(truth, predicted)),
        "model_compared": asdict(ours),
        "last_week": asdict(theirs),
        "win": ours.r2 > theirs.r2,
    }


def summary(cells: Sequence[dict[str, Any]], late: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The card's metrics: what the bars ask for, then every fold and zone.

    Args:
        cells: of every fold and zone.
        late: of the last fifth of the year.
    """
    means = {
        f"r2_zone_{number}_mean": float(
            np.mean([cell["model"]["r2"] for cell in cells if cell["zone"] == zone])
        )
        for number, zone in enumerate(ZONES, 1)
    }
    return {
        **means,
        "r2_compared_mean": _mean_r2(cells, "model_compared"),
        "r2_last_week_mean": _mean_r2(cells, "last_week"),
        "wins_over_last_week": sum(cell["win"] for cell in cells),
        "folds": list(cells),
        "last_fifth": list(late),
    }


def _mean_r2(cells: Sequence[dict[str, Any]], of: str) -> float:
    return float(np.mean([cell[of]["r2"] for cell in cells]))


def limits(late: Sequence[dict[str, Any]]) -> tuple[str, ...]:
    """What the last fifth of the year says about trusting the model with new months."""
    lost = [cell for cell in late if not cell["win"]]
    if not lost:
        return ()
    pairs = ", ".join(
        f"{cell['zone']} R² {cell['model_compared']['r2']:.2f} against "
        f"{cell['last_week']['r2']:.2f}"
        for cell in lost
    )
    return (
        "Months that training did not see are predicted badly: trained on the first 80 % of the "
        f"year and measured on the rest, the model loses to 'same time last week' ({pairs}). One "
        "year of data cannot teach the autumn: forecast with last week's values instead.",
    )
