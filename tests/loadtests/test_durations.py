"""Percentiles out of a histogram's buckets."""

import math

import pytest

from loadtests.durations import NONE, Durations, together

INF = math.inf
SOME = Durations({0.1: 50, 0.2: 90, 0.5: 100, INF: 100})


@pytest.mark.parametrize(
    ("share", "seconds"),
    [(0.25, 0.05), (0.5, 0.1), (0.7, 0.15), (0.9, 0.2), (0.95, 0.35), (1, 0.5)],
)
def test_a_percentile_is_interpolated_within_its_bucket(share: float, seconds: float) -> None:
    assert SOME.percentile_s(share) == pytest.approx(seconds)


def test_beyond_the_last_bound_nothing_is_known() -> None:
    assert Durations({0.1: 90, INF: 100}).percentile_s(0.95) == INF
    assert Durations({INF: 100}).percentile_s(0.5) == INF


def test_nothing_has_no_percentile() -> None:
    assert math.isnan(NONE.percentile_s(0.95))
    assert math.isnan(Durations({0.1: 0, INF: 0}).percentile_s(0.95))
    assert all(map(math.isnan, NONE.bounds_s(0.95)))


def test_the_true_percentile_lies_between_its_bounds() -> None:
    """By ranks 0.95 +- 2.576 * sqrt(0.95 * 0.05 / n)."""
    even = Durations({i / 1000: 10 * i for i in range(1, 101)} | {INF: 1000})
    lower, upper = even.bounds_s(0.95)
    assert lower == pytest.approx(0.0950 - 0.00178, abs=1e-4)
    assert upper == pytest.approx(0.0950 + 0.00178, abs=1e-4)


def test_too_few_requests_have_no_upper_bound() -> None:
    few = Durations({0.1: 100, INF: 100})
    assert few.bounds_s(0.95)[1] == INF
    assert few.bounds_s(0.95)[0] < 0.1


def test_what_came_since_is_the_difference() -> None:
    later = Durations({0.1: 60, 0.2: 120, 0.5: 140, INF: 150})
    assert later.since(SOME) == Durations({0.1: 10, 0.2: 30, 0.5: 40, INF: 50})
    assert later.since(NONE) == later
    assert later.since(SOME).is_whole


def test_a_counter_that_went_backwards_is_not_whole() -> None:
    assert not SOME.since(Durations({0.1: 51, 0.2: 90, 0.5: 100, INF: 100})).is_whole
    assert not NONE.since(SOME).is_whole
    assert not Durations({0.1: 5, INF: 4}).is_whole


def test_replicas_with_other_buckets_are_joined_by_the_bounds_that_they_share() -> None:
    finer = Durations({0.05: 20, 0.1: 50, 0.5: 100, INF: 100})
    assert SOME.beside(finer) == Durations({0.1: 100, 0.5: 200, INF: 200})
    assert together([SOME, finer, NONE]).count == 200


def test_fewer_bounds_keep_the_counts() -> None:
    assert SOME.by([0.1, INF]) == Durations({0.1: 50, INF: 100})
    assert SOME.last_bound_s == 0.5
    assert math.isnan(NONE.last_bound_s)
