"""Turns rows into the energy graph's input and its output into answers.

The same code in training and service.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone

import numpy as np
from numpy.typing import NDArray

from bentos.energy.spec import ZONES

# The data has no gap or repeat at a clock change, and its sunlight is centred on 13:20: UTC+1.
CLOCK = timezone(timedelta(hours=1))

WEATHER = (
    "temperature_c",
    "humidity_percent",
    "wind_speed_m_s",
    "general_diffuse_flows_w_m2",
    "diffuse_flows_w_m2",
)
# The day stays a plain number: its sine and cosine score .005 better on held-out weeks and fail
# on months that training did not see (R² of zone 3 on the last fifth of the year: -1.6).
NAMES = (*WEATHER, "minute_of_day", "minute_sin", "minute_cos", "weekday", "day_of_year")

MINUTES_PER_DAY = 1440
_DECIMALS = 2


def encode(items: Sequence[Mapping[str, object]]) -> NDArray[np.float32]:
    """The graph's input, one row per item in the order of `NAMES`.

    Args:
        items: the spec's columns; numbers are float, `timestamp` is a datetime.
    """
    rows = [(*(item[name] for name in WEATHER), *_moment(item["timestamp"])) for item in items]
    return np.array(rows, dtype=np.float32).reshape(len(items), len(NAMES))


def answer(outputs: NDArray[np.float32]) -> list[dict[str, object]]:
    """One answer per row of the graph's (n, 3) output, in kW."""
    return [
        {zone: round(value, _DECIMALS) for zone, value in zip(ZONES, row, strict=True)}
        for row in outputs.tolist()
    ]


def _moment(given: object) -> tuple[float, float, float, float, float]:
    if not isinstance(given, datetime):
        raise TypeError(f"timestamp: should be a datetime (got {type(given).__name__})")
    moment = given if given.tzinfo is None else given.astimezone(CLOCK)
    minute = moment.hour * 60 + moment.minute + moment.second / 60
    angle = 2 * math.pi * minute / MINUTES_PER_DAY
    day = moment.timetuple().tm_yday + minute / MINUTES_PER_DAY
    return minute, math.sin(angle), math.cos(angle), float(moment.weekday()), day
