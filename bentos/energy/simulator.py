"""Makes up a year that looks like Tetouan's, for places without the data and without a network.

It is calibrated on averages of the real data, so that the software can be built and tried. What a
model scores on it says nothing about the real city.
"""

import io
from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_START = datetime(2017, 1, 1)
_STEPS_PER_DAY = 144
_DAYS = 364
SEED = 849
_LATITUDE = np.radians(35.6)
_NOON_H = 13.2

# Averages of UCI data set 849: by month from January, by hour from 0, by weekday from Monday.
_TEMPERATURE_C = (12.7, 12.6, 14.6, 16.4, 20.3, 22.1, 27.2, 25.7, 22.6, 20.5, 16.8, 13.3)
_HUMIDITY = (68.3, 66.6, 71.1, 75.2, 68.7, 68.6, 57.5, 66.1, 66.9, 71.4, 69.6, 69.2)
_WINDY_SHARE = (0.13, 0.21, 0.19, 0.03, 0.46, 0.31, 0.94, 0.92, 0.57, 0.56, 0.25, 0.04)
_POWER_KW = (
    (31032, 30985, 31155, 31169, 32396, 34605, 35831, 36435, 33396, 32827, 29002, 29024),
    (19394, 18787, 18457, 17634, 19977, 20670, 24147, 24656, 20180, 21469, 23240, 23681),
    (17746, 17335, 16947, 18593, 17621, 20430, 28194, 24648, 14922, 13264, 12862, 11044),
)
# fmt: off
_BY_HOUR = (
    (0.934, 0.852, 0.813, 0.783, 0.762, 0.725, 0.717, 0.743, 0.822, 0.919, 1.007, 1.066,
     1.084, 1.086, 1.071, 1.048, 1.032, 1.080, 1.201, 1.323, 1.355, 1.305, 1.208, 1.064),
    (0.936, 0.844, 0.795, 0.763, 0.743, 0.712, 0.710, 0.747, 0.833, 0.933, 1.015, 1.067,
     1.087, 1.091, 1.086, 1.070, 1.046, 1.095, 1.209, 1.318, 1.340, 1.294, 1.202, 1.067),
    (1.046, 0.952, 0.896, 0.854, 0.823, 0.742, 0.676, 0.654, 0.717, 0.812, 0.891, 0.950,
     0.990, 1.003, 0.990, 0.974, 0.970, 1.056, 1.225, 1.409, 1.459, 1.412, 1.319, 1.179),
)
# fmt: on
_BY_WEEKDAY = (
    (1.008, 1.011, 1.016, 1.015, 1.000, 0.997, 0.952),
    (1.011, 1.023, 1.028, 1.038, 1.020, 0.978, 0.902),
    (0.999, 1.000, 1.001, 1.000, 0.984, 1.010, 1.007),
)
# Standard deviation of what the averages leave over, as a share of the power, and how much of it
# a degree away from the month's temperature explains.
_REST_SHARE = (0.042, 0.052, 0.055)
_PER_DEGREE = (0.006, 0.007, 0.008)


def make_csv(header: Sequence[str]) -> bytes:
    """A year of rows every 10 minutes, as CSV in the form of the real file; always the same."""
    rng = np.random.default_rng(SEED)
    times = [_START + timedelta(minutes=10) * i for i in range(_DAYS * _STEPS_PER_DAY)]
    hour = np.arange(len(times)) % _STEPS_PER_DAY / 6
    day = np.arange(len(times)) / _STEPS_PER_DAY
    warmer = _drift(rng, len(times), 2.3)
    temperature = _by_month(_TEMPERATURE_C, day) + _daily_swing(hour, 2.9) + warmer
    general, diffuse = _sunlight(rng, hour, day)
    weather = (
        np.clip(temperature, 3.2, 40.0),
        np.clip(_humidity(rng, hour, day, warmer), 11.3, 94.8),
        _wind(rng, day),
        general,
        diffuse,
    )
    weekday = np.array([time.weekday() for time in times])
    power = [_power(rng, zone, hour, day, weekday, warmer) for zone in range(len(_POWER_KW))]
    return _as_csv(header, times, [*weather, *power])


