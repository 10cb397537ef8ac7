"""The judgement: a table of figures, each spoiled in one way."""

import copy
import math
from collections.abc import Callable
from typing import Any

import pytest

from loadtests import canary_reasons
from loadtests.reasons import ENGLISH
from loadtests.slo import Judgement, Slo, judge, needed_answers, needed_requests

Gate = dict[str, Any]
BOTH = ("energy", "wildlife")


def spoiled(gate: Gate, *changes: Callable[[Gate], object]) -> Gate:
    spoiled_gate = copy.deepcopy(gate)
    for change in changes:
        change(spoiled_gate)
    return spoiled_gate


def put(value: object, *path: str) -> Callable[[Gate], None]:
    def change(gate: Gate) -> None:
        for key in path[:-1]:
            gate = gate[key]
        gate[path[-1]] = value

    return change


def drop(*path: str) -> Callable[[Gate], None]:
    def change(gate: Gate) -> None:
        for key in path[:-1]:
            gate = gate[key]
        del gate[path[-1]]

    return change


def requests(energy: int, wildlife: int) -> Callable[[Gate], None]:
    def change(gate: Gate) -> None:
        gate["requests"] = energy + wildlife
        gate["models"]["energy"]["requests"] = energy
        gate["models"]["wildlife"]["requests"] = wildlife

    return change


def failures(count: int, *, unanswered: int = 0, model: str = "energy") -> Callable[[Gate], None]:
    def change(gate: Gate) -> None:
        for counts in (gate, gate["models"][model]):
            counts["failures"], counts["unanswered"] = count, unanswered

    return change


def slow(p95_ms: float) -> Callable[[Gate], None]:
    def change(gate: Gate) -> None:
        for counts in (gate, *gate["models"].values()):
            counts["latency_ms"]["p95"] = p95_ms

    return change


CPU = put(0.81, "client_cpu_ratio")
LAG = put(50.5, "lag_ms", "p95")
OFFERED = put(28.4, "offered_rps")

INCONCLUSIVE = {
    "a figure is not a number": ("not_finite", put(math.nan, "rps")),
    "a percentile is not a number": ("not_finite", put(math.nan, "latency_ms", "p95")),
    "a figure is infinite": ("not_finite", put(math.inf, "models", "energy", "latency_ms", "p95")),
    "a figure is a text": ("not_finite", put("30", "rps")),
    "a figure is a truth value": ("not_finite", put(True, "client_cpu_ratio")),
    "p95 is missing": ("missing", drop("latency_ms", "p95")),
    "p95 is null": ("missing", put(None, "latency_ms", "p95")),
    "p95 of one model is missing": ("missing", drop("models", "wildlife", "latency_ms")),
    "client CPU is missing": ("missing", drop("client_cpu_ratio")),
    "the generator's delay is missing": ("missing", drop("lag_ms")),
    "the offered rate is missing": ("missing", drop("offered_rps")),
    "it is not told which models were asked for": ("missing", drop("plan", "models")),
    "a model is missing": ("model_missing", drop("models", "wildlife")),
    "there was no request": ("no_requests", requests(0, 0)),
    "the schema is unknown": ("schema", put(2, "schema_version")),
    "models do not add up": ("contradiction", put(901, "models", "energy", "requests")),
    "more failed than were sent": ("contradiction", failures(2000)),
    "too few requests": ("few_requests", requests(298, 299)),
    "too few of one model": ("few_answers", requests(1742, 58)),
    "the generator was short of CPU": ("client_cpu", CPU),
    "the generator offered too little": ("offered", OFFERED),
    "the generator was late": ("lag", LAG),
    "the steady phase was cut short": ("cut_short", put(59.3, "steady_s")),
    "less was asked for than is promised": ("low_rate", put(19.9, "plan", "rate_rps")),
}


@pytest.mark.parametrize(("kind", "change"), INCONCLUSIVE.values(), ids=INCONCLUSIVE)
def test_figures_that_cannot_be_trusted_are_inconclusive(
    gate: Gate, slo: Slo, kind: str, change: Callable[[Gate], None]
) -> None:
    judgement = judge(spoiled(gate, change), slo)
    assert judgement.verdict == "inconclusive"
    assert kind in {f.kind for f in judgement.findings}
    assert len(judgement.reasons) == len(judgement.findings)


def test_no_figures_at_all_are_inconclusive(slo: Slo) -> None:
    assert judge(None, slo).verdict == "inconclusive"
    assert judge({}, slo).verdict == "inconclusive"
    assert judge({"schema_version": 1}, slo).verdict == "inconclusive"


def test_good_figures_pass_with_a_row_per_promise_and_model(gate: Gate, slo: Slo) -> None:
    judgement = judge(gate, slo)
    assert judgement.verdict == "pass"
    assert judgement.reasons == ()
    assert [(r.name, r.measured, r.limit, r.ok) for r in judgement.rows] == [
        ("latency_p95_ms", 60.5, 200, True),
        ("latency_p95_ms:energy", 20.25, 200, True),
        ("latency_p95_ms:wildlife", 71.0, 200, True),
        ("success_ratio", 1.0, 0.995, True),
        ("rps", 30.0, 20, True),
    ]


