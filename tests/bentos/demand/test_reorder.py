"""The reorder formula in plain Python, by hand-made examples."""

import math
from statistics import NormalDist

import numpy as np
import pytest

from bentos.demand import reorder
from bentos.demand.reorder import KNOTS, LEVELS

STEEP = (-0.5, 0.6, 1.2, 2.0, 3.0, 5.0)


def order(
    stock: float,
    *,
    lead_time_days: float = 7,
    service_level: float = 0.95,
    knots: tuple[float, ...] = KNOTS,
) -> int:
    """For a week of 20 units, 10 to 30."""
    enough = reorder.order_up_to((20, 10, 30), knots, lead_time_days, service_level)
    return reorder.whole(reorder.need(enough, stock))


def test_an_order_lasts_the_lead_time_and_a_week_at_the_wanted_service() -> None:
    sigma = math.sqrt((20 / (2 * 1.2815515655)) ** 2 + 20)
    enough = 2 * (20 + 1.6448536270 * sigma)
    assert reorder.order_up_to((20, 10, 30), KNOTS, 7, 0.95) == pytest.approx(enough)
    assert order(0) == math.ceil(enough) == 70


def test_stock_is_taken_off_and_never_sent_back() -> None:
    assert order(69) == 1
    assert order(70) == 0
    assert order(1000) == 0


def test_half_the_service_of_even_errors_needs_no_safety_stock() -> None:
    assert order(0, service_level=0.5) == 40
    assert order(0, service_level=0.5, lead_time_days=0) == 20


@pytest.mark.parametrize("knots", [KNOTS, STEEP], ids=["textbook", "steep"])
def test_longer_lead_times_and_more_service_need_more(knots: tuple[float, ...]) -> None:
    by_lead = [order(0, lead_time_days=days, knots=knots) for days in (0, 3.5, 7, 28, 120)]
    levels = np.linspace(0.5, 0.999, 200).tolist()
    by_service = [reorder.order_up_to((20, 10, 30), knots, 7, level) for level in levels]
    assert by_lead == sorted(set(by_lead))
    assert by_service == sorted(set(by_service))


def test_the_multiplier_is_calibrated_at_the_levels_and_a_line_over_z_between_and_beyond() -> None:
    z = NormalDist()
    assert [reorder.multiplier(STEEP, level) for level in LEVELS] == pytest.approx(STEEP)
    between = z.cdf((KNOTS[1] + KNOTS[2]) / 2)
    assert reorder.multiplier(STEEP, between) == pytest.approx(0.9)
    slope = (5 - 3) / (KNOTS[5] - KNOTS[4])
    beyond = 5 + slope * (z.inv_cdf(0.999) - KNOTS[5])
    assert reorder.multiplier(STEEP, 0.999) == pytest.approx(beyond)
    assert reorder.multiplier(STEEP[:3], LEVELS[4]) == pytest.approx(
        1.2 + 0.6 / (KNOTS[2] - KNOTS[1]) * (KNOTS[4] - KNOTS[2])
    )


def test_the_textbooks_multiplier_is_z() -> None:
    for level in (0.5, 0.77, 0.98, 0.999):
        assert reorder.multiplier(KNOTS, level) == pytest.approx(NormalDist().inv_cdf(level))


def test_a_slow_product_whose_median_is_nothing_is_ordered_all_the_same() -> None:
    enough = reorder.order_up_to((0, 0, 2), KNOTS, 7, 0.5)
    assert enough == pytest.approx(0.3 * 2 * 2)
    assert reorder.whole(enough) == 2


def test_an_interval_as_narrow_as_nothing_needs_safety_stock_too() -> None:
    mean, sigma = reorder.week(4.0, 4.0, 4.0)
    assert (mean, sigma) == (pytest.approx(4), pytest.approx(2))


def test_a_product_that_nobody_wants_is_not_ordered() -> None:
    enough = reorder.order_up_to((0, 0, 0), STEEP, 60, 0.999)
    assert reorder.whole(reorder.need(enough, 0)) == 0
