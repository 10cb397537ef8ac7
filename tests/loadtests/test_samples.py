"""Figures of samples that are made up."""

import random

import pytest

from loadtests.plan import Plan, parse
from loadtests.samples import NO_ANSWER, Fault, Phase, Sample, Window, percentile, summary
from loadtests.slo import Slo, judge

WINDOWS = [
    Window("warmup", 0.0, 2.0, 0.5),
    Window("steady", 2.0, 6.0, 0.04),
    Window("saturation", 7.0, 9.0, 0.3),
]
REFUSED = Fault(503, "Busy")
SILENT = Fault(NO_ANSWER, "no answer in time")


@pytest.fixture
def plan() -> Plan:
    return parse(
        {
            "base_url": "http://127.0.0.1:1",
            "models": ["energy"],
            "profile": "short",
            "steady_s": 4,
            "rate_rps": 25,
            "slo": {"latency_p95_ms": 200, "success_ratio": 0.9, "min_rps": 20},
        },
        ["energy"],
    )


def sample(
    due_s: float,
    latency_s: float = 0.01,
    phase: Phase = "steady",
    fault: Fault | None = None,
    model: str = "energy",
) -> Sample:
    return Sample(phase, model, due_s, due_s + latency_s, 0.001, fault)


def steady(count: int, latency_s: float = 0.01) -> list[Sample]:
    return [sample(2 + 4 * i / count, latency_s) for i in range(count)]


def test_percentiles_are_values_that_were_measured() -> None:
    values = sorted(random.Random(1).sample(range(10_000), 100))  # noqa: S311 - no secret
    assert percentile(values, 0.5) == values[49]
    assert percentile(values, 0.95) == values[94]
    assert percentile(values, 0.99) == values[98]
    assert percentile(values, 1) == values[99]
    assert percentile([3.0], 0.95) == 3.0
    assert percentile([], 0.95) is None


def test_only_the_steady_phase_counts(plan: Plan) -> None:
    others = [
        sample(0.5, 5.0, "warmup", SILENT),
        *(sample(7.5, 5.0, "saturation", REFUSED) for _ in range(50)),
    ]
    alone, among = (summary(plan, s, WINDOWS, 25.0) for s in (steady(100), steady(100) + others))
    for key in ("requests", "failures", "rps", "latency_ms", "models", "error_ratio", "lag_ms"):
        assert among[key] == alone[key]
    assert among["requests"] == 100
    assert among["client_cpu_ratio"] == 0.04


def test_a_latency_runs_from_when_the_request_was_due(plan: Plan) -> None:
    late = Sample("steady", "energy", 3.0, 4.0, 0.9, None)  # sent late, answered at once
    figures = summary(plan, [late], WINDOWS, 25.0)
    assert figures["latency_ms"] == {"p50": 1000, "p95": 1000, "p99": 1000}
    assert figures["lag_ms"] == {"p50": 900, "p95": 900, "p99": 900}


def test_a_wait_without_answer_counts_as_latency_and_an_error_does_not(plan: Plan) -> None:
    figures = summary(
        plan, [sample(2.0, 10.0, fault=SILENT), sample(2.5, 0.001, fault=REFUSED)], WINDOWS, 25.0
    )
    assert figures["latency_ms"] == {"p50": 10_000, "p95": 10_000, "p99": 10_000}
    assert (figures["requests"], figures["failures"], figures["unanswered"]) == (2, 2, 1)
    assert figures["error_ratio"] == 1.0


def test_only_errors_leave_no_latency(plan: Plan) -> None:
    figures = summary(plan, [sample(2.0, fault=REFUSED)], WINDOWS, 25.0)
    assert figures["latency_ms"] == {"p50": None, "p95": None, "p99": None}


def test_the_rate_counts_good_answers_that_came_within_the_phase(plan: Plan) -> None:
    figures = summary(
        plan,
        [sample(2.0), sample(5.9, 0.2), sample(3.0, fault=REFUSED), sample(4.0)],
        WINDOWS,
        25.0,
    )
    assert figures["rps"] == 2 / 4


def test_saturation_is_told_apart_and_null_where_there_was_none(plan: Plan) -> None:
    fast = [sample(7 + i / 100, 0.01, "saturation") for i in range(100)]
    with_it = summary(plan, steady(100) + fast, WINDOWS, 25.0)
    assert with_it["saturation_rps"] == 50.0
    without = summary(plan, steady(100), WINDOWS[:2], 25.0)
    assert without["saturation_rps"] is None
    assert without["saturation"] is None


def test_the_series_has_every_second_of_every_phase(plan: Plan) -> None:
    stalled = [sample(3.2, 1.5), sample(3.6, 1.2), sample(4.9, 0.01, fault=REFUSED)]
    series = summary(plan, [sample(0.1, phase="warmup"), *stalled], WINDOWS, 25.0)["series"]
    assert isinstance(series, list)
    assert [(s["t_s"], s["phase"]) for s in series] == [
        *((t, "warmup") for t in (0, 1)),
        *((t, "steady") for t in (2, 3, 4, 5)),
        *((t, "saturation") for t in (7, 8)),
    ]
    by_second = {s["t_s"]: s for s in series}
    assert by_second[3] == {
        "t_s": 3, "phase": "steady", "rps": 0, "p50_ms": None, "p95_ms": None, "errors": 0,
    }  # fmt: skip
    assert (by_second[4]["rps"], by_second[4]["p95_ms"], by_second[4]["errors"]) == (2, 1500, 1)


def test_errors_are_told_by_kind_the_most_frequent_first(plan: Plan) -> None:
    figures = summary(
        plan,
        [
            sample(2.1, fault=SILENT),
            *(sample(2.2, fault=REFUSED) for _ in range(3)),
            sample(0.2, phase="warmup", fault=REFUSED),
        ],
        WINDOWS,
        25.0,
    )
    assert figures["errors"] == [
        {"model": "energy", "status": 503, "count": 3, "sample": "Busy"},
        {"model": "energy", "status": 0, "count": 1, "sample": "no answer in time"},
    ]


def test_the_figures_are_what_the_judgement_reads(plan: Plan) -> None:
    slo = Slo(latency_p95_ms=200, success_ratio=0.9, min_rps=20)
    assert judge(summary(plan, steady(100), WINDOWS, 25.0), slo).verdict == "pass"
    assert judge(summary(plan, steady(100, 0.3), WINDOWS, 25.0), slo).verdict == "fail"
    assert judge(summary(plan, [], WINDOWS, 0.0), slo).verdict == "inconclusive"
