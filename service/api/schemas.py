"""JSON schemas of what goes in and comes out, made from the models' specs."""

from typing import Any

from bentos.spec import Choice, Column, ModelSpec, Number, Photo, Table, Timestamp
from service import contract

Schema = dict[str, Any]

# Exactly the timestamps that are taken: days that there are, in contract.FIRST_YEAR to LAST_YEAR.
_DAY = (
    "(19[7-9][0-9]|20[0-9]{2}|2100)-((0[1-9]|1[0-2])-(0[1-9]|1[0-9]|2[0-8])"
    "|(0[13-9]|1[0-2])-(29|30)|(0[13578]|1[02])-31)"
)
_LEAP_DAY = "(19(7[26]|8[048]|9[26])|20([02468][048]|[13579][26]))-02-29"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9]([.,][0-9]{1,6})?)?"
_ZONE = "([Zz]|[+-]([01][0-9]|2[0-3]):[0-5][0-9])"
TIMESTAMP_PATTERN = f"^({_DAY}|{_LEAP_DAY})[Tt ]{_TIME}{_ZONE}?$"

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
ALIVE: Schema = {
    "type": "object",
    "required": ["status"],
    "properties": {"status": {"const": "alive"}},
}
READY: Schema = {
    "type": "object",
    "required": ["status", "release", "models"],
    "properties": {
        "status": {"const": "ready"},
        "release": {"type": "string", "description": "Of the service."},
        "models": {
            "type": "object",
            "description": "By name.",
            "additionalProperties": {
                "type": "object",
                "required": ["version", "runtime", "device"],
                "properties": {
                    "version": {"type": "string"},
                    "runtime": {"type": "string"},
                    "device": {"type": "string"},
                },
            },
        },
    },
}
NOT_READY: Schema = {
    "type": "object",
    "required": ["status", "release", "reasons"],
    "properties": {
        "status": {"const": "not ready"},
        "release": {"type": "string", "description": "Of the service."},
        "reasons": {"type": "array", "minItems": 1, "items": {"type": "string"}},
    },
}
_MODEL_TEXTS = ("name", "title", "summary", "version", "runtime", "device")
MODELS: Schema = {
    "type": "object",
    "required": ["release", "models", "not_ready"],
    "properties": {
        "release": {"type": "string", "description": "Of the service."},
        "models": {
            "type": "array",
            "items": {
                "type": "object",
                "description": "Beside these, what the model's card says: data, metrics, limits.",
                "required": [*_MODEL_TEXTS, "input", "answer"],
                "properties": {
                    **{name: {"type": "string"} for name in _MODEL_TEXTS},
                    "input": {
                        "type": "object",
                        "required": [
                            *("kind", "content_types", "batch_content_types", "batch_items"),
                        ],
                        "properties": {
                            "kind": {"enum": ["table", "photo"]},
                            "content_types": {"type": "array", "items": {"type": "string"}},
                            "batch_content_types": {"type": "array", "items": {"type": "string"}},
                            "batch_items": {"type": "integer", "minimum": 1},
                            "schema": {"type": "object", "description": "Of a table's row."},
                            "max_bytes": {"type": "integer", "description": "Of a photo's file."},
                            "max_pixels": {"type": "integer", "description": "Of a photo."},
                        },
                    },
                    "answer": {"type": "object", "description": "JSON schema of its own fields."},
                },
            },
        },
        "not_ready": {
            "type": "array",
            "description": "Models that are not loaded; `/readyz` tells why.",
            "items": {"type": "string"},
        },
    },
}


def closed(properties: dict[str, Schema]) -> Schema:
    """An object with exactly these fields."""
    return {**_object(properties), "additionalProperties": False}


def row(takes: Table) -> Schema:
    """One row of a table."""
    return closed({column.name: _column(column) for column in takes.columns})


def takes(spec: ModelSpec) -> dict[str, object]:
    """What a model takes, for programs that choose among models."""
    common: dict[str, object] = {
        "content_types": contract.content_types(spec),
        "batch_content_types": contract.content_types(spec, batch=True),
        "batch_items": spec.takes.batch_items,
    }
    match spec.takes:
        case Table() as table:
            return {"kind": "table", **common, "schema": row(table)}
        case Photo() as photo:
            limits = {"max_bytes": photo.max_bytes, "max_pixels": photo.max_pixels}
            return {"kind": "photo", **common, **limits}


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