NEVER_MINDED = {
    "no saturation": put(None, "saturation_rps"),
    "saturation left out": drop("saturation_rps"),
    "no series": drop("series"),
    "failures up to the limit": failures(9),
    "exactly at the latency limit": slow(200),
    "exactly enough requests": requests(299, 299),
}


@pytest.mark.parametrize("change", NEVER_MINDED.values(), ids=NEVER_MINDED)
def test_what_is_within_the_limits_or_not_judged_passes(
    gate: Gate, slo: Slo, change: Callable[[Gate], None]
) -> None:
    assert judge(spoiled(gate, change), slo).verdict == "pass"


FAIL = {
    "slow": ("latency", [slow(200.1)]),
    "one model is slow": ("model_latency", [put(201, "models", "wildlife", "latency_ms", "p95")]),
    "errors": ("success", [failures(10)]),
    "no answers": ("success", [failures(10, unanswered=10)]),
    "only errors": (
        "success",
        [
            failures(900),
            put(None, "models", "energy", "latency_ms", "p95"),
        ],
    ),
    "low throughput": ("throughput", [put(19.9, "rps")]),
    "far too slow whatever the generator's delay": ("latency", [slow(400), LAG]),
    "errors whatever the generator's CPU": ("success", [failures(10), CPU]),
    "more errors already than the least number of requests may have": (
        "success",
        [requests(50, 50), failures(3)],
    ),
}


@pytest.mark.parametrize(("kind", "changes"), FAIL.values(), ids=FAIL)
def test_a_promise_that_is_surely_broken_fails(
    gate: Gate, slo: Slo, kind: str, changes: list[Callable[[Gate], None]]
) -> None:
    judgement = judge(spoiled(gate, *changes), slo)
    assert judgement.verdict == "fail"
    assert kind in {f.kind for f in judgement.findings}


MAYBE_THE_GENERATOR = {
    "slow, and the generator short of CPU": [slow(400), CPU],
    "slow, by no more than the generator's delay": [slow(300), LAG],
    "slow, and too few answers": [slow(400), requests(29, 29)],
    "unanswered, and the generator late": [failures(10, unanswered=10), LAG],
    "low throughput, and the generator offered little": [put(19.9, "rps"), OFFERED],
    "a few errors among too few requests": [requests(50, 50), failures(2)],
}


@pytest.mark.parametrize("changes", MAYBE_THE_GENERATOR.values(), ids=MAYBE_THE_GENERATOR)
def test_a_miss_that_the_generator_may_have_caused_is_inconclusive_and_says_both(
    gate: Gate, slo: Slo, changes: list[Callable[[Gate], None]]
) -> None:
    judgement = judge(spoiled(gate, *changes), slo)
    assert judgement.verdict == "inconclusive"
    assert len(judgement.reasons) >= 2


def test_reasons_tell_figure_limit_and_cure(gate: Gate, slo: Slo) -> None:
    judgement: Judgement = judge(spoiled(gate, slow(212.4), failures(10), CPU), slo)
    assert "latency: the 95th percentile is 212.4 ms, over the limit of 200 ms." in (
        judgement.reasons
    )
    assert (
        "success ratio: 0.99444 is below 0.995 (10 of 1800 requests failed)." in judgement.reasons
    )
    assert (
        "gate: the load generator used 81 % of its core (limit 80 %). "
        "Give it a faster or a less busy machine." in judgement.reasons
    )


def test_every_reason_is_reached_by_some_figures(gate: Gate, slo: Slo) -> None:
    cases = [[c] for _, c in INCONCLUSIVE.values()] + [c for _, c in FAIL.values()]
    found = {f.kind for changes in cases for f in judge(spoiled(gate, *changes), slo).findings}
    assert found | {"not_run"} == set(ENGLISH) - set(canary_reasons.ENGLISH)


@pytest.mark.parametrize(
    ("success_ratio", "needed"),
    [(0.995, 598), (0.99, 299), (0.999, 2995), (0.95, 59), (0.5, 59), (1.0, 59)],
)
def test_a_stricter_success_ratio_needs_more_requests(success_ratio: float, needed: int) -> None:
    slo = Slo(latency_p95_ms=200, success_ratio=success_ratio, min_rps=20)
    assert needed_requests(slo) == needed
    if needed > needed_answers():
        assert success_ratio**needed < 0.05 <= success_ratio ** (needed - 1)


def test_a_percentile_needs_as_many_answers_as_bound_it() -> None:
    assert needed_answers() == 59
    assert 0.95**59 < 0.05 <= 0.95**58


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latency_p95_ms", 0),
        ("latency_p95_ms", math.nan),
        ("min_rps", -1),
        ("min_rps", math.inf),
        ("success_ratio", 0),
        ("success_ratio", 1.01),
    ],
)
def test_a_limit_that_is_none_is_refused(key: str, value: float) -> None:
    limits = {"latency_p95_ms": 200.0, "success_ratio": 0.995, "min_rps": 20.0, key: value}
    with pytest.raises(ValueError, match=rf"^slo\.{key}: must be .*\(got {value}\)"):
        Slo(**limits)
