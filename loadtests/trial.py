"""What a canary saw, as the verdict holds it: both sides of each step, and how they went over time.

Standard library only.
"""

from dataclasses import dataclass

from loadtests.slo import Outcome, SloRow


@dataclass(frozen=True, kw_only=True)
class SideFigures:
    """What one side did in a step; None where it is not known.

    Attributes:
        requests: that it was given, retries among them.
        errors: of these, that ended without a good answer from this side.
    """

    requests: int | None = None
    errors: int | None = None
    error_ratio: float | None = None
    p95_ms: float | None = None


@dataclass(frozen=True, kw_only=True)
class CanaryEvidence:
    """One step of a canary.

    Attributes:
        weight_percent: of the users' requests that the candidate was to have.
        achieved_share: that it had, 0 to 1; None where it is not known.
        gate_share: of all requests that were the gate's own, 0 to 1.
        checks: each figure beside its limit.
        notes: what a reader has to know, in the verdict's language.
    """

    weight_percent: float
    started_at: str
    duration_s: float
    result: Outcome
    achieved_share: float | None
    gate_share: float | None
    live: SideFigures
    candidate: SideFigures
    checks: tuple[SloRow, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TimelinePoint:
    """Both sides between two looks.

    Attributes:
        t_s: seconds since the attempt began.
    """

    t_s: float
    weight_percent: float
    live_rps: float | None
    candidate_rps: float | None
    live_error_ratio: float | None
    candidate_error_ratio: float | None
    live_p95_ms: float | None
    candidate_p95_ms: float | None
