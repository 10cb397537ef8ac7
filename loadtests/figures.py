"""Reads the figures that a judgement needs from gate.json, and tells what is wrong with them.

Decides nothing about SLOs. Standard library only.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadtests.reasons import Finding, finding

FILE = "gate.json"
SCHEMA_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Counts:
    """Requests of the steady phase, of one model or of all; NaN where the figure is missing.

    Attributes:
        failures: requests without a good answer.
        unanswered: those failures that got no answer at all in time.
        p95_ms: over good answers and waits without an answer; NaN where every answer was an error.
    """

    requests: float
    failures: float
    unanswered: float
    p95_ms: float

    @property
    def success_ratio(self) -> float:
        """Share of requests with a good answer; NaN without requests."""
        return 1 - self.failures / self.requests if self.requests else math.nan

    @property
    def refused(self) -> float:
        """Failures that the service answered, so that the load generator cannot be their cause."""
        return self.failures - self.unanswered

    @property
    def timed(self) -> float:
        """Samples behind the percentile."""
        return self.requests - self.refused


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What is judged; NaN where a figure is missing.

    Attributes:
        total: over all models.
        asked_rps: arrival rate that was asked for.
        offered_rps: arrival rate that the generator kept up.
        lag_p95_ms: how late the generator sent requests, at its 95th percentile.
        client_cpu_ratio: of one core, during the steady phase.
    """

    total: Counts
    models: Mapping[str, Counts]
    rps: float
    asked_rps: float
    offered_rps: float
    asked_steady_s: float
    steady_s: float
    lag_p95_ms: float
    client_cpu_ratio: float


def read(gate: Mapping[str, object]) -> tuple[Measured, tuple[Finding, ...]]:
    """The figures in `gate` and what makes them unfit to judge by (nothing: fit)."""
    reader = _Reader(gate)
    asked_models = _list(_at(gate, "plan", "models"))
    measured = _mapping(gate.get("models"))
    figures = Measured(
        total=reader.counts(),
        models={name: reader.counts("models", name) for name in measured},
        rps=reader.number("rps"),
        asked_rps=reader.number("plan", "rate_rps"),
        offered_rps=reader.number("offered_rps"),
        asked_steady_s=reader.number("plan", "steady_s"),
        steady_s=reader.number("steady_s"),
        lag_p95_ms=reader.number("lag_ms", "p95"),
        client_cpu_ratio=reader.number("client_cpu_ratio"),
    )
    return figures, tuple(_faults(gate, figures, asked_models, reader.faults))


def _faults(
    gate: Mapping[str, object],
    figures: Measured,
    asked_models: list[object],
    unreadable: list[Finding],
) -> Iterator[Finding]:
    version = gate.get("schema_version")
    if version != SCHEMA_VERSION:
        yield finding("schema", got=str(version)[:40])
        return
    yield from unreadable
    if not asked_models:
        yield finding("missing", figure="plan.models")
    for name in asked_models:
        if name not in figures.models:
            yield finding("model_missing", model=str(name))
    if figures.total.requests == 0:
        yield finding("no_requests")
    elif not unreadable:
        yield from _contradictions(figures)


def _contradictions(figures: Measured) -> Iterator[Finding]:
    total, models = figures.total, figures.models.values()
    for counts in (total, *models):
        if not 0 <= counts.unanswered <= counts.failures <= counts.requests:
            detail = (
                f"{counts.unanswered:g} unanswered, {counts.failures:g} failed, "
                f"{counts.requests:g} requests"
            )
            yield finding("contradiction", detail=detail)
            return
    for name in ("requests", "failures", "unanswered"):
        whole, parts = getattr(total, name), sum(getattr(m, name) for m in models)
        if whole != parts:
            yield finding("contradiction", detail=f"{whole:g} {name}, {parts:g} over the models")


class _Reader:
    """Takes numbers out of gate.json and remembers those it could not take."""

    def __init__(self, gate: Mapping[str, object]) -> None:
        self._gate = gate
        self.faults: list[Finding] = []

    def counts(self, *path: str) -> Counts:
        requests = self.number(*path, "requests")
        failures = self.number(*path, "failures")
        unanswered = self.number(*path, "unanswered")
        every_answer_was_an_error = requests == failures and unanswered == 0
        p95_ms = (
            math.nan
            if every_answer_was_an_error and _at(self._gate, *path, "latency_ms", "p95") is None
            else self.number(*path, "latency_ms", "p95")
        )
        return Counts(requests=requests, failures=failures, unanswered=unanswered, p95_ms=p95_ms)

    def number(self, *path: str) -> float:
        value = _at(self._gate, *path)
        if value is None:
            self.faults.append(finding("missing", figure=".".join(path)))
            return math.nan
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.faults.append(finding("not_finite", figure=".".join(path), got=repr(value)[:40]))
            return math.nan
        if not math.isfinite(value):
            self.faults.append(finding("not_finite", figure=".".join(path), got=str(value)))
            return math.nan
        return value


def _at(tree: object, *path: str) -> object:
    for key in path:
        if not isinstance(tree, Mapping):
            return None
        tree = tree.get(key)
    return tree


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
