"""Judges the figures of one load test against the SLOs. Runs nothing; standard library only.

Only a full set of figures that the load generator was fit to measure can pass.

How many samples are enough:

- A 95th percentile needs 59. With fewer, not even the slowest answer bounds the true percentile at
  95 % confidence (0.95^59 < 0.05, Wilks 1941). It holds for every model by itself.
- A success ratio r needs ln(0.05) / ln(r) requests: 598 for 0.995. With fewer, a service that fails
  more often than r allows shows no failure at all more than one time in twenty ("rule of three").
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from loadtests.figures import Counts, Measured, read
from loadtests.reasons import Finding, finding

Outcome = Literal["pass", "fail", "inconclusive"]

CONFIDENCE = 0.95
PERCENTILE = 0.95
RATE_OVER_MIN_RPS = 1.5
"""The gate asks for this many times `min_rps`."""
MAX_CLIENT_CPU = 0.8
"""Share of one core beyond which the generator's own queue shows in the latencies."""
MIN_OFFERED = 0.95
"""Share of the asked arrival rate that the generator must have offered."""
MAX_LAG = 0.25
"""Share of the latency limit that requests may leave late by; beyond it they come in bursts."""
MIN_STEADY = 0.99
"""Share of the steady phase that must have taken place."""
GENERATOR_DOUBTS = frozenset({"client_cpu", "offered", "lag"})
"""Findings that make the load generator a possible cause of slow or missing answers."""


@dataclass(frozen=True, kw_only=True)
class Slo:
    """What the service promises.

    Attributes:
        latency_p95_ms: most that the 95th percentile may be, over all models and for each.
        success_ratio: least share of requests with a good answer, in (0, 1].
        min_rps: least good answers per second.
    """

    latency_p95_ms: float
    success_ratio: float
    min_rps: float

    def __post_init__(self) -> None:
        for name in ("latency_p95_ms", "min_rps"):
            value = getattr(self, name)
            if not 0 < value < math.inf:
                msg = f"slo.{name}: must be a number above 0 (got {value}). Correct it."
                raise ValueError(msg)
        if not 0 < self.success_ratio <= 1:
            msg = (
                f"slo.success_ratio: must be above 0 and at most 1 (got {self.success_ratio}). "
                "Give a share, for instance 0.995."
            )
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True)
class SloRow:
    """One figure beside its limit; `ok` is None where the figure is missing.

    Attributes:
        name: `latency_p95_ms`, `latency_p95_ms:<model>`, `success_ratio` or `rps`.
    """

    name: str
    limit: float
    measured: float | None
    ok: bool | None


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the figures say about the SLOs, and why."""

    verdict: Outcome
    findings: tuple[Finding, ...]
    rows: tuple[SloRow, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings as English sentences."""
        return tuple(f.text() for f in self.findings)


def needed_requests(slo: Slo) -> int:
    """Least requests in the steady phase, over all models (module docstring).

    No number proves a success ratio of 1: there the percentile's number holds.
    """
    if slo.success_ratio == 1:
        return needed_answers()
    for_ratio = math.ceil(math.log(1 - CONFIDENCE) / math.log(slo.success_ratio))
    return max(needed_answers(), for_ratio)


def needed_answers() -> int:
    """Least answers of one model for its 95th percentile (module docstring)."""
    return math.ceil(math.log(1 - CONFIDENCE) / math.log(PERCENTILE))


def judge(gate: Mapping[str, object] | None, slo: Slo) -> Judgement:
    """The verdict on the figures of one load test.

    A failure that the load generator itself may have caused is inconclusive, a pass under doubt
    too; a failure that stands whatever the doubt is a fail.

    Args:
        gate: what `python -m loadtests.gate` wrote; None when there is nothing.
    """
    if gate is None:
        return Judgement(verdict="inconclusive", findings=(finding("not_run"),), rows=())
    figures, faults = read(gate)
    rows = tuple(_rows(figures, slo))
    if faults:
        return Judgement(verdict="inconclusive", findings=faults, rows=rows)
    doubts = tuple(_doubts(figures, slo))
    misses = tuple(_misses(figures, slo, doubts))
    findings = (*(m.finding for m in misses), *doubts)
    if any(m.stands for m in misses):
        return Judgement(verdict="fail", findings=findings, rows=rows)
    return Judgement(verdict="inconclusive" if findings else "pass", findings=findings, rows=rows)


def _rows(figures: Measured, slo: Slo) -> Iterator[SloRow]:
    yield _at_most("latency_p95_ms", slo.latency_p95_ms, figures.total.p95_ms)
    for name, model in figures.models.items():
        yield _at_most(f"latency_p95_ms:{name}", slo.latency_p95_ms, model.p95_ms)
    yield _success_row(figures.total, slo)
    yield _at_least("rps", slo.min_rps, figures.rps)


