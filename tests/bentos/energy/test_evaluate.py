"""The folds, the measures, and what the card says of them."""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from bentos.energy import evaluate
from bentos.energy.data import Table

DAYS = [datetime(2017, 1, 1) + timedelta(days=day) for day in range(364)]


def test_every_row_is_measured_in_exactly_one_fold(simulated: Table) -> None:
    splits = evaluate.folds(simulated.times)
    tests = np.sum([split.test for split in splits], axis=0)
    assert len(splits) == 5
    assert (tests == 1).all()


def test_no_row_is_trained_on_and_measured() -> None:
    for split in (*evaluate.folds(DAYS), evaluate.last_fifth(len(DAYS))):
        assert (split.train ^ split.test).all()


def test_a_fold_is_every_fifth_whole_week() -> None:
    first = evaluate.folds(DAYS)[0].test.reshape(52, 7)
    assert (first.all(axis=1) | ~first.any(axis=1)).all()
    assert np.flatnonzero(first.all(axis=1)).tolist() == list(range(0, 52, 5))


def test_the_last_fifth_is_the_end_of_the_year() -> None:
    split = evaluate.last_fifth(100)
    assert np.flatnonzero(split.test).tolist() == list(range(80, 100))


def test_last_week_is_the_same_time_seven_days_before() -> None:
    power = np.arange(len(DAYS) * 3, dtype=float).reshape(-1, 3)
    before = evaluate.last_week(DAYS, power)
    assert np.isnan(before[:7]).all()
    assert np.array_equal(before[7:], power[:-7])


def test_last_week_is_unknown_across_a_gap() -> None:
    power = np.ones((3, 3))
    before = evaluate.last_week([DAYS[0], DAYS[8], DAYS[15]], power)
    assert np.isnan(before[:, 0]).tolist() == [True, True, False]


def test_the_measures_are_what_their_names_say() -> None:
    found = evaluate.measure(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 2.0]))
    assert found.r2 == pytest.approx(1 - 5 / (42 / 9))
    assert found.rmse_kw == pytest.approx((5 / 3) ** 0.5)
    assert found.mae_kw == pytest.approx(1.0)
    assert found.mape == pytest.approx((0 + 0.5 + 0.5) / 3)


def test_the_comparison_uses_the_rows_that_have_a_last_week() -> None:
    truth = np.array([9.0, 1.0, 2.0, 3.0])
    cell = evaluate.compare("fold 1", 1, truth, truth + 0.1, np.array([np.nan, 1.2, 2.2, 3.2]))
    assert (cell["zone"], cell["rows"], cell["rows_compared"]) == ("zone_2_kw", 4, 3)
    assert cell["model_compared"]["mae_kw"] == pytest.approx(0.1)
    assert cell["last_week"]["mae_kw"] == pytest.approx(0.2)
    assert cell["win"]


def test_a_tie_with_last_week_is_no_win() -> None:
    truth = np.array([1.0, 2.0, 3.0])
    assert not evaluate.compare("fold 1", 0, truth, truth + 1, truth + 1)["win"]


def cell(zone: str, ours: float, theirs: float) -> dict[str, Any]:
    """A cell as `compare` makes it, as far as the summary reads it."""
    return {
        "zone": zone,
        "model": {"r2": ours},
        "model_compared": {"r2": ours},
        "last_week": {"r2": theirs},
        "win": ours > theirs,
    }


def test_the_summary_has_the_means_and_counts_that_the_bars_ask_for() -> None:
    zones = ("zone_1_kw", "zone_2_kw", "zone_3_kw")
    cells = [cell(zone, r2, 0.9) for r2 in (0.8, 1.0) for zone in zones]
    summary = evaluate.summary(cells, [])
    assert summary["r2_zone_1_mean"] == pytest.approx(0.9)
    assert summary["wins_over_last_week"] == 3
    assert summary["r2_compared_mean"] == summary["r2_last_week_mean"] == pytest.approx(0.9)
    assert len(summary["folds"]) == 6


def test_the_card_says_plainly_where_last_week_wins() -> None:
    late = [cell("zone_1_kw", 0.5, 0.94), cell("zone_2_kw", 0.9, 0.8)]
    (sentence,) = evaluate.limits(late)
    assert "loses to 'same time last week' (zone_1_kw R² 0.50 against 0.94)" in sentence
    assert "zone_2_kw" not in sentence


def test_the_card_claims_no_loss_where_there_is_none() -> None:
    assert evaluate.limits([cell("zone_1_kw", 0.95, 0.94)]) == ()
