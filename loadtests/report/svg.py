"""Draws the curves of a load test as SVG, by the second. Everything written into it is escaped.

Panels stand side by side, each with a scale of its own, so that the saturation does not press the
judged phase flat.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal
from xml.etree.ElementTree import Element, SubElement, tostring

WIDTH, HEIGHT = 920.0, 260.0
LEFT, RIGHT, TOP, BOTTOM = 46.0, 10.0, 26.0, 24.0
GAP = 58.0
LEAST_SHARE = 0.2
"""Of the width, for the narrowest panel."""
LABEL_WIDTH = 50.0
HEADROOM = 1.12
TIME_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1800, 3600, 7200)

Kind = Literal["line", "bars"]


@dataclass(frozen=True, kw_only=True)
class Curve:
    """Values by second; None leaves a gap.

    Attributes:
        style: CSS class.
    """

    kind: Kind
    style: str
    values: Sequence[float | None]


@dataclass(frozen=True, kw_only=True)
class Band:
    """A phase: seconds from `start` up to but not with `end`."""

    style: str
    label: str
    start: int
    end: int


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A level that is drawn across a panel."""

    style: str
    label: str
    level: float


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Curves over the same seconds, with one scale.

    Attributes:
        seconds: where what the curves' values belong to begins.
        step_s: how long it is.
        hints: shown when the pointer rests on a second.
        bands: the phases that the panel covers.
    """

    seconds: Sequence[int]
    step_s: int
    curves: Sequence[Curve]
    hints: Sequence[str]
    bands: Sequence[Band]
    rules: Sequence[Rule] = ()

    @property
    def highest(self) -> float:
        """The highest value or level; 0 of nothing."""
        values = [v for c in self.curves for v in c.values if v is not None]
        return max((*values, *(r.level for r in self.rules)), default=0.0)


def chart(panels: Sequence[Panel], description: str) -> str:
    """The panels side by side, as one `<svg>` element."""
    root = Element(
        "svg",
        {"viewBox": f"0 0 {WIDTH:g} {HEIGHT:g}", "role": "img", "aria-label": description},
    )
    left = LEFT
    for panel, width in zip(panels, _widths([len(p.seconds) for p in panels]), strict=True):
        _Drawing(root, panel, left, width).draw()
        left += width + GAP
    return tostring(root, encoding="unicode")


def _widths(seconds: Sequence[int]) -> list[float]:
    room = WIDTH - LEFT - RIGHT - GAP * (len(seconds) - 1)
    shares = [max(s / sum(seconds), LEAST_SHARE) for s in seconds]
    return [room * share / sum(shares) for share in shares]


def ticks(highest: float, about: int = 4) -> list[float]:
    """Round levels from 0 to the first one that is not below `highest`."""
    if highest <= 0:
        return [0.0, 1.0]
    size = 10 ** math.floor(math.log10(highest / about))
    step = next(size * s for s in (1, 2, 2.5, 5, 10) if highest / (size * s) <= about)
    return [step * i for i in range(math.ceil(highest / step - 1e-9) + 1)]


class _Drawing:
    """One panel on its place."""

    def __init__(self, root: Element, panel: Panel, left: float, width: float) -> None:
        self._root, self._panel = root, panel
        self._left, self._width = left, width
        self._ticks = ticks(panel.highest * HEADROOM)
        self._first = panel.seconds[0]
        self._span = panel.seconds[-1] + panel.step_s - self._first
        self._step = width * panel.step_s / self._span

    def draw(self) -> None:
        for band in self._panel.bands:
            self._band(band)
        self._axes()
        for curve in self._panel.curves:
            (self._bars if curve.kind == "bars" else self._line)(curve)
        for rule in self._panel.rules:
            self._rule(rule)
        self._hints()

    def _x(self, second: float) -> float:
        return self._left + self._width * (second - self._first) / self._span

    def _y(self, value: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / self._ticks[-1]

    def _band(self, band: Band) -> None:
        x, width = self._x(band.start), self._x(band.end) - self._x(band.start)
        self._add("rect", band.style, x=x, y=TOP, width=width, height=HEIGHT - TOP - BOTTOM)
        if width > 7 * len(band.label):
            self._text(band.label, "phase", x + width / 2, TOP - 9, "middle")

    def _axes(self) -> None:
        for level in self._ticks:
            y = self._y(level)
            self._add("line", "grid", x1=self._left, x2=self._left + self._width, y1=y, y2=y)
            self._text(f"{level:g}", "tick", self._left - 6, y + 4, "end")
        for second in self._marks():
            self._text(f"{second} s", "tick", self._x(second), HEIGHT - 7, "middle")

    def _marks(self) -> Iterator[int]:
        room = max(1.0, self._width / LABEL_WIDTH)
        step = next(s for s in TIME_STEPS if self._span / s <= room)
        return (s for s in range(self._first, self._first + self._span + 1) if s % step == 0)

    def _line(self, curve: Curve) -> None:
        points = zip(self._panel.seconds, curve.values, strict=True)
        for is_gap, run in groupby(points, key=lambda p: p[1] is None):
            if not is_gap:
                spots = [
                    (self._x(s + self._panel.step_s / 2), self._y(v))
                    for s, v in run
                    if v is not None
                ]
                if len(spots) == 1:  # a line of one point would not be seen
                    spots.append((spots[0][0] + 1.5, spots[0][1]))
                path = "M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in spots)
                self._add("path", curve.style, d=path)

    def _bars(self, curve: Curve) -> None:
        for second, value in zip(self._panel.seconds, curve.values, strict=True):
            if value:
                y = self._y(value)
                x, bottom = self._x(second), self._y(0)
                self._add(
                    "rect",
                    curve.style,
                    x=x + self._step * 0.1,
                    y=y,
                    width=self._step * 0.8,
                    height=bottom - y,
                )

    def _rule(self, rule: Rule) -> None:
        y = self._y(rule.level)
        self._add("line", rule.style, x1=self._left, x2=self._left + self._width, y1=y, y2=y)
        self._text(rule.label, f"{rule.style} label", self._left + self._width - 4, y - 5, "end")

    def _hints(self) -> None:
        for second, hint in zip(self._panel.seconds, self._panel.hints, strict=True):
            area = self._add(
                "rect",
                "hint",
                x=self._x(second),
                y=TOP,
                width=self._step,
                height=HEIGHT - TOP - BOTTOM,
            )
            SubElement(area, "title").text = hint

    def _text(self, text: str, style: str, x: float, y: float, anchor: str) -> None:
        self._add("text", style, x=x, y=y, **{"text-anchor": anchor}).text = text

    def _add(self, tag: str, style: str, **attributes: float | str) -> Element:
        plain = {k: v if isinstance(v, str) else f"{v:.1f}" for k, v in attributes.items()}
        return SubElement(self._root, tag, {"class": style, **plain})