def _at_most(name: str, limit: float, measured: float) -> SloRow:
    if math.isnan(measured):
        return SloRow(name=name, limit=limit, measured=None, ok=None)
    return SloRow(name=name, limit=limit, measured=measured, ok=measured <= limit)


def _at_least(name: str, limit: float, measured: float) -> SloRow:
    if math.isnan(measured):
        return SloRow(name=name, limit=limit, measured=None, ok=None)
    return SloRow(name=name, limit=limit, measured=measured, ok=measured >= limit)


def _success_row(total: Counts, slo: Slo) -> SloRow:
    ratio = total.success_ratio
    if math.isnan(ratio):
        return SloRow(name="success_ratio", limit=slo.success_ratio, measured=None, ok=None)
    ok = total.failures <= _may_fail(slo, total.requests)
    return SloRow(name="success_ratio", limit=slo.success_ratio, measured=ratio, ok=ok)


def _may_fail(slo: Slo, requests: float) -> int:
    """How many of `requests` may fail; counted, since 1 - 3/600 is not quite 0.995 in floats."""
    return math.floor((1 - slo.success_ratio) * requests + 1e-6)


@dataclass(frozen=True, kw_only=True)
class _Miss:
    """An SLO that the figures miss; `stands` whatever is in doubt about the load generator."""

    finding: Finding
    stands: bool


def _misses(figures: Measured, slo: Slo, doubts: tuple[Finding, ...]) -> Iterator[_Miss]:
    doubted = {d.kind for d in doubts}
    limit_ms = slo.latency_p95_ms
    if figures.total.p95_ms > limit_ms:
        yield _Miss(
            finding=finding("latency", got=figures.total.p95_ms, limit=limit_ms),
            stands=_slow_anyway(figures.total, figures.lag_p95_ms, limit_ms, doubted),
        )
    for name, model in figures.models.items():
        if model.p95_ms > limit_ms:
            yield _Miss(
                finding=finding("model_latency", model=name, got=model.p95_ms, limit=limit_ms),
                stands=_slow_anyway(model, figures.lag_p95_ms, limit_ms, doubted),
            )
    if figures.total.failures > _may_fail(slo, figures.total.requests):
        yield _success_miss(figures.total, slo, doubted)
    if figures.rps < slo.min_rps:
        miss = finding("throughput", got=figures.rps, limit=slo.min_rps)
        yield _Miss(finding=miss, stands=not doubted)


def _slow_anyway(counts: Counts, lag_ms: float, limit_ms: float, doubted: set[str]) -> bool:
    """Whether enough answers were too slow even without the generator's own delay.

    The generator adds its lag twice: when it sends and when it notices the answer.
    """
    if counts.timed < needed_answers() or "client_cpu" in doubted:
        return False
    return not doubted & GENERATOR_DOUBTS or counts.p95_ms - 2 * lag_ms > limit_ms


def _success_miss(total: Counts, slo: Slo, doubted: set[str]) -> _Miss:
    """A miss stands if the failures alone use up what the least number of requests may fail.

    An unfit generator may have caused those without an answer; the answered ones it has not.
    """
    surely_failed = total.refused if doubted & GENERATOR_DOUBTS else total.failures
    allowed = _may_fail(slo, max(total.requests, needed_requests(slo)))
    return _Miss(
        finding=finding(
            "success",
            got=total.success_ratio,
            limit=slo.success_ratio,
            failures=int(total.failures),
            requests=int(total.requests),
        ),
        stands=surely_failed > allowed,
    )


def _doubts(figures: Measured, slo: Slo) -> Iterator[Finding]:
    """What keeps these figures from passing, whatever they say."""
    yield from _sample_doubts(figures, slo)
    if figures.client_cpu_ratio > MAX_CLIENT_CPU:
        got = round(100 * figures.client_cpu_ratio)
        yield finding("client_cpu", got=got, limit=round(100 * MAX_CLIENT_CPU))
    if figures.offered_rps < MIN_OFFERED * figures.asked_rps:
        yield finding("offered", got=figures.offered_rps, asked=figures.asked_rps)
    if figures.lag_p95_ms > MAX_LAG * slo.latency_p95_ms:
        yield finding("lag", got=figures.lag_p95_ms, limit=MAX_LAG * slo.latency_p95_ms)
    if figures.steady_s < MIN_STEADY * figures.asked_steady_s:
        yield finding("cut_short", got=figures.steady_s, asked=figures.asked_steady_s)
    if figures.asked_rps < slo.min_rps:
        yield finding("low_rate", got=figures.asked_rps, limit=slo.min_rps)


def _sample_doubts(figures: Measured, slo: Slo) -> Iterator[Finding]:
    requests = int(figures.total.requests)
    if requests < needed_requests(slo):
        yield finding(
            "few_requests", got=requests, limit=slo.success_ratio, needed=needed_requests(slo)
        )
    for name, model in figures.models.items():
        if model.timed < needed_answers():
            yield finding("few_answers", model=name, got=int(model.timed), needed=needed_answers())
