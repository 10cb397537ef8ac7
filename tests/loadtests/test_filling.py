"""How much gate traffic fills up, and when its load generator was not fit."""

import copy
import dataclasses
import math
from typing import Any

import pytest

from loadtests.analysis import Side, Window
from loadtests.durations import Durations
from loadtests.filling import Demand, demand, doubts, users_rps
from loadtests.slo import Slo

SLO = Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20)
GATE_RPS = 30
SAMPLES = 500
AIM = SAMPLES + 3 * math.sqrt(SAMPLES)


def side(count: int, gate: int = 0) -> Side:
    return Side(
        attempts=count, durations={"m": Durations({0.1: count, math.inf: count})}, gate=gate
    )


def window(users: int, *, share: float = 0.05, duration_s: float = 10, gate: int = 0) -> Window:
    """So many predictions until now, `gate` of them the load generator's."""
    candidate = round(share * users)
    return Window(
        duration_s=duration_s,
        share=share,
        offered=candidate,
        live=side(users - candidate, round((1 - share) * gate)),
        candidate=side(candidate, round(share * gate)),
    )


def asked(seen: Window, hold_left_s: float = 50, left_s: float = 590, slo: Slo = SLO) -> Any:
    """Where users go on as they did."""
    return demand(
        seen, SAMPLES, slo, users_rps=users_rps(seen), hold_left_s=hold_left_s, left_s=left_s
    )


def test_users_that_bring_enough_in_time_need_no_filling_up() -> None:
    assert asked(window(users=200)) is None  # 20/s x 590 s x 5 % = 590
    assert asked(window(users=12_000, duration_s=600), left_s=0.1) is None


@pytest.mark.parametrize("users", [0, 1, 50, 170])
def test_low_traffic_is_filled_up_within_the_gates_own_rate(users: int) -> None:
    seen = window(users)
    wanted = asked(seen)
    assert wanted.rate_rps + users / 10 == pytest.approx(GATE_RPS)
    brings = (wanted.rate_rps + users / 10) * wanted.duration_s * seen.share
    assert brings + seen.candidate.samples >= AIM - 1
    assert wanted.duration_s < 0.8 * 590


def test_two_requests_a_minute_are_filled_up_in_six_minutes_at_five_percent_and_one_at_fifty() -> (
    None
):
    assert asked(window(users=0)) == Demand(GATE_RPS, math.ceil(AIM / 0.05 / GATE_RPS))
    half = asked(window(users=0, share=0.5))
    assert half.duration_s == 45  # what is left of the hold, less the start
    assert half.rate_rps == pytest.approx(AIM / 0.5 / 45)
    assert half.rate_rps < GATE_RPS


def test_the_gates_rate_is_exceeded_only_where_the_time_is_too_short_for_it() -> None:
    seen = window(users=0)
    wanted = asked(seen, left_s=200)
    assert wanted.rate_rps > GATE_RPS
    assert wanted.duration_s <= 0.8 * 200 - 5
    assert wanted.rate_rps * wanted.duration_s * seen.share >= AIM - 5


def test_a_fast_service_is_asked_no_faster_than_the_hold_wants() -> None:
    wanted = asked(window(users=0), slo=dataclasses.replace(SLO, min_rps=1000))
    assert wanted.duration_s == 45
    assert wanted.rate_rps == pytest.approx(AIM / 0.05 / 45)


def test_live_is_filled_up_where_it_is_the_scarcer_side() -> None:
    seen = window(users=0, share=0.95)
    assert asked(seen).rate_rps == pytest.approx(GATE_RPS)
    assert asked(seen).duration_s == math.ceil(AIM / 0.05 / GATE_RPS)


def test_only_what_is_still_missing_is_sent() -> None:
    first, later = asked(window(users=0)), asked(window(users=6000, gate=6000, duration_s=200))
    assert later.duration_s < first.duration_s / 2


def test_what_the_gate_sent_does_not_count_as_users() -> None:
    """Else filling up would look like users who go on to come."""
    assert users_rps(window(users=6000, gate=6000, duration_s=200)) == 0
    assert users_rps(window(users=6000, gate=2000, duration_s=200)) == pytest.approx(20)


def test_users_who_went_away_are_not_waited_for() -> None:
    seen = window(users=3000, duration_s=30)
    assert asked(seen) is None
    gone = demand(seen, SAMPLES, SLO, users_rps=0.0, hold_left_s=30, left_s=570)
    assert gone is not None


@pytest.mark.parametrize("left_s", [-10, 0, 5, 12])
def test_what_cannot_end_in_time_is_not_begun(left_s: float) -> None:
    assert asked(window(users=0), hold_left_s=-1, left_s=left_s) is None


def test_a_phase_is_never_longer_than_a_load_test_may_take() -> None:
    slow = dataclasses.replace(SLO, min_rps=0.1)
    assert asked(window(users=0, share=0.01), left_s=604_800, slo=slow).duration_s <= 3600


# -- the load generator -------------------------------------------------------------------------


def spoiled(gate: dict[str, Any], value: object, *path: str) -> dict[str, Any]:
    copied = copy.deepcopy(gate)
    place = copied
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copied


def test_a_fit_load_generator_leaves_no_doubt(gate: dict[str, Any]) -> None:
    assert list(doubts(gate, SLO)) == []


@pytest.mark.parametrize(
    ("kind", "value", "path"),
    [
        ("canary_fill_cpu", 0.81, ("client_cpu_ratio",)),
        ("canary_fill_offered", 28.4, ("offered_rps",)),
        ("canary_fill_lag", 50.5, ("lag_ms", "p95")),
        ("canary_fill_failed", None, ("client_cpu_ratio",)),
        ("canary_fill_failed", 2, ("schema_version",)),
        ("canary_fill_failed", "many", ("requests",)),
    ],
)
def test_a_starved_or_silent_load_generator_is_told(
    gate: dict[str, Any], kind: str, value: object, path: tuple[str, ...]
) -> None:
    (found, *_) = doubts(spoiled(gate, value, *path), SLO)
    assert found.kind == kind
    assert found.text()


def test_requests_without_an_answer_are_told(gate: dict[str, Any]) -> None:
    bad = copy.deepcopy(gate)
    for counts in (bad, bad["models"]["energy"]):
        counts["failures"] = counts["unanswered"] = 200
    assert [f.kind for f in doubts(bad, SLO)] == ["canary_fill_unanswered"]
