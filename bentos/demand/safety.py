"""Calibrates the safety stock on what forecasts missed, and measures how long stocks last.

Empirical, not normal (Trapero, Cardós & Kourentzes, Empirical safety stock estimation based on
kernel and GARCH models, Omega 84, 2019): the demand of whole lead times in the calibration window
is set against the forecast, in sigmas, and the quantiles of these errors are the multipliers of
reorder.py. A week that was sold out tells no more than that so much was wanted at least, so the
quantiles are those for censored values (Kaplan & Meier, Nonparametric Estimation from Incomplete
Observations, J. American Statistical Association 53, 1958).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.demand import reorder
from bentos.demand.panel import Rows
from bentos.demand.spec import CATEGORIES

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Multipliers = tuple[tuple[float, ...], ...]
"""k at each of reorder.LEVELS, by category in the spec's order."""

_WEEKS = (1, 2, 3, 5)  # that a stock has to last, with no lead time and with the three below
_LEAD_TIMES_WEEKS = (1, 2, 4)
_WANTED = (0.8, 0.9, 0.95, 0.99)
_DAYS_PER_WEEK = 7
_ROUNDING = 1e-12
_LEAST_KNOTS = 2  # make a line


def calibrate(rows: Rows, chosen: Mask, predicted: Values) -> Multipliers:
    """The multipliers that would have been right in the chosen weeks; later ones are not looked at.

    Args:
        rows: all of them.
        chosen: those to calibrate on.
        predicted: (chosen, 3) their forecast, low and high.
    """
    found = [_errors(rows, chosen, predicted, weeks) for weeks in _WEEKS]
    errors, censored, category = (np.concatenate(part) for part in zip(*found, strict=True))
    by_category = [category == number for number in range(len(CATEGORIES))]
    return tuple(_knots(quantiles(errors[own], censored[own])) for own in by_category)


def quantiles(values: Values, censored: Mask) -> tuple[float, ...]:
    """Below which the shares reorder.LEVELS of all values lie, by Kaplan and Meier's estimator.
    Shares that it does not reach are left out: the largest values are censored.

    Args:
        values: (n,).
        censored: (n,) the true value is this one or larger.
    """
    order = np.lexsort((censored, values))
    known = ~censored[order]
    below = 1 - np.cumprod(1 - known / np.arange(len(values), 0, -1))
    places = np.searchsorted(below[known], np.array(reorder.LEVELS) - _ROUNDING)
    return tuple(values[order][known][places[places < known.sum()]].tolist())


def served(
    rows: Rows, chosen: Mask, predicted: Values, multipliers: Multipliers
) -> list[dict[str, float]]:
    """How often the order of an empty shop would have lasted, for lead times and service levels.

    Args:
        rows: all of them; they go on after the chosen ones.
        chosen: those of a test.
        predicted: (chosen, 3) their forecast, low and high.
        multipliers: of `calibrate`.
    """
    cells = []
    for lead in _LEAD_TIMES_WEEKS:
        followed, ahead = _ahead(rows, chosen, lead + 1, int(rows.week.max()))
        asked = rows.demand[ahead].sum(axis=1)
        knots = [multipliers[number] for number in _categories(rows, ahead[:, 0])]
        for wanted in _WANTED:
            bases = zip(predicted[followed].tolist(), knots, strict=True)
            stock = [_stock(row, own, lead, wanted) for row, own in bases]
            cells.append(
                {
                    "lead_time_weeks": lead,
                    "wanted": wanted,
                    "reached": float((asked <= stock).mean()),
                    "stock_per_unit_asked": float(np.sum(stock) / max(asked.sum(), 1.0)),
                }
            )
    return cells


def summary(tests: Sequence[Sequence[Mapping[str, float]]]) -> dict[str, Any]:
    """Means over all tests, lowest and highest, and how near all of them are to what was wanted.

    Args:
        tests: of `served`.
    """
    return {
        "service_level_nearness": 1
        - max(abs(cell["reached"] - cell["wanted"]) for cells in tests for cell in cells),
        "reorder_service": [_over_tests(same) for same in zip(*tests, strict=True)],
    }


def _knots(reached: tuple[float, ...]) -> tuple[float, ...]:
    """One for each level: the line goes on; where too few were reached, the textbook's."""
    if len(reached) < _LEAST_KNOTS:
        return reorder.KNOTS
    rest = reorder.LEVELS[len(reached) :]
    return (*reached, *(reorder.multiplier(reached, level) for level in rest))


def _over_tests(cells: Sequence[Mapping[str, float]]) -> dict[str, float]:
    reached = [cell["reached"] for cell in cells]
    return {
        **cells[0],
        "reached": float(np.mean(reached)),
        "lowest": min(reached),
        "highest": max(reached),
        "stock_per_unit_asked": float(np.mean([cell["stock_per_unit_asked"] for cell in cells])),
    }


def _errors(
    rows: Rows, chosen: Mask, predicted: Values, weeks: int
) -> tuple[Values, Mask, NDArray[np.int64]]:
    """Errors of so many weeks in sigmas, whether they are censored, and their category.

    A unit is taken off what was asked for: orders are rounded up, and any fraction above it lasts.
    """
    followed, ahead = _ahead(rows, chosen, weeks, int(rows.week[chosen].max()))
    mean, sigma = reorder.week(*predicted[followed].T)
    asked = rows.units[ahead].sum(axis=1) - 1
    some = sigma > 0  # else no multiplier changes the order
    errors = (asked / weeks - mean)[some] / sigma[some]
    censored = np.asarray(rows.sold_out[ahead].any(axis=1))
    return errors, censored[some], _categories(rows, ahead[some, 0])


def _ahead(rows: Rows, chosen: Mask, weeks: int, last: int) -> tuple[Mask, NDArray[np.int64]]:
    """Which of the chosen rows begin so many weeks that end by the last one, and their rows."""
    followed = rows.week[chosen] + weeks - 1 <= last
    return followed, np.flatnonzero(chosen)[followed][:, None] + np.arange(weeks)


def _categories(rows: Rows, places: NDArray[np.int64]) -> NDArray[np.int64]:
    names = [rows.items[place]["category"] for place in places.tolist()]
    return np.array([CATEGORIES.index(name) for name in names], dtype=np.int64)


def _stock(predicted: Sequence[float], knots: Sequence[float], lead: int, wanted: float) -> int:
    enough = reorder.order_up_to(predicted, knots, lead * _DAYS_PER_WEEK, wanted)
    return reorder.whole(reorder.need(enough, 0.0))
