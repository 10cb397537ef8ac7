"""Draws what a card's page shows as pictures: small SVG, always the same for the same card."""

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any

from bentos import flat
from bentos.pages.metrics import slug, words
from bentos.tables import shown

STANDING = "standing"

_LABEL_PX, _PLOT_PX, _VALUE_PX = 250, 360, 120
_ROW_PX, _TOP_PX = 22, 34
_COLOURS = ("#1f6feb", "#d1622b", "#2e8b57", "#8250df")
_MOST_ROWS = 40


def pictures(card: Mapping[str, Any]) -> dict[str, str]:
    """The SVG of each picture that helps: the bars, and each list whose rows repeat a measure."""
    found = {}
    if lines := list(_standing(card)):
        found[STANDING] = _bars(lines)
    for key, value in card["metrics"].items():
        if isinstance(value, list) and 1 < len(value) <= _MOST_ROWS:
            rows = [dict(flat.leaves(row)) for row in value if isinstance(row, Mapping)]
            if len(rows) == len(value) and (columns := _repeated(rows)):
                found[slug(key)] = _dots(rows, columns)
    return found


def _standing(card: Mapping[str, Any]) -> Iterator[tuple[str, float, float]]:
    """Measure, measured value, and what it is held against."""
    for bar in card["bars"]:
        if bar["measured"] is not None:
            yield bar["measure"], bar["measured"], bar["at_least"]
    compared = card["compared"]
    if compared and compared["measured"] is not None and compared["baseline"] is not None:
        yield f"{compared['measure']} (baseline)", compared["measured"], compared["baseline"]


def _bars(lines: Sequence[tuple[str, float, float]]) -> str:
    """A bar for each line, a mark where it has to reach; each line has a scale of its own."""
    parts = [_text(_LABEL_PX, 18, "bar: measured; line: what was asked", anchor="start")]
    for row, (name, measured, asked) in enumerate(lines):
        y = _TOP_PX + row * _ROW_PX
        whole = max(measured, asked, 1.0 if max(measured, asked) <= 1 else 0.0)
        length, mark = (max(0.0, value) / whole * _PLOT_PX for value in (measured, asked))
        parts += [
            _text(_LABEL_PX - 8, y + 14, words(name)),
            f'<rect x="{_LABEL_PX}" y="{y + 3}" width="{length:.1f}" height="14" '
            f'fill="{_COLOURS[0]}"/>',
            f'<rect x="{_LABEL_PX + mark - 1:.1f}" y="{y}" width="2" height="20" fill="#000"/>',
            _text(
                _LABEL_PX + _PLOT_PX + 8,
                y + 14,
                f"{shown(float(measured))} / {shown(float(asked))}",
                anchor="start",
            ),
        ]
    return _svg(len(lines), parts)


def _repeated(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Columns that hold the same measure of several things: `model.r2`, `last_week.r2`."""
    numeric = [
        name for name in rows[0] if "." in name and all(_is_number(row.get(name)) for row in rows)
    ]
    for name in numeric:
        measure = name.rpartition(".")[2]
        alike = [other for other in numeric if other.rpartition(".")[2] == measure]
        if 1 < len(alike) <= len(_COLOURS) and not measure.isdigit():
            return alike
    return []


def _dots(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> str:
    """A line for each row with a dot for each column, on one scale."""
    values = [float(row[column]) for row in rows for column in columns]
    low, high = min(values), max(values)
    span = (high - low) or 1.0
    parts = []
    for index, column in enumerate(columns):
        at = _LABEL_PX + index * (_PLOT_PX + _VALUE_PX) // len(columns)
        parts += [
            f'<circle cx="{at}" cy="14" r="5" fill="{_COLOURS[index]}"/>',
            _text(at + 10, 18, words(column), anchor="start"),
        ]
    for row, entry in enumerate(rows):
        y = _TOP_PX + row * _ROW_PX + 10
        parts.append(
            f'<line x1="{_LABEL_PX}" x2="{_LABEL_PX + _PLOT_PX}" y1="{y}" y2="{y}" stroke="#ccc"/>'
        )
        parts.append(_text(_LABEL_PX - 8, y + 4, _label(entry)))
        for index, column in enumerate(columns):
            x = _LABEL_PX + (float(entry[column]) - low) / span * _PLOT_PX
            parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" fill="{_COLOURS[index]}"/>')
    bottom = _TOP_PX + len(rows) * _ROW_PX + 14
    parts.append(_text(_LABEL_PX, bottom, shown(low), anchor="middle"))
    parts.append(_text(_LABEL_PX + _PLOT_PX, bottom, shown(high), anchor="middle"))
    return _svg(len(rows) + 1, parts)


def _label(entry: Mapping[str, Any]) -> str:
    return ", ".join(words(value) for value in entry.values() if isinstance(value, str))[:40]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _text(x: float, y: float, text: str, anchor: str = "end") -> str:
    return f'<text x="{x}" y="{y}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(rows: int, parts: Sequence[str]) -> str:
    width, height = _LABEL_PX + _PLOT_PX + _VALUE_PX, _TOP_PX + rows * _ROW_PX + 8
    body = "\n".join(parts)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}" font-family="sans-serif" font-size="12">\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n{body}\n</svg>\n'
    )
