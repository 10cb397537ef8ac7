"""docs/performance.svg: requests per second and CPU per request; the same figures draw the same."""

from io import StringIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks import figures, plan, report
from benchmarks.figures import Document
from benchmarks.plan import LOADS, Load

# Okabe and Ito's colours: told apart with every form of colour blindness.
_COLOURS = {
    plan.OURS: "#0072B2",
    plan.FASTAPI: "#009E73",
    plan.BENTOML: "#E69F00",
    plan.MOSEC: "#CC79A7",
    plan.YARDSTICK: "#999999",
}
_SIZE_INCHES = (13.0, 7.0)
_STYLE: dict[Any, Any] = {  # its keys are a list of literals
    "svg.fonttype": "none",
    "svg.hashsalt": "bentofleet",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.bottom": False,
    "axes.spines.left": False,
}
_ROOM = 1.35  # right of the longest bar, for its figure


def draw(document: Document) -> str:
    """The plot as SVG."""
    loads = [each for each in LOADS if figures.names(document, each.what)]
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
        parts = figure.subfigures(2, 1, squeeze=False)[:, 0]
        for part, (measure, title) in zip(parts, _MEASURES.items(), strict=True):
            part.suptitle(title, x=0.01, ha="left", fontweight="bold")
            panels = part.subplots(1, len(loads), squeeze=False)[0]
            for axes, each in zip(panels, loads, strict=True):
                _panel(axes, document, each, measure)
                axes.set_yticks(range(len(_NAMES)), _LABELS if each is loads[0] else [])
        out = StringIO()
        figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    # Matplotlib ends some lines with a blank.
    return "".join(f"{line.rstrip()}\n" for line in out.getvalue().splitlines())


def _panel(axes: Axes, document: Document, load: Load, measure: str) -> None:
    """A bar for each arrangement."""
    longest = 0.0
    for row, name in enumerate(_NAMES):
        found = figures.cell(document, name, load)
        if found is None or found.failed:
            axes.text(0, row, " failed" if found else " not measured", va="center", color="#666666")
            continue
        value: float = getattr(found, measure)
        axes.barh(row, value, color=_COLOURS[_rival(name)], height=0.72)
        end = value
        if measure == "rps":
            axes.hlines(row, found.low, found.high, color="#000000", linewidth=1)
            end = max(value, found.high)
        axes.annotate(
            report.number(value), (end, row), (4, 0), textcoords="offset points", va="center"
        )
        longest = max(longest, end)
    axes.set_xlim(0, (longest or 1.0) * _ROOM)
    axes.set_ylim(len(_NAMES) - 0.5, -0.5)
    axes.set_xticks([])
    axes.tick_params(left=False)
    axes.set_title(load.name, loc="left", fontsize=9)


def _rival(name: str) -> str:
    return next((a.rival for a in plan.ARRANGEMENTS if a.name == name), plan.YARDSTICK)


def _label(name: str) -> str:
    title, asks = report.TITLES[name]
    own = name.startswith("ours") or name == plan.YARDSTICK
    return title if own or asks == plan.NOTHING else f"{title}, checked"


_NAMES = (*(a.name for a in plan.ARRANGEMENTS), plan.YARDSTICK)
_LABELS = [_label(name) for name in _NAMES]
_MEASURES = {
    "rps": "Requests per second: longer is better; the line goes from slowest to fastest round",
    "cpu_us": "Server CPU per request in µs: shorter is better",
}
