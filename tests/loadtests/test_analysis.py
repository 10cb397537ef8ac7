"""The judgement of a canary: a good window, spoiled in one way each."""

import dataclasses
import math
from typing import Any

import pytest

from loadtests import canary_reasons
from loadtests.analysis import (
    NO_CURE,
    Bound,
    Limits,
    Needs,
    Reading,
    Shift,
    Side,
    Window,
    judge,
)
from loadtests.durations import Durations
from loadtests.reasons import Finding, finding
from loadtests.slo import Slo
from service.contract.metrics import REQUEST_DURATION

LIMITS = Limits(error_ratio_above_live=0.005, p95_ratio=1.5, answer_shift=0.0)
NEEDS = Needs(samples=500, slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20))
BOUNDS = (*REQUEST_DURATION.buckets, math.inf)


def durations(*shares: tuple[float, float], count: int) -> Durations:
    """So many requests, of which each share took so many seconds."""
    taken = [(seconds, round(share * count)) for share, seconds in shares]
    return Durations({b: sum(n for s, n in taken if s <= b) for b in BOUNDS})


def usual(count: int, slower: float = 1.0) -> Durations:
    return durations((0.6, 0.02 * slower), (0.3, 0.04 * slower), (0.1, 0.06 * slower), count=count)


def side(count: int, *, errors: int = 0, slower: float = 1.0, **changes: Any) -> Side:
    half = count // 2
    by_model = {"energy": usual(half, slower), "octagon": usual(count - half, slower)}
    return Side(**{"attempts": count, "errors": errors, "durations": by_model, **changes})


def window(**changes: Any) -> Window:
    good: dict[str, Any] = {
        "duration_s": 60.0,
        "share": 0.05,
        "offered": 500,
        "live": side(9500),
        "candidate": side(500),
        "shifts": (
            Shift(model="energy", compared=24, differ=0, unanswered=0, is_same_version=True),
        ),
        "readings": (Reading(name="orders", value=9, bounds=(at_least(8),)),),
    }
    return Window(**{**good, **changes})


def at_least(limit: float) -> Bound:
    return Bound(is_upper=False, limit=limit)


def at_most(limit: float) -> Bound:
    return Bound(is_upper=True, limit=limit)


def kinds(judged: Any) -> set[str]:
    return {f.kind for f in judged.findings}


def test_a_candidate_as_good_as_live_passes_with_a_row_for_each_check() -> None:
    judged = judge(window(), LIMITS, NEEDS)
    assert judged.outcome == "pass"
    assert judged.findings == ()
    assert [row.name for row in judged.rows] == [
        "error_ratio",
        "p95_ratio",
        "p95_ratio:energy",
        "p95_ratio:octagon",
        "refusals",
        "answer_shift:energy",
        "query:orders",
    ]
    assert all(row.ok for row in judged.rows)


def test_a_faster_candidate_with_fewer_errors_passes() -> None:
    judged = judge(
        window(candidate=side(500, slower=0.3), live=side(9500, errors=300)), LIMITS, NEEDS
    )
    assert judged.outcome == "pass"


# -- what fails ---------------------------------------------------------------------------------

FAILS: dict[str, tuple[str, Window]] = {
    "errors": ("canary_errors", window(candidate=side(500, errors=3))),
    "errors above those of live": (
        "canary_errors",
        window(candidate=side(500, errors=8), live=side(9500, errors=95)),
    ),
    "three times slower": ("canary_p95", window(candidate=side(500, slower=3))),
    "one model is slower": (
        "canary_p95_model",
        window(
            candidate=side(500, durations={"energy": usual(250), "octagon": usual(250, slower=4)}),
        ),
    ),
    "slower than the last bucket": ("canary_p95", window(candidate=side(500, slower=1000))),
    "refuses what live takes": ("canary_refusals", window(candidate=side(500, refused=25))),
    "answers otherwise": (
        "canary_shift",
        window(
            shifts=(
                Shift(model="energy", compared=24, differ=1, unanswered=0, is_same_version=True),
            )
        ),
    ),
    "no replica is up": ("canary_down", window(candidate_down="one")),
    "a query is too low": (
        "canary_query_below",
        window(readings=(Reading(name="orders", value=7.9, bounds=(at_least(8),), misses=1),)),
    ),
    "a query is too high": (
        "canary_query_above",
        window(readings=(Reading(name="refunds", value=3, bounds=(at_most(2),), misses=1),)),
    ),
}


