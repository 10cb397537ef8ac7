"""The calibration of the safety stock, and how long stocks last."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from bentos.demand import evaluate, reorder, safety
from bentos.demand.panel import Rows
from bentos.demand.parameters import SIMULATED
from bentos.demand.reorder import KNOTS, LEVELS
from bentos.demand.spec import CATEGORIES

LAST_WEEKS = 80


@pytest.fixture
def split(learnt: Rows) -> evaluate.Split:
    """The last test."""
    return evaluate.splits(learnt.week, SIMULATED)[-1]


def level_of(rows: Rows, chosen: safety.Mask) -> safety.Values:
    """A simple forecast of the chosen rows, with an interval that is far too narrow."""
    return np.column_stack([rows.mean_13, 0.9 * rows.mean_13, 1.1 * rows.mean_13])[chosen]


def nothing_sold_out(rows: Rows) -> Rows:
    """The rows of a shop that could always deliver."""
    return replace(rows, units=rows.demand, sold_out=np.zeros(len(rows.units), dtype=np.bool_))


def test_quantiles_of_values_that_are_all_known_are_their_ranks() -> None:
    values = np.random.default_rng(3).permutation(np.arange(1.0, 1001))
    known = np.zeros(1000, dtype=np.bool_)
    assert safety.quantiles(values, known) == (500, 800, 900, 950, 975, 990)


def test_quantiles_of_censored_values_are_those_of_the_true_ones() -> None:
    rng = np.random.default_rng(4)
    true, seen_up_to = rng.exponential(1, 40_000), rng.exponential(2, 40_000)
    found = safety.quantiles(np.minimum(true, seen_up_to), seen_up_to < true)
    assert found == pytest.approx([-np.log(1 - level) for level in LEVELS], rel=0.06)
    cut = np.quantile(np.minimum(true, seen_up_to), LEVELS)
    assert found[-1] > 1.3 * cut[-1]


def test_shares_that_censored_values_do_not_reach_are_left_out() -> None:
    values = np.arange(1.0, 101)
    assert len(safety.quantiles(values, values > 85)) == 2
    assert safety.quantiles(values, values > 0) == ()
    assert safety.quantiles(np.array([]), np.array([], dtype=np.bool_)) == ()


def test_multipliers_go_on_as_a_line_where_the_largest_errors_are_unknown(
    learnt: Rows, split: evaluate.Split
) -> None:
    predicted = level_of(learnt, split.calibration)
    much = np.where(split.calibration, learnt.units > np.quantile(learnt.units, 0.8), False)
    cut = replace(learnt, sold_out=learnt.sold_out | much)
    for knots in safety.calibrate(cut, split.calibration, predicted):
        assert len(knots) == len(LEVELS)
        assert all(a < b for a, b in pairwise(knots))


def test_a_category_without_known_errors_has_the_textbooks_multipliers(
    learnt: Rows, split: evaluate.Split
) -> None:
    one = [{**item, "category": CATEGORIES[1]} for item in learnt.items]
    found = safety.calibrate(
        replace(learnt, items=one), split.calibration, level_of(learnt, split.calibration)
    )
    assert found[0] == found[2] == KNOTS
    assert found[1] != KNOTS


def test_nothing_before_or_after_the_calibration_weeks_changes_the_multipliers(
    learnt: Rows, split: evaluate.Split
) -> None:
    predicted = level_of(learnt, split.calibration)
    other = replace(
        learnt,
        units=np.where(split.calibration, learnt.units, 7777.0),
        demand=np.full(len(learnt.demand), 7777.0),
        sold_out=np.where(split.calibration, learnt.sold_out, True),
    )
    assert safety.calibrate(other, split.calibration, predicted) == safety.calibrate(
        learnt, split.calibration, predicted
    )


def test_stock_lasts_as_often_as_wanted_in_the_weeks_that_it_was_calibrated_on(
    learnt: Rows,
) -> None:
    """Of a forecast that is wrong and an interval that is too narrow; the textbook's runs out."""
    rows = nothing_sold_out(learnt)
    known = learnt.week > LAST_WEEKS
    predicted = level_of(rows, known)
    found = safety.served(rows, known, predicted, safety.calibrate(rows, known, predicted))
    textbook = safety.served(rows, known, predicted, (KNOTS,) * len(CATEGORIES))
    for cell in found:
        assert cell["reached"] == pytest.approx(cell["wanted"], abs=0.04)
    assert max(abs(cell["reached"] - cell["wanted"]) for cell in textbook) > 0.05


def test_served_counts_the_lead_time_and_the_week_after_it(
    learnt: Rows, split: evaluate.Split
) -> None:
    predicted = level_of(learnt, split.test)
    multipliers = ((0.0,) * len(LEVELS),) * len(CATEGORIES)
    cell = safety.served(learnt, split.test, predicted, multipliers)[0]
    assert (cell["lead_time_weeks"], cell["wanted"]) == (1, 0.8)
    first = np.flatnonzero(split.test & (learnt.week < learnt.week.max()))
    asked = learnt.demand[first] + learnt.demand[first + 1]
    means = reorder.week(*predicted[learnt.week[split.test] < learnt.week.max()].T)[0]
    stock = np.maximum(0, np.ceil(2 * means - 1e-3))
    assert cell["reached"] == pytest.approx((asked <= stock).mean())
    assert cell["stock_per_unit_asked"] == pytest.approx(stock.sum() / asked.sum())


def test_the_summary_has_means_ends_and_the_largest_distance() -> None:
    def cell(reached: float) -> dict[str, float]:
        return {
            "lead_time_weeks": 1,
            "wanted": 0.9,
            "reached": reached,
            "stock_per_unit_asked": 2.0,
        }

    found = safety.summary([[cell(0.82)], [cell(0.94)]])
    assert found["service_level_nearness"] == pytest.approx(0.92)
    (over,) = found["reorder_service"]
    assert over == pytest.approx(
        {
            "lead_time_weeks": 1,
            "wanted": 0.9,
            "reached": 0.88,
            "stock_per_unit_asked": 2.0,
            "lowest": 0.82,
            "highest": 0.94,
        }
    )
