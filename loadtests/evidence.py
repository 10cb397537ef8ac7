"""What a verdict on one attempt at a release says, and what it must not say. Writes no file.

Standard library only.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Literal, get_args

from loadtests.slo import Outcome, SloRow
from loadtests.trial import CanaryEvidence, SideFigures, TimelinePoint

__all__ = [
    "CanaryEvidence",
    "Cost",
    "Figures",
    "Latency",
    "SideFigures",
    "Step",
    "TimelinePoint",
    "Verdict",
]

StepResult = Literal["pass", "fail", "inconclusive", "skipped"]
Language = Literal["en", "es"]


@dataclass(frozen=True, kw_only=True)
class Latency:
    """Percentiles in milliseconds; None where nothing was measured."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None

    @classmethod
    def of(cls, counts: object) -> "Latency":
        """The percentiles in `counts`, a part of gate.json."""
        told = counts.get("latency_ms") if isinstance(counts, Mapping) else None
        if not isinstance(told, Mapping):
            return cls()
        return cls(**{p: _number_or_none(told.get(p)) for p in ("p50", "p95", "p99")})


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What the gate measured; None where it did not run or gave no number.

    The field names are those of gate.json.
    """

    requests: int | None = None
    rps: float | None = None
    saturation_rps: float | None = None
    latency_ms: Latency = Latency()
    latency_ms_by_model: Mapping[str, Latency] = field(default_factory=dict)
    error_ratio: float | None = None
    client_cpu_ratio: float | None = None

    @classmethod
    def of(cls, gate: Mapping[str, object] | None) -> "Figures":
        """The figures of gate.json; None where there is none or it is broken."""
        if gate is None:
            return cls()
        requests, models = _number_or_none(gate.get("requests")), gate.get("models")
        by_model = models if isinstance(models, Mapping) else {}
        return cls(
            requests=None if requests is None else int(requests),
            rps=_number_or_none(gate.get("rps")),
            saturation_rps=_number_or_none(gate.get("saturation_rps")),
            latency_ms=Latency.of(gate),
            latency_ms_by_model={name: Latency.of(model) for name, model in by_model.items()},
            error_ratio=_number_or_none(gate.get("error_ratio")),
            client_cpu_ratio=_number_or_none(gate.get("client_cpu_ratio")),
        )


@dataclass(frozen=True, kw_only=True)
class Step:
    """One step of the walk.

    Attributes:
        detail: what it did, or why it did not pass, in a sentence.
    """

    step: str
    started_at: str
    duration_s: float
    result: StepResult
    detail: str


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What a thousand predictions cost.

    Attributes:
        basis: how the figure was made.
    """

    usd_per_1000: float
    basis: str


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The verdict on one attempt, with its evidence. Holds only what can be written.

    Attributes:
        reasons: why it is no pass, a sentence each.
        attempt: counts the attempts at this release, from 1.
        models: version of each model by its name.
        started_at: ISO 8601 with an offset.
        cost_reason: why there is no cost.
        language: of the page that people read.
        canary: its steps, in their order.
        timeline: both sides of the canary over time.
        notes: what was out of the ordinary, such as a release outside the hours.

    Raises:
        ValueError: with one line: `verdict.reasons: ... (got X). ...`.
    """

    verdict: Outcome
    reasons: tuple[str, ...]
    stack: str
    target: str
    release: str
    attempt: int
    image: str
    bento: str
    models: Mapping[str, str]
    accelerator: str
    profile: str
    runner: str
    started_at: str
    duration_s: float
    figures: Figures
    slo: tuple[SloRow, ...]
    steps: tuple[Step, ...]
    cost: Cost | None
    cost_reason: str | None = None
    language: Language = "en"
    canary: tuple[CanaryEvidence, ...] = ()
    timeline: tuple[TimelinePoint, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        fault = next(_faults(self), None)
        if fault:
            msg = f"verdict.{fault}"
            raise ValueError(msg)


def _number_or_none(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return value


def _faults(verdict: Verdict) -> Iterator[str]:
    """What is wrong with a verdict, each as the rest of a line that begins with `verdict.`."""
    yield from _unknown_words(verdict)
    yield from _contradictions(verdict)
    for where, moment in _moments(verdict):
        if not _is_moment(moment):
            yield f"{where}: is no time with an offset (got {moment!r}). Use ISO 8601."
    for where, number in _numbers(asdict(verdict), ""):
        # what a query of one's own measures may lie below 0
        if not math.isfinite(number) or (number < 0 and ".checks." not in where):
            yield f"{where}: is no amount (got {number}). Use None for what was not measured."


def _unknown_words(verdict: Verdict) -> Iterator[str]:
    words: list[tuple[str, str, tuple[str, ...]]] = [
        ("verdict", verdict.verdict, get_args(Outcome)),
        ("language", verdict.language, get_args(Language)),
        *((f"steps.{s.step}.result", s.result, get_args(StepResult)) for s in verdict.steps),
        *(
            (f"canary.{i}.result", c.result, get_args(Outcome))
            for i, c in enumerate(verdict.canary)
        ),
    ]
    for where, word, known in words:
        if word not in known:
            yield f"{where}: is unknown (got {word!r}). Use one of: {', '.join(known)}."


def _contradictions(verdict: Verdict) -> Iterator[str]:
    if verdict.verdict == "pass":
        missed = [row.name for row in verdict.slo if not row.ok]
        if missed or not verdict.slo:
            got = f"{missed[0]} is not met" if missed else "no SLO was judged"
            yield f"verdict: is a pass without its SLOs (got: {got}). Judge the figures first."
        for i, step in enumerate(verdict.canary):
            if step.result != "pass":
                yield f"canary.{i}.result: is no pass in one (got {step.result}). Refuse it."
    elif not verdict.reasons:
        yield f"reasons: are missing (got none for {verdict.verdict}). Say why."
    if verdict.attempt < 1:
        yield f"attempt: counts from 1 (got {verdict.attempt}). Use the folder's number."
    if verdict.cost is None and not verdict.cost_reason:
        yield "cost_reason: is missing (got no cost). Say why there is none."


def _moments(verdict: Verdict) -> Iterator[tuple[str, str]]:
    yield "started_at", verdict.started_at
    for step in verdict.steps:
        yield f"steps.{step.step}.started_at", step.started_at
    for i, canary in enumerate(verdict.canary):
        yield f"canary.{i}.started_at", canary.started_at


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def _is_moment(text: str) -> bool:
    try:
        return bool(_MOMENT.fullmatch(text) and datetime.fromisoformat(text))
    except ValueError:
        return False


def _numbers(tree: object, where: str) -> Iterator[tuple[str, float]]:
    if isinstance(tree, Mapping):
        for key, value in tree.items():
            yield from _numbers(value, f"{where}.{key}" if where else str(key))
    elif isinstance(tree, list | tuple):
        for i, value in enumerate(tree):
            yield from _numbers(value, f"{where}.{i}")
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield where, tree
