"""The part of the page that shows the canary: both sides over time, and each step in a table."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from loadtests.evidence import CanaryEvidence, SideFigures, TimelinePoint, Verdict
from loadtests.report import cards, svg
from loadtests.report.words import Words

MAX_COLUMNS = 240
Value = Callable[[TimelinePoint], float | None]


def plots(verdict: Verdict, words: Words) -> list[dict[str, Any]]:
    """Share, rate, errors and time to answer of both sides; none without a timeline."""
    points = verdict.timeline
    if not points:
        return []
    drawn = {
        "share": _plot(points, _achieved_percent, lambda p: p.weight_percent, words),
        "rate": _plot(points, lambda p: p.candidate_rps, lambda p: p.live_rps, words),
        "errors": _plot(
            points,
            lambda p: _percent(p.candidate_error_ratio),
            lambda p: _percent(p.live_error_ratio),
            words,
        ),
        "latency": _plot(points, lambda p: p.candidate_p95_ms, lambda p: p.live_p95_ms, words),
    }
    # The drawings are made with an XML writer, which escapes what it is given.
    return [
        {"kind": kind, "other": "asked" if kind == "share" else "live", "svg": Markup(text)}  # noqa: S704
        for kind, text in drawn.items()
    ]


def rows(verdict: Verdict, words: Words) -> list[dict[str, Any]]:
    """A row for each step, and what it was judged by."""
    return [_row(step, words) for step in verdict.canary]


def _row(step: CanaryEvidence, words: Words) -> dict[str, Any]:
    return {
        "weight": words.percent(step.weight_percent / 100),
        "achieved": _share(step.achieved_share, words),
        "gate": _share(step.gate_share, words),
        "took": words.duration(step.duration_s),
        "live": _side(step.live, words),
        "candidate": _side(step.candidate, words),
        "result": step.result,
        "result_name": words.say(f"steps.result_of.{step.result}"),
        "checks": [
            {
                "name": _check_name(row.name, words),
                "measured": _exact(row.measured, words),
                "limit": words.exact(row.limit),
                "mark": cards.mark(row.ok),
            }
            for row in step.checks
        ],
        "notes": step.notes,
    }


def _side(side: SideFigures, words: Words) -> dict[str, str]:
    return {
        "requests": words.figure(side.requests),
        "errors": _share(side.error_ratio, words),
        "p95": words.figure(side.p95_ms),
    }


def _check_name(name: str, words: Words) -> str:
    kind, _, of = name.partition(":")
    told = words.say_or(f"trial.check.{kind}", kind)
    return f"{told}: {of}" if of else told


def _share(ratio: float | None, words: Words) -> str:
    return words.figure(None) if ratio is None else words.percent(round(ratio, 4))


def _exact(value: float | None, words: Words) -> str:
    return words.figure(None) if value is None else words.exact(value)


def _percent(ratio: float | None) -> float | None:
    return None if ratio is None else 100 * ratio


def _achieved_percent(point: TimelinePoint) -> float | None:
    if point.candidate_rps is None or point.live_rps is None:
        return None
    both = point.candidate_rps + point.live_rps
    return 100 * point.candidate_rps / both if both else None


def _plot(points: Sequence[TimelinePoint], candidate: Value, other: Value, words: Words) -> str:
    """Both sides on a grid of seconds: looks come about every so often, a drawing wants columns."""
    first, last = int(points[0].t_s), int(points[-1].t_s)
    step_s = max(_usual_step_s(points), -(-(last - first + 1) // MAX_COLUMNS))
    seconds = list(range(first, last + 1, step_s))
    columns: list[TimelinePoint | None] = [None] * len(seconds)
    for point in points:
        columns[(int(point.t_s) - first) // step_s] = point
    values = [[None if c is None else value(c) for c in columns] for value in (other, candidate)]
    panel = svg.Panel(
        seconds=seconds,
        step_s=step_s,
        curves=(
            svg.Curve(kind="line", style="curve live", values=values[0]),
            svg.Curve(kind="line", style="curve candidate", values=values[1]),
        ),
        hints=[
            words.say("trial.point", second=s, live=words.figure(a), candidate=words.figure(b))
            for s, a, b in zip(seconds, *values, strict=True)
        ],
        bands=(),
    )
    return svg.chart([panel], words.say("plots.described", highest=words.short(panel.highest)))


def _usual_step_s(points: Sequence[TimelinePoint]) -> int:
    gaps = sorted(b.t_s - a.t_s for a, b in pairwise(points))
    # a column more than the usual gap, so that none stays empty between two looks
    return max(1, int(gaps[len(gaps) // 2]) + 1) if gaps else 1
