"""The two plots of a load test: time to answer and good answers, by second."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from loadtests.report import svg
from loadtests.report.words import Words, is_number

MAX_POINTS = 300
"""Points that a plot shows; more seconds than that are put together."""
APART = "saturation"


@dataclass(frozen=True, kw_only=True)
class Second:
    """What one entry of gate.json's series tells."""

    t_s: int
    phase: str
    rps: float
    errors: float
    p50_ms: float | None
    p95_ms: float | None


def read(series: object) -> list[Second]:
    """The series of gate.json; entries that are none are left out."""
    entries = series if isinstance(series, list) else []
    return [_second(e) for e in entries if isinstance(e, Mapping) and is_number(e.get("t_s"))]


def thinned(seconds: Sequence[Second], at_most: int = MAX_POINTS) -> list[Second]:
    """The seconds of one phase put together by the same number: the worst p95, the mean rate."""
    size = -(-len(seconds) // at_most)
    groups = [seconds[i : i + size] for i in range(0, len(seconds), size)] if size else []
    return [
        Second(
            t_s=group[0].t_s,
            phase=group[0].phase,
            rps=sum(s.rps for s in group) / len(group),
            errors=sum(s.errors for s in group) / len(group),
            p50_ms=max((s.p50_ms for s in group if s.p50_ms is not None), default=None),
            p95_ms=max((s.p95_ms for s in group if s.p95_ms is not None), default=None),
        )
        for group in groups
    ]


def latency(seconds: Sequence[Second], limit_ms: float | None, words: Words) -> str:
    """Time to answer: p50, p95 and the limit."""

    def panel(part: Sequence[Second]) -> svg.Panel:
        return svg.Panel(
            seconds=[s.t_s for s in part],
            step_s=_step_s(part),
            curves=(
                svg.Curve(kind="line", style="curve p50", values=[s.p50_ms for s in part]),
                svg.Curve(kind="line", style="curve p95", values=[s.p95_ms for s in part]),
            ),
            hints=[
                words.say(
                    "plots.point_latency",
                    second=s.t_s,
                    p50=words.figure(s.p50_ms),
                    p95=words.figure(s.p95_ms),
                )
                for s in part
            ],
            bands=_bands(part, words),
            rules=() if part[0].phase == APART else _limit(limit_ms, words),
        )

    return _chart([panel(part) for part in _parts(seconds)], words)


def throughput(seconds: Sequence[Second], asked_rps: float | None, words: Words) -> str:
    """Good answers and errors, and the rate that was asked for."""

    def panel(part: Sequence[Second]) -> svg.Panel:
        is_paced = part[0].phase != APART and asked_rps is not None
        asked = words.say("plots.asked", rate=words.short(asked_rps or 0))
        return svg.Panel(
            seconds=[s.t_s for s in part],
            step_s=_step_s(part),
            curves=(
                # The good answers are drawn over the sum, so that the errors stand on top of them.
                svg.Curve(kind="bars", style="bar bad", values=[s.rps + s.errors for s in part]),
                svg.Curve(kind="bars", style="bar good", values=[s.rps for s in part]),
            ),
            hints=[
                words.say(
                    "plots.point_throughput",
                    second=s.t_s,
                    good=words.short(s.rps),
                    errors=words.short(s.errors),
                )
                for s in part
            ],
            bands=_bands(part, words),
            rules=(svg.Rule(style="asked", label=asked, level=asked_rps or 0),) if is_paced else (),
        )

    return _chart([panel(part) for part in _parts(seconds)], words)


def _chart(panels: Sequence[svg.Panel], words: Words) -> str:
    highest = max(panel.highest for panel in panels)
    return svg.chart(panels, words.say("plots.described", highest=words.short(highest)))


def _parts(seconds: Sequence[Second]) -> list[list[Second]]:
    """The paced phases together, and the saturation with a scale of its own."""
    parts = (
        [s for s in seconds if s.phase != APART],
        [s for s in seconds if s.phase == APART],
    )
    return [thinned(part) for part in parts if part]


def _bands(part: Sequence[Second], words: Words) -> list[svg.Band]:
    bands = []
    for phase, run in groupby(part, key=lambda s: s.phase):
        seconds = list(run)
        label = words.say_or(f"plots.phase.{phase}", phase)
        end = seconds[-1].t_s + _step_s(part)
        style = f"band {phase if phase in ('warmup', 'steady', 'drain', APART) else 'other'}"
        bands.append(svg.Band(style=style, label=label, start=seconds[0].t_s, end=end))
    return bands


def _step_s(part: Sequence[Second]) -> int:
    return max(1, part[1].t_s - part[0].t_s) if len(part) > 1 else 1


def _limit(limit_ms: float | None, words: Words) -> tuple[svg.Rule, ...]:
    if limit_ms is None:
        return ()
    label = words.say("plots.limit", limit=words.short(limit_ms))
    return (svg.Rule(style="limit", label=label, level=limit_ms),)


def _second(entry: Mapping[str, Any]) -> Second:
    def number(key: str) -> float | None:
        value = entry.get(key)
        return float(value) if is_number(value) else None

    return Second(
        t_s=int(entry["t_s"]),
        phase=str(entry.get("phase", "")),
        rps=number("rps") or 0.0,
        errors=number("errors") or 0.0,
        p50_ms=number("p50_ms"),
        p95_ms=number("p95_ms"),
    )