@pytest.mark.parametrize(("kind", "spoiled"), FAILS.values(), ids=FAILS)
def test_what_is_worse_fails(kind: str, spoiled: Window) -> None:
    judged = judge(spoiled, LIMITS, NEEDS)
    assert judged.outcome == "fail"
    assert kind in kinds(judged)
    assert judged.is_settled


@pytest.mark.parametrize("kind", NO_CURE)
def test_a_failure_stands_whatever_else_is_in_doubt(kind: str) -> None:
    spoiled = window(candidate=side(500, errors=100), faults=(_fault(kind),))
    judged = judge(spoiled, LIMITS, NEEDS)
    assert judged.outcome == "fail"
    assert kinds(judged) == {"canary_errors"}


def _fault(kind: str) -> Finding:
    return Finding(kind=kind, values={})


@pytest.mark.parametrize("attempts", [1, 3, 10, 100])
def test_errors_that_use_up_what_the_least_number_may_have_fail_at_once(attempts: int) -> None:
    """0.5 % of 500 are two: the third error is a fail, however few were asked."""
    broken = side(max(attempts, 3), errors=3)
    at_once = window(candidate=broken, offered=3, live=side(190), duration_s=3)
    assert judge(at_once, LIMITS, NEEDS, is_over=False).outcome == "fail"
    two = dataclasses.replace(at_once, candidate=side(max(attempts, 3), errors=2))
    assert judge(two, LIMITS, NEEDS, is_over=False).outcome == "inconclusive"


def test_errors_of_the_candidate_fail_also_where_live_was_not_asked() -> None:
    alone = window(candidate=side(3, errors=3), live=Side(), offered=3)
    assert kinds(judge(alone, LIMITS, NEEDS)) == {"canary_errors"}


@pytest.mark.parametrize(("errors", "outcome"), [(2, "pass"), (3, "fail")])
def test_errors_are_counted_to_the_last_one(errors: int, outcome: str) -> None:
    """0.5 % of 500 are 2.5."""
    assert judge(window(candidate=side(500, errors=errors)), LIMITS, NEEDS).outcome == outcome


def test_a_query_may_miss_its_bound_for_a_moment_before_the_time_is_over() -> None:
    def missed(times: int) -> Window:
        return window(
            readings=(Reading(name="orders", value=1, bounds=(at_least(8),), misses=times),)
        )

    assert judge(missed(1), LIMITS, NEEDS, is_over=False).outcome == "inconclusive"
    assert judge(missed(2), LIMITS, NEEDS, is_over=False).outcome == "inconclusive"
    assert judge(missed(3), LIMITS, NEEDS, is_over=False).outcome == "fail"
    assert judge(missed(1), LIMITS, NEEDS, is_over=True).outcome == "fail"


# -- what says nothing --------------------------------------------------------------------------

EMPTY = Side()
ONE_SLOW = durations((0.93, 0.02), (0.07, 0.3), count=500)

