"""What a step of a canary saw, as its evidence and in words. Pure."""

import math
from collections.abc import Iterator
from datetime import datetime

from infra.provider import words
from infra.provider.plan import Plan
from loadtests.analysis import Analysis, Side, Window
from loadtests.checks import compared_models
from loadtests.evidence import CanaryEvidence, SideFigures, TimelinePoint
from loadtests.slo import Outcome


def evidence(
    plan: Plan,
    window: Window | None,
    analysis: Analysis | None,
    *,
    weight_percent: float,
    started: datetime,
    duration_s: float,
    result: Outcome,
    was_filled: bool,
) -> CanaryEvidence:
    """One step's evidence.

    Args:
        window: the last one; None where there was none.
        was_filled: whether gate traffic was sent beside the users'.
    """
    live, candidate = (window.live, window.candidate) if window else (Side(), Side())
    return CanaryEvidence(
        weight_percent=weight_percent,
        started_at=started.isoformat(timespec="milliseconds"),
        duration_s=round(duration_s, 3),
        result=result,
        achieved_share=_rounded(window.achieved_share) if window else None,
        gate_share=_rounded(window.gate_share) if window else None,
        live=figures(live),
        candidate=figures(candidate),
        checks=analysis.rows if analysis else (),
        notes=tuple(notes(plan, window, was_filled)) if window else (),
    )


def figures(side: Side) -> SideFigures:
    """What one side did; None for what is not known."""
    return SideFigures(
        requests=side.attempts,
        errors=side.errors,
        error_ratio=_ratio(side),
        p95_ms=_rounded(side.p95_ms, 3),
    )


def point(window: Window, *, t_s: float, weight_percent: float) -> TimelinePoint:
    """Both sides between two looks."""
    live, candidate = window.live, window.candidate
    span_s = max(window.duration_s, 0.001)
    return TimelinePoint(
        t_s=round(t_s, 3),
        weight_percent=weight_percent,
        live_rps=round(live.attempts / span_s, 3),
        candidate_rps=round(candidate.attempts / span_s, 3),
        live_error_ratio=_ratio(live),
        candidate_error_ratio=_ratio(candidate),
        live_p95_ms=_rounded(live.p95_ms, 3),
        candidate_p95_ms=_rounded(candidate.p95_ms, 3),
    )


def told(window: Window, plan: Plan) -> str:
    """What a step that passed found, in a sentence or two."""
    said = words.text(
        "canary",
        plan.language,
        share=window.achieved_share or 0.0,
        requests=window.candidate.attempts,
        errors=_ratio(window.candidate) or 0.0,
        live_errors=_ratio(window.live) or 0.0,
        p95=window.candidate.p95_ms or math.nan,
        live_p95=window.live.p95_ms or math.nan,
    )
    filled = window.gate_share
    return f"{said} {_filled(plan, filled)}" if filled else said


def notes(plan: Plan, window: Window, was_filled: bool) -> Iterator[str]:
    """What a reader has to know beside the figures, in the plan's language."""
    if was_filled:
        yield _filled(plan, window.gate_share or 0.0)
    for shift in window.shifts:
        if not shift.is_same_version:
            yield words.text(
                "canary_version",
                plan.language,
                model=shift.model,
                differ=shift.differ,
                compared=shift.compared,
            )
    if alone := sorted(set(plan.models) - set(compared_models(window))):
        yield words.text("canary_not_compared", plan.language, models=", ".join(alone))


def _filled(plan: Plan, share: float) -> str:
    return words.text("canary_filled", plan.language, share=share)


def _ratio(side: Side) -> float | None:
    return _rounded(side.error_ratio if side.attempts else None)


def _rounded(value: float | None, digits: int = 6) -> float | None:
    return None if value is None or not math.isfinite(value) else round(value, digits)
