"""How much to order: the formula that the graph computes, in plain Python, for proof and reading.

An order-up-to policy with a review every week (Silver, Pyke & Peterson, Inventory Management and
Production Planning and Scheduling, 3rd ed. 1998, section 7.9: the (R, S) system). What is ordered
now has to last until the next order's delivery, the lead time and one week later:

    weeks = lead_time_days / 7 + 1
    S     = weeks · (mean + k(service level) · sigma)
    order = max(0, S - stock on hand and on order), rounded up

Mean and sigma of a week come from the forecast (a median) and the ends of its 80 % interval:

    mean  = 0.4 · forecast + 0.3 · low + 0.3 · high
    sigma = √(((high - low) / (2 · z(0.9)))² + mean)

The first is Swanson's rule for skewed amounts (Keefer & Bodily, Management Science 29, 1983): half
of the weeks of a slow product sell nothing, and its median would never order any. The second is the
normal distribution's, and the variance of single sales (Poisson's) beside it: the interval of a
slow product may be as narrow as nothing.

The textbook has z(service level) · √weeks for k · weeks. That is right for errors that are normal
and independent; here they are neither, and stock by it lasted too seldom. So k is calibrated on the
errors of whole lead times (safety.py), and errors of weeks in a row count as one that goes on.
"""

import math
from collections.abc import Sequence
from itertools import pairwise
from statistics import NormalDist
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray

from bentos.demand.features import ROUNDING
from bentos.demand.spec import COVERAGE

REVIEW_WEEKS: Final = 1.0

MEAN_WEIGHTS: Final = (0.4, 0.3, 0.3)
"""Of forecast, low and high."""

WIDTH_SIGMAS: Final = 2 * NormalDist().inv_cdf((1 + COVERAGE) / 2)
"""How many standard deviations wide a normal distribution's interval is."""

LEVELS: Final = (0.5, 0.8, 0.9, 0.95, 0.975, 0.99)
"""Service levels that k is calibrated for. Between two it is a straight line over z, and beyond the
last one the line goes on: a calibration window holds too few errors to tell of rarer ones."""

KNOTS: Final = tuple(NormalDist().inv_cdf(level) for level in LEVELS)
"""The levels' z. As a k they are the textbook's."""

_DAYS_PER_WEEK = 7

Amount = TypeVar("Amount", float, NDArray[np.float64])


def week(forecast: Amount, low: Amount, high: Amount) -> tuple[Amount, Amount]:
    """Mean and sigma of one week's units."""
    of_forecast, of_low, of_high = MEAN_WEIGHTS
    mean = of_forecast * forecast + of_low * low + of_high * high
    width = (high - low) / WIDTH_SIGMAS
    return mean, (width * width + mean) ** 0.5


def multiplier(knots: Sequence[float], service_level: float) -> float:
    """k.

    Args:
        knots: k at each of `LEVELS`, or at the first ones, two or more.
        service_level: 0.5 or more.
    """
    z = NormalDist().inv_cdf(service_level)
    lines = list(zip(pairwise(KNOTS), pairwise(knots), strict=False))
    (begin, end), (least, most) = next((line for line in lines if z <= line[0][1]), lines[-1])
    return least + (most - least) * (z - begin) / (end - begin)


def order_up_to(
    predicted: Sequence[float], knots: Sequence[float], lead_time_days: float, service_level: float
) -> float:
    """S, the units that are enough with the wanted chance.

    Args:
        predicted: forecast, low and high.
        knots: as `multiplier` takes them.
    """
    forecast, low, high = predicted
    mean, sigma = week(forecast, low, high)
    weeks = lead_time_days / _DAYS_PER_WEEK + REVIEW_WEEKS
    return weeks * (mean + multiplier(knots, service_level) * sigma)


def need(enough: float, stock_on_hand: float) -> float:
    """What is missing, before it is rounded up: the graph's fourth output."""
    return max(0.0, enough - stock_on_hand)


def whole(missing: float) -> int:
    """Units to order."""
    return max(0, math.ceil(missing - ROUNDING))
