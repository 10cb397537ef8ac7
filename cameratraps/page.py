"""Makes the page: one HTML file that asks for nothing from outside, thumbnails included.

The browser builds 60 cards at a time, so 10,000 photos stay quick; more go into further pages.
"""

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from string import Template
from typing import Any

from cameratraps.records import Record
from cameratraps.results import Summary, write_text
from cameratraps.words import number, words

FILE = "photos.html"
PER_PAGE = 10_000
"""Photos in one file: some 25 MB."""

_TEMPLATE = Path(__file__).with_name("page.html")
_BARS = 15
_BAR_PX, _NAME_PX, _CHART_PX = 22, 220, 720
_DIGITS = 4


def write(
    found: Sequence[Record],
    summary: Summary,
    language: str,
    folder: Path,
    per_page: int = PER_PAGE,
) -> list[Path]:
    """Writes the page, or pages of `per_page` photos; gives their files."""
    parts = [found[start : start + per_page] for start in range(0, len(found), per_page)] or [found]
    names = [file_name(index) for index in range(len(parts))]
    written = [
        write_text(folder / name, render(part, summary, language, names, index))
        for index, (name, part) in enumerate(zip(names, parts, strict=True))
    ]
    for left in folder.glob("photos-*.html"):  # of a run that had more
        if left not in written:
            left.unlink()
    return written


def file_name(index: int) -> str:
    """Of the page with this number, from 0."""
    return FILE if index == 0 else FILE.replace(".", f"-{index + 1}.")


def render(
    found: Sequence[Record],
    summary: Summary,
    language: str,
    names: Sequence[str] = (FILE,),
    index: int = 0,
) -> str:
    """One page as HTML.

    Args:
        found: the photos on it.
        summary: of all photos.
        language: of `words.LANGUAGES`.
        names: files of all pages.
        index: of this one among them.
    """
    say = words(language)
    return Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        {name: escape(text) for name, text in say.items()},
        language=language,
        facts=_facts(summary, language),
        folder=escape(summary.folder),
        where=escape(", ".join((summary.where, *summary.versions))),
        chart=_chart(summary, language),
        parts=_parts(names, index, say["part"]),
        data=_data(found, language),
    )


def _facts(summary: Summary, language: str) -> str:
    say = words(language)
    rate = summary.photos_per_s
    facts = [
        (number(summary.photos, 0, language), say["photos"]),
        (number(len(summary.species), 0, language), say["species"]),
        (number(summary.failed, 0, language), say["failed"]),
        *([(number(rate, 1, language), say["speed"])] if rate else []),
    ]
    return "".join(f"<li><b>{figure}</b> {escape(word)}</li>" for figure, word in facts)


def _chart(summary: Summary, language: str) -> str:
    """Bars of the commonest species, as SVG."""
    bars = list(summary.species[:_BARS])
    if rest := sum(count for _, count in summary.species[_BARS:]):
        bars.append((words(language)["others"], rest))
    if not bars:
        return ""
    most = max(count for _, count in bars)
    drawn = [_bar(row, *bar, most, language) for row, bar in enumerate(bars)]
    return (
        f'<svg viewBox="0 0 {_CHART_PX} {len(bars) * _BAR_PX}" role="img" '
        f'aria-label="{escape(words(language)["by_species"])}">{"".join(drawn)}</svg>'
    )


def _bar(row: int, name: str, count: int, most: int, language: str) -> str:
    top, middle = row * _BAR_PX, row * _BAR_PX + 15
    width = (_CHART_PX - _NAME_PX - 70) * count / most
    return (
        f'<text x="{_NAME_PX - 8}" y="{middle}" text-anchor="end">{escape(name)}</text>'
        f'<rect x="{_NAME_PX}" y="{top + 3}" width="{width:.1f}" height="{_BAR_PX - 6}"/>'
        f'<text x="{_NAME_PX + width + 6:.1f}" y="{middle}">{number(count, 0, language)}</text>'
    )


def _parts(names: Sequence[str], current: int, word: str) -> str:
    if len(names) == 1:
        return ""
    links = [
        f"<b>{index + 1}</b>" if index == current else f'<a href="{name}">{index + 1}</a>'
        for index, name in enumerate(names)
    ]
    return f"<p>{escape(word)}: {' '.join(links)}</p>"


def _data(found: Sequence[Record], language: str) -> str:
    """What the script reads; labels stand in it once."""
    labels: dict[str, int] = {}
    rows = [_row(record, labels) for record in found]
    document = {"labels": list(labels), "rows": rows, "words": words(language)}
    text = json.dumps(document, separators=(",", ":"))
    return text.replace("<", "\\u003c")  # no text of a photo's name may end the element


def _row(record: Record, labels: dict[str, int]) -> list[Any]:
    predictions = [
        [labels.setdefault(each.label, len(labels)), round(each.probability, _DIGITS)]
        for each in record.predictions
    ]
    return [record.name, predictions, record.error, int(record.reduced), record.thumbnail]