def _power(
    rng: np.random.Generator, zone: int, hour: Values, day: Values, weekday: Values, warmer: Values
) -> Values:
    daily = np.interp(hour, np.arange(25) + 0.5, (*_BY_HOUR[zone], _BY_HOUR[zone][0]), period=24)
    weekly = np.array(_BY_WEEKDAY[zone])[weekday.astype(int)]
    summer = np.sin(np.pi * np.clip((day - 100) / 200, 0, 1))  # heat costs power in summer only
    rest = _drift(rng, len(day), _REST_SHARE[zone], hold_days=0.05)
    factor = daily * weekly * (1 + _PER_DEGREE[zone] * warmer * summer + rest)
    return np.asarray(_by_month(_POWER_KW[zone], day) * factor)


def _humidity(rng: np.random.Generator, hour: Values, day: Values, warmer: Values) -> Values:
    rest = _drift(rng, len(day), 11.0)
    return np.asarray(_by_month(_HUMIDITY, day) - _daily_swing(hour, 9.8) - 2.6 * warmer + rest)


def _wind(rng: np.random.Generator, day: Values) -> Values:
    """Calm or windy for days on end, as the real anemometer shows it: about 0.08 or 4.9 m/s."""
    score = _drift(rng, len(day), 1.0, hold_days=3.0)
    shares = _by_month(_WINDY_SHARE, day)
    ranks = score.argsort().argsort() / len(score)
    windy = ranks > 1 - shares
    calm = 0.08 + np.abs(rng.normal(0, 0.01, len(day)))
    return np.where(windy, rng.normal(4.91, 0.05, len(day)), calm)


def _sunlight(rng: np.random.Generator, hour: Values, day: Values) -> tuple[Values, Values]:
    """General and diffuse radiation from the sun's height and a drifting cloud cover."""
    declination = np.radians(-23.44) * np.cos(2 * np.pi * (day + 10) / 365)
    angle = np.radians(15 * (hour - _NOON_H))
    height = np.sin(_LATITUDE) * np.sin(declination)
    height = height + np.cos(_LATITUDE) * np.cos(declination) * np.cos(angle)
    clear = 950 * np.clip(height, 0, None) ** 1.15
    cloud = np.clip(0.25 + _drift(rng, len(day), 0.3, hold_days=0.3), 0, 1)
    general = clear * (1 - 0.75 * cloud) + 0.05
    return general, general * np.clip(0.25 + 0.5 * cloud, 0, 1) + 0.06


def _by_month(averages: Sequence[float], day: Values) -> Values:
    """Averages by month as a smooth line through the months' middles."""
    middles = (np.arange(12) + 0.5) * 365 / 12
    return np.asarray(np.interp(day, middles, averages, period=365))


def _daily_swing(hour: Values, size: float) -> Values:
    return np.asarray(size * np.cos(2 * np.pi * (hour - 14.5) / 24))


def _drift(rng: np.random.Generator, count: int, spread: float, hold_days: float = 1.5) -> Values:
    """Noise that forgets itself after about `hold_days`, with a standard deviation of `spread`."""
    knots = rng.normal(0.0, 1.0, int(_DAYS / hold_days) + 3)
    at = np.arange(count) / _STEPS_PER_DAY / hold_days
    line = np.interp(at, np.arange(len(knots)), knots)
    return np.asarray(spread * line / line.std())


def _as_csv(header: Sequence[str], times: Sequence[datetime], columns: Sequence[Values]) -> bytes:
    text = io.StringIO()
    text.write(",".join(header) + "\n")
    stamps = [f"{time.month}/{time.day}/{time.year} {time.hour}:{time:%M}" for time in times]
    for stamp, *values in zip(stamps, *(column.tolist() for column in columns), strict=True):
        text.write(f"{stamp},{','.join(f'{value:.3f}' for value in values)}\n")
    return text.getvalue().encode()