INCONCLUSIVE: dict[str, tuple[str, Window]] = {
    "no live traffic": ("canary_no_requests", window(candidate=EMPTY, live=EMPTY, offered=0)),
    "too few samples": ("canary_few", window(candidate=side(499), offered=499)),
    "live without samples": ("canary_live_few", window(live=EMPTY, offered=10)),
    "live with too few samples": ("canary_live_few", window(live=side(499), share=0.5)),
    "the entries counted and the replicas did not": (
        "canary_no_requests",
        window(candidate=Side(attempts=500)),
    ),
    "the replicas counted and the entries did not": (
        "canary_no_requests",
        window(candidate=side(500, attempts=0)),
    ),
    "only pages and health checks were asked for": (
        "canary_few",
        window(candidate=side(100, attempts=5000), offered=500),
    ),
    "the candidate got more than its share": ("canary_share_high", window(offered=800)),
    "live is beyond the last bucket": (
        "canary_p95_beyond",
        window(live=side(9500, slower=1000), candidate=side(500, slower=1000)),
    ),
    "one model of live is beyond it": (
        "canary_p95_beyond_model",
        window(
            live=side(9500, durations={"energy": usual(9400), "octagon": usual(100, 1000)}),
        ),
    ),
    "no bucket in common": (
        "canary_no_common_buckets",
        window(candidate=side(500, durations={"energy": Durations({0.123: 1, math.inf: 500})})),
    ),
    "slower, perhaps by chance": (
        "canary_p95_unsure",
        window(candidate=side(500, durations={"energy": ONE_SLOW})),
    ),
    "one model slower, perhaps by chance": (
        "canary_p95_unsure_model",
        window(
            candidate=side(
                500,
                durations={
                    "energy": usual(440),
                    "octagon": durations((0.9, 0.02), (0.1, 0.3), count=60),
                },
            ),
        ),
    ),
    "both are sick": (
        "canary_both_sick",
        window(live=side(9500, errors=1900), candidate=side(500, errors=100)),
    ),
    "answers that could not be compared": (
        "canary_shift_unanswered",
        window(
            shifts=(
                Shift(model="energy", compared=23, differ=0, unanswered=1, is_same_version=True),
            )
        ),
    ),
    "no answer was compared": (
        "canary_shift_unanswered",
        window(
            shifts=(
                Shift(model="energy", compared=0, differ=0, unanswered=0, is_same_version=True),
            )
        ),
    ),
    "a query without a number": (
        "canary_query_nan",
        window(readings=(Reading(name="orders", value=math.nan, bounds=(at_most(8),)),)),
    ),
    "a query that was never asked": ("canary_query_nan", window(readings=(Reading(name="q"),))),
    "candidate down, and the entry lost what it was told": (
        "canary_weight_lost",
        window(candidate_down="one", faults=(_fault("canary_weight_lost"),)),
    ),
    "candidate down, and the entry was restarted": (
        "canary_counters_back",
        window(candidate_down="one", faults=(_fault("canary_counters_back"),)),
    ),
}


@pytest.mark.parametrize("is_over", [True, False])
@pytest.mark.parametrize(("kind", "spoiled"), INCONCLUSIVE.values(), ids=INCONCLUSIVE)
def test_what_cannot_be_known_is_inconclusive(kind: str, spoiled: Window, is_over: bool) -> None:
    judged = judge(spoiled, LIMITS, NEEDS, is_over=is_over)
    assert judged.outcome == "inconclusive"
    assert kind in kinds(judged)


@pytest.mark.parametrize(
    "kind", [k for k in canary_reasons.ENGLISH if k not in {kind for kind, _ in FAILS.values()}]
)
def test_whatever_is_found_wrong_with_the_figures_keeps_them_from_passing(kind: str) -> None:
    judged = judge(window(faults=(_fault(kind),)), LIMITS, NEEDS)
    assert judged.outcome == "inconclusive"
    assert kinds(judged) == {kind}


def test_what_nothing_cures_is_told_alone() -> None:
    early = window(
        candidate=side(20), live=side(380), offered=20, faults=(_fault("canary_restarted"),)
    )
    judged = judge(early, LIMITS, NEEDS, is_over=False)
    assert judged.is_settled
    assert kinds(judged) == {"canary_restarted"}


def test_what_time_may_cure_is_waited_for() -> None:
    for kind in ("canary_silent", "canary_metrics_missing", "canary_prometheus_silent"):
        assert not judge(window(faults=(_fault(kind),)), LIMITS, NEEDS).is_settled


def test_a_plan_without_a_least_number_needs_as_many_as_a_percentile() -> None:
    none = Needs(samples=0, slo=NEEDS.slo)
    assert judge(window(candidate=side(58), offered=58), LIMITS, none).outcome == "inconclusive"
    assert judge(window(candidate=side(60), offered=60), LIMITS, none).outcome == "pass"


