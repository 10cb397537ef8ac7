"""Says in plain English what is wrong with a configuration, one line a fault. Reads no file."""

import difflib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import ErrorDetails

Schema = Mapping[str, Any]

PAGE = "docs/configuration.md"
_MAX_SHOWN = 80

_WRONG = {
    "int_type": "is no whole number",
    "int_from_float": "is no whole number",
    "float_type": "is no number",
    "finite_number": "is no finite number",
    "bool_type": "is neither true nor false",
    "string_type": "is no text",
    "list_type": "is no list",
    "model_type": "is no mapping",
    "literal_error": "is not known",
    "greater_than": "is too small",
    "greater_than_equal": "is too small",
    "less_than": "is too large",
    "less_than_equal": "is too large",
    "too_short": "is empty",
    "string_too_short": "is empty",
    "string_too_long": "is too long",
}


def line(key: str, error: ErrorDetails, schema: Schema) -> str:
    """One of pydantic's errors as `where: what is wrong (got X). What to do.`

    Args:
        key: what stands before the error's place.
        error: of the configuration's model.
        schema: of the same model; says what would be right.
    """
    where = ".".join([key, *map(str, error["loc"])])
    kind = error["type"]
    if kind in ("extra_forbidden", "invalid_key"):
        return f"{where}: no such key. {_instead(error['loc'], schema)}"
    if kind == "missing":
        return f"{where}: is missing. Add it; {PAGE} says what it takes."
    if kind == "value_error":
        return f"{where}: {error['ctx']['error']}"
    given = error["input"]
    wrong = "has no value" if given is None else _WRONG.get(kind) or _plain(error["msg"])
    return f"{where}: {wrong} (got {shown(given)}). {_right(_field(schema, error['loc']), given)}"


def shown(value: object) -> str:
    """A value of the file as it may stand in a message: short, in the file's own words."""
    if isinstance(value, Mapping):
        return "a mapping"
    if isinstance(value, list | tuple):
        return "a list" if value else "an empty list"
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = repr(value)
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."


def _instead(loc: Sequence[int | str], schema: Schema) -> str:
    beside = _field(schema, loc[:-1]).get("properties", {})
    close = difflib.get_close_matches(str(loc[-1]), beside, n=1, cutoff=0.75)
    if close:
        return f"Write `{close[0]}`, or remove it."
    return f"Remove it, or look in {PAGE} for its name."


def _field(schema: Schema, loc: Sequence[int | str]) -> Schema:
    """The part of the schema that describes a place; empty where nothing does."""
    field = schema
    for part in loc:
        field = field.get("items", {}) if isinstance(part, int) else _property(field, part)
        field = _filled(field)
        if "$ref" in field:
            field = schema["$defs"][field["$ref"].rpartition("/")[2]]
    return field


def _filled(field: Schema) -> Schema:
    """The part of a field that is not null."""
    parts = [part for part in field.get("anyOf", ()) if part.get("type") != "null"]
    return parts[0] if parts else field


def _property(field: Schema, name: str) -> Schema:
    found: Schema = field.get("properties", {}).get(name, {})
    return found


def _right(field: Schema, given: object) -> str:
    if "const" in field or "enum" in field:
        return f"Write {' or '.join(field.get('enum') or [field['const']])}."
    match field.get("type"):
        case "integer":
            return f"Give a whole number {_range(field)}{_bare(given)}."
        case "number":
            return f"Give a number {_range(field)}{_bare(given)}."
        case "boolean":
            return "Write true or false, without quotes."
        case "array":
            return "Give a list of at least one."
        case "string" if "maxLength" in field:
            return f"Give a text of 1 to {field['maxLength']} characters."
        case "string":
            return "Give a text."
    return f"See {PAGE}."


def _range(field: Schema) -> str:
    if "exclusiveMinimum" in field:
        return f"above {field['exclusiveMinimum']} and at most {field['maximum']}"
    return f"from {field['minimum']} to {field['maximum']}"


def _bare(given: object) -> str:
    return ", without quotes" if isinstance(given, str) else ""


def _plain(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")
