"""Cuts in time, the conformal shift, and the measures."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bentos.demand import evaluate
from bentos.demand.panel import Panel, Rows
from bentos.demand.parameters import Windows

WINDOWS = Windows(test_weeks=3, calibration_weeks=2, folds=2)
WEEK = np.tile(np.arange(10, 20), 2)


def weeks(mask: Any) -> list[int]:
    """The weeks that a mask chooses."""
    return sorted(set(WEEK[mask].tolist()))


def test_training_ends_before_calibration_and_calibration_before_the_test() -> None:
    older, last = evaluate.splits(WEEK, WINDOWS)
    assert weeks(older.train) == [10, 11]
    assert weeks(older.calibration) == [12, 13]
    assert weeks(older.test) == [14, 15, 16]
    assert weeks(last.train) == [10, 11, 12, 13, 14]
    assert weeks(last.calibration) == [15, 16]
    assert weeks(last.test) == [17, 18, 19]
    assert (older.name, last.name) == ("weeks 14 to 16", "weeks 17 to 19")


def test_what_is_published_calibrates_on_the_newest_weeks() -> None:
    split = evaluate.to_publish(WEEK, WINDOWS)
    assert weeks(split.calibration) == [18, 19]
    assert weeks(split.train) == list(range(10, 18))
    assert not split.test.any()


@pytest.mark.parametrize(("count", "rank"), [(1, 1), (4, 4), (9, 8), (99, 80), (1000, 801)])
def test_the_conformal_shift_is_the_rank_that_the_paper_names(count: int, rank: int) -> None:
    missed = np.random.default_rng(1).permutation(np.arange(1, count + 1)).astype(float)
    assert evaluate.conformal_shift(missed, 0.8) == rank


def test_a_shifted_interval_covers_new_values_of_the_same_kind() -> None:
    rng = np.random.default_rng(5)
    known, new = rng.normal(0, 1, 4000), rng.normal(0, 1, 4000)
    shift = evaluate.conformal_shift(np.maximum(-0.3 - known, known - 0.1), 0.8)
    found = evaluate.interval(new, np.full(4000, -0.3 - shift), np.full(4000, 0.1 + shift))
    assert found["coverage"] == pytest.approx(0.8, abs=0.02)
    assert found["coverage"] + found["below"] + found["above"] == pytest.approx(1)


def test_too_wide_an_interval_shrinks_and_an_unknown_one_stays() -> None:
    assert evaluate.conformal_shift(np.full(100, -2.0), 0.8) == -2.0
    assert evaluate.conformal_shift(np.array([]), 0.8) == 0.0


def test_errors_are_shares_of_what_was_asked_for() -> None:
    found = evaluate.accuracy(np.array([10.0, 0.0, 30.0]), np.array([12.0, 1.0, 25.0]))
    assert found == pytest.approx({"mae": 8 / 3, "wape": 8 / 40, "bias": -2 / 40})


def test_the_baselines_are_the_lags_of_the_row(learnt: Rows) -> None:
    split = evaluate.splits(learnt.week, WINDOWS)[-1]
    truth = learnt.demand[split.test]
    cell = evaluate.compare(learnt, split, np.column_stack([truth] * 3))
    assert cell["model"]["mae"] == 0
    assert cell["interval"]["coverage"] == 1
    assert cell["naive"] == evaluate.accuracy(truth, learnt.last_week[split.test])
    assert cell["mean_4_weeks"] == evaluate.accuracy(truth, learnt.mean_4[split.test])
    assert cell["seasonal_naive"] == evaluate.accuracy(truth, learnt.year_ago[split.test])
    assert 0 < cell["true_mean"]["wape"] < cell["mean_4_weeks"]["wape"]
    unknown = replace(learnt, mean=np.full(len(learnt.mean), np.nan))
    assert "true_mean" not in evaluate.compare(unknown, split, np.column_stack([truth] * 3))


def test_every_row_is_in_one_store_one_category_and_one_volume(few: Panel, learnt: Rows) -> None:
    split = evaluate.splits(learnt.week, WINDOWS)[-1]
    truth = learnt.demand[split.test]
    groups = evaluate.by_group(few, learnt, split, np.column_stack([truth + 1, truth, truth]))
    assert set(groups) == {"stores", "categories", "volumes"}
    for cells in groups.values():
        assert sum(cell["rows"] for cell in cells) == len(truth)
        assert all(cell["mae"] == 1 and cell["coverage"] == 1 for cell in cells)
    assert len(groups["stores"]) == len({one.store for one in few.series})


def test_the_summary_has_means_and_counts_wins() -> None:
    def cell(model: float, others: float, coverage: float) -> dict[str, Any]:
        measures = {"mae": others, "wape": others / 10, "bias": 0.0}
        return {
            "model": {"mae": model, "wape": model / 10, "bias": 0.0},
            **dict.fromkeys(evaluate.BASELINES, measures),
            "interval": {"coverage": coverage},
        }

    found = evaluate.summary([cell(1, 2, 0.7), cell(3, 2, 0.85)], 0.8)
    assert found["wins_over_baselines"] == 3
    assert found["wape"] == pytest.approx(0.2)
    assert found["gain_over_mean_4_weeks"] == pytest.approx(0)
    assert found["coverage"] == pytest.approx(0.775)
    assert found["coverage_nearness"] == pytest.approx(0.9)


def test_the_limits_tell_which_service_levels_were_reached_and_what_the_highest_costs() -> None:
    cells = [
        {
            "lead_time_weeks": lead,
            "wanted": wanted,
            "reached": wanted - lead / 100,
            "stock_per_unit_asked": 2.5,
        }
        for lead in (1, 2)
        for wanted in (0.8, 0.99)
    ]
    found = {"reorder_service": cells, "service_level_nearness": 0.98}
    unmeasured, service = evaluate.limits(found, None, small=True)
    assert unmeasured == "Not measured on real sales: this is the small variant."
    assert service == (
        "How often the reorder's stock lasted in the tests: with lead times of 1/2 weeks "
        "79.0%/78.0% for 80%, 98.0%/97.0% for 99% wanted (means of the tests; none lay more than "
        "2.0 points off), and 99% with a week's lead time took 2.5 units of stock for each that "
        "was asked for. Service levels above 99 % were not measured."
    )
