"""Checks table rows against the spec: strict types, ranges, every wrong field named."""

import json
import math
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import orjson

from bentos.spec import Choice, Column, Number, Table, Timestamp
from service import contract
from service.api import problems
from service.api.problems import FieldError

# Date and time, both whole; `fromisoformat` alone would also take weeks and bare dates.
_TIMESTAMP = re.compile(
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?([Zz]|[+-]\d{2}:[0-5]\d)?$",
    re.ASCII,
)
_MAX_NAME = 60


def parse(body: bytes) -> object:
    """The JSON in a body.

    Raises:
        ProblemError: not JSON; NaN and Infinity are not, nor are numbers too large for a double,
            nor is an object with a key twice: two readers would see two different rows.
    """
    document = _loaded(body)
    _refuse_twins(body, document)
    return document


class Rows:
    """Reads the rows of one table: as `parse` and `check` do, faster where nothing is wrong."""

    def __init__(self, takes: Table) -> None:
        """Prepares what each column needs."""
        self._takes = takes
        self._numbers = [
            (c.name, c.minimum, c.maximum) for c in takes.columns if isinstance(c, Number)
        ]
        self._texts = [
            (c.name, _text_reader(c)) for c in takes.columns if not isinstance(c, Number)
        ]
        self._quotes = 2 * (len(takes.columns) + len(self._texts))

    def read(self, body: bytes) -> dict[str, object]:
        """The values of the one row in a body.

        Raises:
            ProblemError: as `parse` and `check`.
        """
        document = _loaded(body)
        # With a key that stands twice there are either more quotes, or a column is missing.
        if body.count(b'"') != self._quotes or b"\\" in body:
            _refuse_twins(body, document)
        return self.check(document)

    def check(self, row: object) -> dict[str, object]:
        """The row's values.

        Raises:
            ProblemError: as the function `check`.
        """
        values = self._values(row) if type(row) is dict else None
        return check(row, self._takes) if values is None else values

    def _values(self, row: dict[str, object]) -> dict[str, object] | None:
        """None: something is wrong, or at least not plainly right."""
        values: dict[str, object] = {}
        for name, low, high in self._numbers:
            given = row.get(name)
            kind = type(given)
            if not (kind is float or kind is int) or not low <= given <= high:  # type: ignore[operator]
                return None
            values[name] = float(given)  # type: ignore[arg-type]
        for name, read in self._texts:
            value = read(row.get(name))
            if value is None:
                return None
            values[name] = value
        return values if len(values) == len(row) else None


def batch_items(document: object, takes: Table) -> list[object]:
    """The items of a batch request; each is checked on its own.

    Raises:
        ProblemError: not `{"items": [...]}`, or too few or too many of them.
    """
    name = contract.ITEMS_FIELD
    if not isinstance(document, dict):
        raise problems.invalid_field("", f'should be an object {{"{name}": [...]}}')
    errors = [_unknown(key) for key in document if key != name]
    items = document.get(name)
    if not isinstance(items, list):
        errors.append(FieldError(name, "is missing" if items is None else "should be a list"))
    elif not 1 <= len(items) <= takes.batch_items:
        errors.append(
            FieldError(name, f"should have 1 to {takes.batch_items} items (got {len(items)})")
        )
    if errors or not isinstance(items, list):
        raise problems.invalid(errors)
    return items


def _loaded(body: bytes) -> object:
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(str(error)) from error


def _refuse_twins(body: bytes, document: object) -> None:
    """Asks the slow parser only where there may be any.

    A key that stands twice is once in the document, so its quotes are missing there. Only with
    escapes can the numbers of quotes agree by chance.
    """
    try:
        quotes = orjson.dumps(document).count(b'"')  # which refuses what is nested too deep
        if b"\\" in body or body.count(b'"') != quotes:
            json.loads(body, object_pairs_hook=_once, parse_int=str)
    except (RecursionError, orjson.JSONEncodeError):
        raise _not_json("it is nested too deep") from None


def _once(pairs: list[tuple[str, object]]) -> None:
    seen: set[str] = set()
    for key, _ in pairs:
        if key in seen:
            raise _not_json(f"the key {problems.shown(key)} stands twice in one object")
        seen.add(key)


def _not_json(reason: str) -> problems.ProblemError:
    return problems.ProblemError(problems.BAD_REQUEST, f"The body is not JSON: {reason}.")


def check(row: object, takes: Table) -> dict[str, object]:
    """The row's values: floats, choices, and datetimes with or without zone.

    Raises:
        ProblemError: names every field that is missing, unknown or wrong.
    """
    if not isinstance(row, dict):
        raise problems.invalid_field("", f"should be an object (got {problems.shown(row)})")
    errors: list[FieldError] = []
    values: dict[str, object] = {}
    for column in takes.columns:
        if column.name not in row:
            errors.append(FieldError(column.name, "is missing"))
            continue
        try:
            values[column.name] = _value(column, row[column.name])
        except ValueError as error:
            errors.append(FieldError(column.name, str(error)))
    if len(row) > len(values):
        errors.extend(_unknown_fields(row, takes))
    if errors:
        raise problems.invalid(errors)
    return values


def _text_reader(column: Choice | Timestamp) -> Callable[[object], object]:
    """A function from what was given to the value; None: look closer."""
    if isinstance(column, Choice):
        allowed = frozenset(column.values)
        return lambda given: given if type(given) is str and given in allowed else None

    def moment(given: object) -> object:
        try:
            return _moment(column, given)
        except ValueError:
            return None

    return moment


def _value(column: Column, given: object) -> float | str | datetime:
    match column:
        case Number():
            return _number(column, given)
        case Choice():
            return _choice(column, given)
        case Timestamp():
            return _moment(column, given)


def _number(column: Number, given: object) -> float:
    kind = type(given)  # not isinstance: a bool is an int there
    if kind is not float and kind is not int:
        raise ValueError(f"should be a number in {column.unit} (got {problems.shown(given)})")
    value = float(given)  # type: ignore[arg-type]
    if not (math.isfinite(value) and column.minimum <= value <= column.maximum):
        raise ValueError(
            f"should be from {column.minimum:g} to {column.maximum:g} {column.unit} "
            f"(got {problems.shown(given)})"
        )
    return value


def _choice(column: Choice, given: object) -> str:
    if isinstance(given, str) and given in column.values:
        return given
    raise ValueError(f"should be one of: {', '.join(column.values)} (got {problems.shown(given)})")


def _moment(column: Timestamp, given: object) -> datetime:
    form = f"should be an ISO 8601 date and time such as {column.example}"
    if not isinstance(given, str) or not _TIMESTAMP.match(given):
        raise ValueError(f"{form} (got {problems.shown(given)})")
    try:
        moment = datetime.fromisoformat(given.upper())
    except ValueError:
        raise ValueError(f"{form} (got {problems.shown(given)}, no such time)") from None
    if not contract.FIRST_YEAR <= moment.year <= contract.LAST_YEAR:
        raise ValueError(
            f"should lie in the years {contract.FIRST_YEAR} to {contract.LAST_YEAR} "
            f"(got {problems.shown(given)})"
        )
    return moment


def _unknown_fields(row: Mapping[str, object], takes: Table) -> list[FieldError]:
    known = {column.name for column in takes.columns}
    return [_unknown(name) for name in row if name not in known]


def _unknown(name: str) -> FieldError:
    return FieldError(name[:_MAX_NAME], "is unknown")
