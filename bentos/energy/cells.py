"""Reads the cells of the Tetouan table and refuses values that no meter and no weather gives."""

import csv
import io
from collections.abc import Iterator, Sequence
from datetime import datetime

from bentos.energy.features import WEATHER
from bentos.energy.spec import SPEC, ZONES
from bentos.spec import Number, Table

MAX_POWER_KW = 100_000.0
"""Twice what a zone of the city ever drew; a meter in watts or a slipped comma is far above."""

_TIME_FORMAT = "%m/%d/%Y %H:%M"
_SHOWN_CHARACTERS = 40


def rows(content: bytes, header: Sequence[str]) -> Iterator[tuple[datetime, list[float]]]:
    """Moment and numbers of each row, in order.

    Args:
        content: the CSV, with its header.
        header: names of the columns, for messages; the moment's is first.

    Raises:
        ValueError: a cell that cannot be right, named by row (from 1) and column.
    """
    before = datetime.min
    for number, cells in enumerate(_lines(content), 1):
        if len(cells) != len(header):
            raise ValueError(f"row {number} should have {len(header)} values (got {len(cells)})")
        moment = _moment(cells[0], number, header[0])
        if moment <= before:
            raise ValueError(
                f"row {number}, column {header[0]!r}: should be later than the row before it "
                f"(got {cells[0]!r})"
            )
        before = moment
        values = zip(cells[1:], header[1:], _BOUNDS, strict=True)
        yield moment, [_number(text, number, name, bounds) for text, name, bounds in values]


def first_wrong(content: bytes, header: Sequence[str]) -> str | None:
    """What is wrong with the first cell that cannot be right; None where all can be."""
    try:
        for _ in rows(content, header):
            pass
    except ValueError as error:
        return str(error)
    return None


def _bounds() -> tuple[tuple[float, float], ...]:
    """Of the columns after the moment: what the service takes, and what a zone can draw."""
    assert isinstance(SPEC.takes, Table)  # noqa: S101 - the spec is ours
    columns = {c.name: c for c in SPEC.takes.columns if isinstance(c, Number)}
    weather = tuple((columns[name].minimum, columns[name].maximum) for name in WEATHER)
    return weather + ((0.0, MAX_POWER_KW),) * len(ZONES)


_BOUNDS = _bounds()


def _lines(content: bytes) -> Iterator[list[str]]:
    lines = csv.reader(io.StringIO(content.decode("utf-8", errors="replace")))
    next(lines)
    try:
        yield from lines
    except csv.Error as error:
        raise ValueError(f"line {lines.line_num} cannot be read ({error})") from error


def _moment(text: str, number: int, name: str) -> datetime:
    try:
        return datetime.strptime(text, _TIME_FORMAT)
    except ValueError:
        raise ValueError(
            f"row {number}, column {name!r}: should be a time such as 7/14/2017 14:30 "
            f"(got {text[:_SHOWN_CHARACTERS]!r})"
        ) from None


def _number(text: str, number: int, name: str, bounds: tuple[float, float]) -> float:
    low, high = bounds
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:  # also when it is not a number
        raise ValueError(
            f"row {number}, column {name!r}: should be a number from {low:g} to {high:g} "
            f"(got {text[:_SHOWN_CHARACTERS]!r})"
        )
    return value
