"""The drawings: scales, gaps and long runs."""

from xml.etree import ElementTree

import pytest

from loadtests.report import plots
from loadtests.report.plots import Second
from loadtests.report.svg import ticks
from loadtests.report.words import Words

WORDS = Words("en")


def second(t_s: int, phase: str = "steady", p95_ms: float | None = 40.0) -> Second:
    return Second(t_s=t_s, phase=phase, rps=30, errors=0, p50_ms=p95_ms, p95_ms=p95_ms)


def drawn(svg: str, style: str) -> list[ElementTree.Element]:
    root = ElementTree.fromstring(svg)  # noqa: S314 - made here
    return [e for e in root.iter() if style in (e.get("class") or "").split()]


@pytest.mark.parametrize(
    ("highest", "last", "count"),
    [(0, 1, 2), (0.3, 0.3, 4), (7, 8, 5), (31, 40, 5), (200, 200, 5), (451, 600, 4)],
)
def test_scales_end_on_a_round_number_not_below_the_highest(
    highest: float, last: float, count: int
) -> None:
    levels = ticks(highest)
    assert levels[0] == 0
    assert levels[-1] == pytest.approx(last)
    assert levels[-1] >= highest
    assert len(levels) == count


def test_seconds_without_answers_leave_a_gap_in_the_line() -> None:
    values = [40, 50, None, None, 60, None, 45, 44]
    series = [second(t, p95_ms=v) for t, v in enumerate(values)]
    assert len(drawn(plots.latency(series, 200, WORDS), "p95")) == 3


def test_phases_are_shaded_and_saturation_stands_apart_without_a_limit() -> None:
    phases = ["warmup"] * 2 + ["steady"] * 5 + ["drain"] + ["saturation"] * 3
    svg = plots.latency([second(t, phase) for t, phase in enumerate(phases)], 200, WORDS)
    for phase in ("warmup", "steady", "drain", "saturation"):
        assert len([e for e in drawn(svg, "band") if phase in (e.get("class") or "")]) == 1
    assert [e.tag for e in drawn(svg, "limit")] == ["line", "text"]


def test_the_asked_rate_is_drawn_where_it_was_kept() -> None:
    phases = ["steady"] * 5 + ["saturation"] * 3
    series = [second(t, phase) for t, phase in enumerate(phases)]
    assert [e.tag for e in drawn(plots.throughput(series, 30, WORDS), "asked")] == ["line", "text"]
    assert drawn(plots.throughput(series, None, WORDS), "asked") == []


def test_a_long_run_is_thinned_and_keeps_its_worst_seconds() -> None:
    series = [second(t, p95_ms=900.0 if t == 1234 else 40.0) for t in range(3600)]
    thin = plots.thinned(series)
    assert len(thin) == plots.MAX_POINTS
    assert max(s.p95_ms or 0 for s in thin) == 900
    assert {s.rps for s in thin} == {30}
    assert len(drawn(plots.latency(series, 200, WORDS), "hint")) == plots.MAX_POINTS


def test_nothing_to_draw_is_no_plot() -> None:
    assert plots.read(None) == []
    assert plots.thinned([]) == []
