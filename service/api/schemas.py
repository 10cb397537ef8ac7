"""JSON schemas of what goes in and comes out, made from the models' specs."""

from typing import Any

from bentos.spec import Choice, Column, ModelSpec, Number, Table, Timestamp
from service import contract
from service.api.tables import TIMESTAMP_PATTERN

Schema = dict[str, Any]

_ANSWER_FIELDS: dict[str, Schema] = {
    "model": {"type": "string"},
    "version": {"type": "string", "description": "Of the model."},
    "release": {"type": "string", "description": "Of the service."},
    "processing_time_ms": {"type": "number", "minimum": 0},
}
_FIELD_ERRORS: Schema = {
    "type": "array",
    "items": {
        "type": "object",
        "required": ["field", "message"],
        "properties": {
            "field": {"type": "string", "description": "Empty: the body as a whole."},
            "message": {"type": "string"},
        },
    },
}
PROBLEM: Schema = {
    "type": "object",
    "description": "RFC 9457; `errors` names the wrong fields.",
    "required": ["type", "title", "status", "detail", "request_id"],
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "request_id": {"type": "string"},
        "errors": _FIELD_ERRORS,
    },
}
ITEM_ERROR: Schema = {
    "type": "object",
    "required": ["status", "title", "detail", "field"],
    "properties": {
        "status": {"type": "integer"},
        "title": {"type": "string"},
        "detail": {"type": "string"},
        "field": {"type": ["string", "null"], "description": "The first that is wrong."},
        "errors": _FIELD_ERRORS,
    },
}
BINARY: Schema = {"type": "string", "format": "binary"}


def closed(properties: dict[str, Schema]) -> Schema:
    """An object with exactly these fields."""
    return {**_object(properties), "additionalProperties": False}


def row(takes: Table) -> Schema:
    """One row of a table."""
    return closed({column.name: _column(column) for column in takes.columns})


def own_answer(spec: ModelSpec) -> Schema:
    """The model's own fields."""
    return _object({field.name: dict(field.schema) for field in spec.answer})


def answer(spec: ModelSpec) -> Schema:
    """The whole answer for one item."""
    own = {field.name: dict(field.schema) for field in spec.answer}
    return _object({**own, **_ANSWER_FIELDS})


def batch_answer(spec: ModelSpec, error: Schema) -> Schema:
    """The whole answer for a batch."""
    either = [closed({"answer": own_answer(spec)}), closed({"error": error})]
    items = {"type": "array", "items": {"oneOf": either}}
    return _object({contract.ITEMS_FIELD: items, **_ANSWER_FIELDS})


def _object(properties: dict[str, Schema]) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _column(column: Column) -> Schema:
    match column:
        case Number():
            own: Schema = {
                "type": "number",
                "minimum": column.minimum,
                "maximum": column.maximum,
                "description": f"{column.description} In {column.unit}.",
                "x-unit": column.unit,
            }
        case Choice():
            own = {
                "type": "string",
                "enum": list(column.values),
                "description": column.description,
            }
        case Timestamp():
            own = {
                "type": "string",
                "pattern": TIMESTAMP_PATTERN,
                "description": f"{column.description} ISO 8601, with or without zone, in the years "
                f"{contract.FIRST_YEAR} to {contract.LAST_YEAR}.",
            }
    return {**own, "examples": [column.example]}