# -- what must not fail -------------------------------------------------------------------------


def test_chance_alone_is_no_failure_and_more_samples_decide() -> None:
    unsure = judge(window(candidate=side(500, durations={"energy": ONE_SLOW})), LIMITS, NEEDS)
    assert unsure.needs_more
    assert not unsure.is_settled
    many = durations((0.93, 0.02), (0.07, 0.3), count=5000)
    sure = window(candidate=side(5000, durations={"energy": many}), share=0.4, offered=5000)
    assert judge(sure, LIMITS, NEEDS).outcome == "fail"


def test_a_model_with_few_requests_is_judged_with_the_others_only() -> None:
    few = side(500, durations={"energy": usual(450), "octagon": usual(50)})
    judged = judge(window(candidate=few), LIMITS, NEEDS)
    assert judged.outcome == "pass"
    assert [r.name for r in judged.rows if r.name.startswith("p95")] == [
        "p95_ratio",
        "p95_ratio:energy",
    ]


def test_a_release_may_change_its_buckets_as_long_as_some_are_shared() -> None:
    coarse = Durations({0.05: 450, 0.1: 500, math.inf: 500})
    judged = judge(window(candidate=side(500, durations={"energy": coarse})), LIMITS, NEEDS)
    assert judged.outcome == "pass"


def test_clients_that_err_on_both_sides_are_no_failure() -> None:
    judged = judge(
        window(candidate=side(500, refused=55), live=side(9500, refused=950)), LIMITS, NEEDS
    )
    assert judged.outcome == "pass"


def test_another_version_of_a_model_is_reported_and_not_judged() -> None:
    other = Shift(model="energy", compared=24, differ=24, unanswered=0, is_same_version=False)
    judged = judge(window(shifts=(other,)), LIMITS, NEEDS)
    assert judged.outcome == "pass"
    assert not any(row.name.startswith("answer_shift") for row in judged.rows)


def test_a_few_answers_may_differ_where_the_limit_says_so() -> None:
    shift = Shift(model="energy", compared=24, differ=1, unanswered=0, is_same_version=True)
    allowed = dataclasses.replace(LIMITS, answer_shift=0.05)
    assert judge(window(shifts=(shift,)), allowed, NEEDS).outcome == "pass"


def test_a_query_may_be_below_zero() -> None:
    margin = Reading(name="margin", value=-5, bounds=(at_least(-10),))
    assert judge(window(readings=(margin,)), LIMITS, NEEDS).outcome == "pass"


def test_requests_that_fell_to_live_are_counted_once() -> None:
    fell = window(offered=500, fallen=100, live=side(9600))
    assert fell.total == 10_000
    assert fell.achieved_share == 0.05
    assert window(live=EMPTY, candidate=EMPTY, offered=0).achieved_share is None


def test_the_share_of_gate_traffic_is_told() -> None:
    mixed = window(live=side(9500, gate=9000), candidate=side(500, gate=500))
    assert mixed.gate_share == 0.95
    assert window(live=EMPTY, candidate=EMPTY).gate_share is None


@pytest.mark.parametrize("spoiled", [w for _, w in (FAILS | INCONCLUSIVE).values() if not w.faults])
def test_every_reason_can_be_told(spoiled: Window) -> None:
    assert all(judge(spoiled, LIMITS, NEEDS).reasons)


def test_a_reason_is_a_sentence_with_figures() -> None:
    judged = judge(window(candidate=side(500, errors=8), live=side(9500, errors=95)), LIMITS, NEEDS)
    assert judged.reasons == (
        "canary: 1.6 % of the requests to the candidate failed (8 of 500 tries), over the limit of "
        "1.5 %; 1 % of live's did.",
    )


def test_a_finding_is_told_with_its_place() -> None:
    told = finding("canary_counters_back", host="one").text()
    assert told == (
        "canary: one: the edge's counters went backwards: it was restarted meanwhile. "
        "Run `make up` again."
    )
