"""Turns rows into the demand graph's input and its output into answers.

The same code in training and service.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bentos.demand.spec import CATEGORIES, CITIES, PROMOTIONS, SIZES

HOLIDAYS: Final = (
    "new_year",
    "valentines",
    "easter",
    "mothers_day",
    "memorial_day",
    "independence_day",
    "labor_day",
    "halloween",
    "thanksgiving",
    "christmas",
)
"""Of the United States, those that fill shops, in the year's order."""

LEARNED: Final = (
    *(f"city_{city.lower().replace(' ', '_')}" for city in CITIES),
    "store_size",
    *(f"category_{category}" for category in CATEGORIES),
    "week",
    "week_sin",
    "week_cos",
    "holiday",
    "holiday_next_week",
    "holiday_last_week",
    "log_price_ratio",
    "log_price",
    "promotion",
    "promotion_last_week",
    "expected_temperature_c",
    "log_level",
    "last_week_ratio",
    "mean_4_ratio",
    "mean_13_ratio",
    "last_year_ratio",
)
"""What the boosters see. Sales are told as ratios to `level`, so that a tree serves all sizes."""

GIVEN: Final = ("level", "stock", "lead_weeks", "z")
"""What only the formulas of the graph see."""

NAMES: Final = (*LEARNED, *GIVEN)

LEAST_LEVEL: Final = 0.25
"""Units a week, where nothing was sold lately."""

ROUNDING: Final = 1e-3
"""Less than so much of a unit is the float's doing, and no reason to order one more."""

_LAGS = (
    *("units_last_week", "units_mean_4_weeks", "units_mean_13_weeks"),
    "units_same_week_last_year",
)
_DAYS_PER_WEEK = 7
_WEEK = timedelta(days=_DAYS_PER_WEEK)
_MONDAY, _THURSDAY, _SUNDAY = 0, 3, 6
_NORMAL = NormalDist()
_DECIMALS = 2


def encode(items: Sequence[Mapping[str, Any]]) -> NDArray[np.float32]:
    """The graph's input, one row per item in the order of `NAMES`.

    Args:
        items: the spec's columns; numbers are float, `week_start` is a datetime.
    """
    rows = [_row(item) for item in items]
    return np.array(rows, dtype=np.float32).reshape(len(items), len(NAMES))


def answer(outputs: NDArray[np.float32]) -> list[dict[str, object]]:
    """One answer per row of the graph's (n, 4) output; the reorder becomes whole units, upwards."""
    return [
        {
            "forecast_units": round(forecast, _DECIMALS),
            "low_units": round(low, _DECIMALS),
            "high_units": round(high, _DECIMALS),
            "reorder_units": max(0, math.ceil(reorder - ROUNDING)),
        }
        for forecast, low, high, reorder in outputs.tolist()
    ]


def monday(moment: datetime | date) -> date:
    """The first day of the week that a day or moment lies in."""
    day = moment.date() if isinstance(moment, datetime) else moment
    return day - timedelta(days=day.weekday())


@lru_cache(maxsize=4096)
def holiday(week: date) -> int:
    """The number from 1 in `HOLIDAYS` of the one in a week that begins on this Monday, or 0."""
    for year in {week.year, (week + timedelta(days=6)).year}:
        for number, day in enumerate(_holidays(year), 1):
            if week <= day < week + _WEEK:
                return number
    return 0


def _row(item: Mapping[str, Any]) -> tuple[float, ...]:
    level = max((item["units_mean_4_weeks"] + item["units_mean_13_weeks"]) / 2, LEAST_LEVEL)
    return (
        *(float(item["city"] == city) for city in CITIES),
        float(SIZES.index(item["store_size"])),
        *(float(item["category"] == category) for category in CATEGORIES),
        *_week(monday(item["week_start"])),
        math.log(item["price_usd"] / item["usual_price_usd"]),
        math.log(item["usual_price_usd"]),
        float(PROMOTIONS.index(item["promotion"])),
        float(PROMOTIONS.index(item["promotion_last_week"])),
        item["expected_temperature_c"],
        math.log(level),
        *(item[name] / level for name in _LAGS),
        level,
        item["stock_on_hand"],
        item["lead_time_days"] / _DAYS_PER_WEEK,
        _NORMAL.inv_cdf(item["service_level"]),
    )


@lru_cache(maxsize=4096)
def _week(week: date) -> tuple[float, ...]:
    number = week.timetuple().tm_yday / _DAYS_PER_WEEK
    angle = 2 * math.pi * week.timetuple().tm_yday / 365.25
    near = (holiday(week), holiday(week + _WEEK), holiday(week - _WEEK))
    return number, math.sin(angle), math.cos(angle), *map(float, near)


@lru_cache(maxsize=64)
def _holidays(year: int) -> tuple[date, ...]:
    """The days of `HOLIDAYS`."""
    return (
        date(year, 1, 1),
        date(year, 2, 14),
        _easter(year),
        _nth(2, _SUNDAY, year, 5),
        _nth(1, _MONDAY, year, 6) - _WEEK,  # May's last Monday
        date(year, 7, 4),
        _nth(1, _MONDAY, year, 9),
        date(year, 10, 31),
        _nth(4, _THURSDAY, year, 11),
        date(year, 12, 25),
    )


def _nth(count: int, weekday: int, year: int, month: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (count - 1))


def _easter(year: int) -> date:
    """Easter Sunday by Gauss's rule, right from 1900 to 2099."""
    moon = (19 * (year % 19) + 24) % 30
    moon -= moon == 29 or (moon == 28 and year % 19 > 10)
    sunday = (2 * (year % 4) + 4 * (year % 7) + 6 * moon + 5) % 7
    return date(year, 3, 22) + timedelta(days=moon + sunday)
