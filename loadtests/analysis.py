"""Judges a canary against live over the same window. Runs nothing; standard library only.

Only a window without a gap can pass. What makes it trustworthy:

- Both sides are counted in the same way, over the same time, and need the same number of samples.
- Errors are counted, not estimated: more than `max(attempts, least samples)` may have is a fail at
  once, however few attempts there were. Live's own share of errors is allowed on top.
- A 95th percentile over its limit is a fail only where chance cannot be the cause: where the
  candidate's lower bound is over the limit that live's upper bound gives, each with 99 % confidence
  (`loadtests.durations`). Else more samples are waited for.
- What cannot be known is never taken for good: it is inconclusive, and nothing is promoted.
"""

from dataclasses import dataclass

from loadtests.checks import every_check
from loadtests.reasons import Finding
from loadtests.slo import Outcome, SloRow
from loadtests.window import CANDIDATE, LIVE, Bound, Limits, Needs, Reading, Shift, Side, Window

__all__ = [
    "CANDIDATE",
    "LIVE",
    "Analysis",
    "Bound",
    "Limits",
    "Needs",
    "Reading",
    "Shift",
    "Side",
    "Window",
    "judge",
]

NO_CURE = frozenset(
    {
        "canary_counters_back",
        "canary_fill_cpu",
        "canary_fill_failed",
        "canary_fill_lag",
        "canary_fill_line",
        "canary_fill_offered",
        "canary_fill_overload",
        "canary_fill_unanswered",
        "canary_live_down",
        "canary_no_common_buckets",
        "canary_no_live",
        "canary_other_release",
        "canary_query_kind",
        "canary_query_refused",
        "canary_restarted",
        "canary_share_high",
        "canary_shift_unanswered",
        "canary_token_file",
        "canary_weight_lost",
    }
)
"""Findings that no waiting cures: the step ends at once."""

MORE_SAMPLES = frozenset({"canary_p95_unsure", "canary_p95_unsure_model", "canary_both_sick"})
"""Findings that more samples than the least may decide."""


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """What a window says of the candidate, and why.

    Attributes:
        findings: of the gravest kind alone: what makes it a fail, else what nothing cures, else
            what is missing.
    """

    outcome: Outcome
    findings: tuple[Finding, ...]
    rows: tuple[SloRow, ...]

    @property
    def is_settled(self) -> bool:
        """Whether no waiting makes it a pass."""
        return self.outcome == "fail" or any(f.kind in NO_CURE for f in self.findings)

    @property
    def needs_more(self) -> bool:
        """Whether more samples may decide what the least number does not."""
        return any(f.kind in MORE_SAMPLES for f in self.findings)

    @property
    def reasons(self) -> tuple[str, ...]:
        """The findings as English sentences."""
        return tuple(f.text() for f in self.findings)


def judge(window: Window, limits: Limits, needs: Needs, *, is_over: bool = True) -> Analysis:
    """What the window says of the candidate.

    A failure stands whatever is in doubt elsewhere: each check looks at its own figures.

    Args:
        is_over: whether its time is over; before that a query may miss its bound for a moment.
    """
    checks = tuple(every_check(window, limits, needs, is_over))
    rows = tuple(c.row for c in checks if c.row)
    fails = tuple(c.fails for c in checks if c.fails)
    doubts = (*window.faults, *(c.doubts for c in checks if c.doubts))
    if fails:
        return Analysis(outcome="fail", findings=fails, rows=rows)
    final = tuple(d for d in doubts if d.kind in NO_CURE)
    outcome: Outcome = "inconclusive" if doubts else "pass"
    return Analysis(outcome=outcome, findings=final or doubts, rows=rows)
