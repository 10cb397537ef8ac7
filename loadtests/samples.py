"""What became of every request of a load test, and the figures made of it. Sends nothing.

A request's latency runs from the moment it was due, not from the moment it was sent: a target that
keeps requests waiting cannot hide it (no coordinated omission). Percentiles are exact, by rank,
over good answers and over waits that ended without an answer; an error's speed is no service.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from loadtests.figures import SCHEMA_VERSION
from loadtests.plan import Plan

Phase = Literal["warmup", "steady", "drain", "saturation"]
"""`drain`: nothing new is sent, the last answers of the steady phase come in."""

NO_ANSWER = 0
"""Status of a request that got no answer."""
MAX_ERRORS = 50
"""Kinds of errors that are told apart in the figures."""


class Fault(NamedTuple):
    """Why a request has no good answer; `status` is `NO_ANSWER` or the answer's."""

    status: int
    text: str


class Sample(NamedTuple):
    """One request; times in seconds since the load test began.

    Attributes:
        lag_s: how late the load generator itself made it; a wait for the target is not in it.
    """

    phase: Phase
    model: str
    due_s: float
    done_s: float
    lag_s: float
    fault: Fault | None

    @property
    def latency_ms(self) -> float:
        """From the moment it was due to its answer."""
        return (self.done_s - self.due_s) * 1000

    @property
    def is_timed(self) -> bool:
        """Whether its latency counts (module docstring)."""
        return self.fault is None or self.fault.status == NO_ANSWER


class Window(NamedTuple):
    """When a phase took place, and what the load generator used of one core meanwhile."""

    phase: Phase
    start_s: float
    end_s: float
    client_cpu_ratio: float

    @property
    def duration_s(self) -> float:
        """Seconds from start to end."""
        return self.end_s - self.start_s


def summary(
    plan: Plan, samples: Sequence[Sample], windows: Sequence[Window], offered_rps: float
) -> dict[str, object]:
    """The figures that gate.json holds, of the steady phase where nothing else is said."""
    by_phase: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_phase[sample.phase].append(sample)
    steady_window = next(w for w in windows if w.phase == "steady")
    steady = by_phase["steady"]
    saturation = _saturation(plan, by_phase["saturation"], windows)
    return {
        "schema_version": SCHEMA_VERSION,
        "plan": plan.public(),
        **counts(steady, steady_window),
        "models": {
            name: counts([s for s in steady if s.model == name], steady_window)
            for name in plan.models
        },
        "steady_s": _rounded(steady_window.duration_s),
        "offered_rps": _rounded(offered_rps),
        "lag_ms": percentiles((s.lag_s * 1000 for s in steady), 0.5, 0.95, 0.99),
        "client_cpu_ratio": _rounded(steady_window.client_cpu_ratio, 4),
        "saturation_rps": saturation["rps"] if saturation else None,
        "saturation": saturation,
        "phases": [
            {
                "phase": w.phase,
                "start_s": _rounded(w.start_s),
                "duration_s": _rounded(w.duration_s),
                "client_cpu_ratio": _rounded(w.client_cpu_ratio, 4),
            }
            for w in windows
        ],
        "series": series(samples, windows),
        "errors": errors(steady),
    }


def _saturation(
    plan: Plan, samples: Sequence[Sample], windows: Sequence[Window]
) -> dict[str, object] | None:
    for window in windows:
        if window.phase == "saturation":
            return {
                "users": plan.saturation_users,
                **counts(samples, window),
                "client_cpu_ratio": _rounded(window.client_cpu_ratio, 4),
            }
    return None


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The smallest value that `share` of the sorted values do not exceed; None of nothing."""
    if not ordered:
        return None
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def counts(samples: Sequence[Sample], window: Window) -> dict[str, object]:
    """Figures of one phase, of one model or of all.

    `rps` counts good answers that came within the window to requests due in it.
    """
    failures = sum(s.fault is not None for s in samples)
    in_time = sum(s.fault is None and s.done_s <= window.end_s for s in samples)
    return {
        "requests": len(samples),
        "failures": failures,
        "unanswered": sum(s.fault is not None and s.fault.status == NO_ANSWER for s in samples),
        "rps": _rounded(in_time / window.duration_s),
        "latency_ms": percentiles((s.latency_ms for s in samples if s.is_timed), 0.5, 0.95, 0.99),
        "error_ratio": _rounded(failures / len(samples), 6) if samples else None,
    }


def percentiles(values: Iterable[float], *shares: float) -> dict[str, float | None]:
    """`{"p50": ..., "p95": ...}` for the `shares` asked for."""
    ordered = sorted(values)
    return {f"p{share * 100:g}": _rounded(percentile(ordered, share)) for share in shares}


def series(samples: Iterable[Sample], windows: Sequence[Window]) -> list[dict[str, object]]:
    """One entry per second from the first phase's start to the last one's end.

    Everything is told at the second in which the answer came (or the wait ended), so that a target
    that stalls shows as a gap and then as a peak.
    """
    by_second: dict[int, list[Sample]] = {}
    for sample in samples:
        by_second.setdefault(int(sample.done_s), []).append(sample)
    return [
        _second(second, by_second.get(second, []), window.phase)
        for window in windows
        for second in range(math.ceil(window.start_s - 0.5), math.ceil(window.end_s - 0.5))
    ]


def _second(second: int, samples: Sequence[Sample], phase: Phase) -> dict[str, object]:
    latency = percentiles((s.latency_ms for s in samples if s.is_timed), 0.5, 0.95)
    good = sum(s.fault is None for s in samples)
    return {
        "t_s": second,
        "phase": phase,
        "rps": good,
        "p50_ms": latency["p50"],
        "p95_ms": latency["p95"],
        "errors": len(samples) - good,
    }


def errors(samples: Iterable[Sample]) -> list[dict[str, object]]:
    """The kinds of errors, the most frequent first; a kind is a model, a status and a text."""
    kinds = Counter((s.model, s.fault) for s in samples if s.fault is not None)
    return [
        {"model": model, "status": fault.status, "count": count, "sample": fault.text}
        for (model, fault), count in kinds.most_common(MAX_ERRORS)
    ]


def _rounded(value: float | None, digits: int = 3) -> float | None:
    return None if value is None else round(value, digits)
