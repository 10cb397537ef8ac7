"""Checks table rows against the spec: strict types, ranges, every wrong field named."""

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime

import orjson

from bentos.spec import Choice, Column, Number, Table, Timestamp
from service import contract
from service.api import problems
from service.api.problems import FieldError

# Date and time, both whole; `fromisoformat` alone would also take weeks and bare dates.
TIMESTAMP_PATTERN = (
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?$"
)
_TIMESTAMP = re.compile(TIMESTAMP_PATTERN, re.ASCII)
_MAX_NAME = 60


def parse(body: bytes) -> object:
    """The JSON in a body.

    Raises:
        ProblemError: not JSON; NaN and Infinity are not, nor are numbers too large for a double,
            nor is an object with a key twice: two readers would see two different rows.
    """
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _not_json(str(error)) from error
    _refuse_twins(body, document)
    return document


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
