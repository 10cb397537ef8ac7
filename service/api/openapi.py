"""The API's own description: OpenAPI 3.1, made from the contract and the models' specs."""

from collections.abc import Iterable

from bentos.spec import ModelSpec, Table
from service import contract
from service.api import explain, problems, schemas
from service.api.problems import Kind
from service.api.schemas import Schema

_VERSION = "1"
_REQUEST_ID: Schema = {
    contract.REQUEST_ID_HEADER: {
        "description": "Names this request in the logs; taken over from the request if it has one.",
        "schema": {"type": "string"},
    }
}
_MODELS_KINDS = (problems.UNAUTHORIZED, problems.METHOD, problems.INTERNAL)
_PREDICT_KINDS = (
    problems.BAD_REQUEST,
    problems.UNAUTHORIZED,
    problems.FORBIDDEN,
    problems.METHOD,
    problems.TOO_LARGE,
    problems.UNSUPPORTED,
    problems.INVALID,
    problems.INTERNAL,
    problems.BUSY,
    problems.TIMED_OUT,
)


def document(specs: Iterable[ModelSpec], release: str, *, auth: bool) -> Schema:
    """The whole document.

    Args:
        specs: of the models that are served.
        release: for the examples.
        auth: whether /v1 wants a token.
    """
    paths: dict[str, Schema] = {
        contract.LIVEZ: {"get": _livez()},
        contract.READYZ: {"get": _readyz()},
        contract.MODELS: {"get": _models()},
    }
    named: dict[str, Schema] = {"Problem": schemas.PROBLEM, "ItemError": schemas.ITEM_ERROR}
    for spec in specs:
        paths[contract.predict_path(spec.name)] = {"post": _predict(spec, release)}
        paths[contract.predict_batch_path(spec.name)] = {"post": _predict_batch(spec)}
        if explain.explainer(spec):
            paths[contract.explain_path(spec.name)] = {"post": _explain(spec)}
        named[f"{spec.name}_answer"] = schemas.answer(spec)
        named[f"{spec.name}_batch_answer"] = schemas.batch_answer(spec, _schema("ItemError"))
        if isinstance(spec.takes, Table):
            named[f"{spec.name}_row"] = schemas.row(spec.takes)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "bentofleet",
            "version": _VERSION,
            "description": "Predictions of trained models: photos as raw body or multipart, "
            f"tables as JSON. Whatever is not 2xx is an `{contract.PROBLEM_TYPE}`.",
        },
        "paths": paths,
        "components": {
            "schemas": named,
            "responses": {kind.slug: _problem(kind) for kind in problems.KINDS},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
            },
        },
        "security": [{"token": []}] if auth else [],
    }


def _livez() -> Schema:
    return {
        "operationId": "livez",
        "summary": "Whether the process answers",
        "tags": ["health"],
        "security": [],
        "responses": {"200": _json("It does.", {"type": "object"}), **_refs([problems.METHOD])},
    }


def _readyz() -> Schema:
    reasons = {"type": "object", "properties": {"reasons": {"type": "array"}}}
    return {
        "operationId": "readyz",
        "summary": "Whether the models are loaded and gave their golden answers",
        "tags": ["health"],
        "security": [],
        "responses": {
            "200": _json("They did.", {"type": "object"}),
            "503": _json("Not now.", reasons),
            **_refs([problems.METHOD]),
        },
    }


def _models() -> Schema:
    listed = {
        "type": "object",
        "required": ["release", "models", "not_ready"],
        "properties": {
            "release": {"type": "string"},
            "models": {"type": "array", "items": {"type": "object"}},
            "not_ready": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {
        "operationId": "models",
        "summary": "The models, what they take and give, and how good they are",
        "tags": ["models"],
        "responses": {"200": _json("The models.", listed), **_refs(_MODELS_KINDS)},
    }


def _predict(spec: ModelSpec, release: str) -> Schema:
    example = {field.name: field.example for field in spec.answer} | {
        "model": spec.name,
        "version": "3f2a9c0d1b7e",
        "release": release,
        "processing_time_ms": 2.5,
    }
    return {
        "operationId": f"{spec.name}_predict",
        "summary": spec.title,
        "description": spec.summary,
        "tags": [spec.name],
        "requestBody": _body(spec, _one_content(spec)),
        "responses": {
            "200": _json("The answer.", _schema(f"{spec.name}_answer"), example),
            **_refs(_PREDICT_KINDS),
        },
    }


def _predict_batch(spec: ModelSpec) -> Schema:
    return {
        "operationId": f"{spec.name}_predict_batch",
        "summary": f"{spec.title}: many at once",
        "description": f"{spec.summary}\n\nUp to {spec.takes.batch_items} items; each has an "
        "answer or an error of its own, in the order sent.",
        "tags": [spec.name],
        "requestBody": _body(spec, _batch_content(spec), batch=True),
        "responses": {
            "200": _json("An answer or an error each.", _schema(f"{spec.name}_batch_answer")),
            **_refs(_PREDICT_KINDS),
        },
    }


def _explain(spec: ModelSpec) -> Schema:
    return {
        "operationId": f"{spec.name}_explain",
        "summary": f"{spec.title}: where the model sees it",
        "description": "The photo, upright and made smaller, with the answer's heat map over it.",
        "tags": [spec.name],
        "requestBody": _body(spec, _one_content(spec)),
        "responses": {
            "200": {
                "description": "The picture.",
                "headers": _REQUEST_ID,
                "content": {contract.EXPLAIN_TYPE: {"schema": schemas.BINARY}},
            },
            **_refs(_PREDICT_KINDS),
        },
    }


def _body(spec: ModelSpec, content: Schema, *, batch: bool = False) -> Schema:
    limit_bytes = contract.body_limit_bytes(spec, batch=batch)
    return {
        "description": f"At most {limit_bytes} bytes.",
        "x-max-bytes": limit_bytes,  # for programs: OpenAPI has no word for it
        "required": True,
        "content": content,
    }


def _one_content(spec: ModelSpec) -> Schema:
    if isinstance(spec.takes, Table):
        example = contract.example_row(spec.takes.columns)
        return {contract.JSON_TYPE: {"schema": _schema(f"{spec.name}_row"), "example": example}}
    part = schemas.closed({contract.PHOTO_PART: schemas.BINARY})
    raw: Schema = {kind: {"schema": schemas.BINARY} for kind in contract.PHOTO_TYPES}
    return {**raw, contract.MULTIPART_TYPE: {"schema": part}}


def _batch_content(spec: ModelSpec) -> Schema:
    many: Schema = {"type": "array", "minItems": 1, "maxItems": spec.takes.batch_items}
    if isinstance(spec.takes, Table):
        row = contract.example_row(spec.takes.columns)
        rows = {contract.ITEMS_FIELD: {**many, "items": _schema(f"{spec.name}_row")}}
        example = {contract.ITEMS_FIELD: [row, row]}
        return {contract.JSON_TYPE: {"schema": schemas.closed(rows), "example": example}}
    photos = {contract.PHOTO_PART: {**many, "items": schemas.BINARY}}
    return {contract.MULTIPART_TYPE: {"schema": schemas.closed(photos)}}


def _problem(kind: Kind) -> Schema:
    example: Schema = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": "What happened, and what to do.",
        "request_id": "5b0c1f6e2f0a4d0e9a3c7f1e2d4b6a80",
    }
    if kind is problems.INVALID:
        example["errors"] = [{"field": "humidity", "message": "is missing"}]
    headers = dict(_REQUEST_ID)
    if kind is problems.BUSY:
        headers["Retry-After"] = {"description": "In seconds.", "schema": {"type": "integer"}}
    return {
        "description": f"{kind.title}.",
        "headers": headers,
        "content": {contract.PROBLEM_TYPE: {"schema": _schema("Problem"), "example": example}},
    }


def _refs(kinds: Iterable[Kind]) -> Schema:
    return {str(kind.status): {"$ref": f"#/components/responses/{kind.slug}"} for kind in kinds}


def _schema(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: Schema, example: object = None) -> Schema:
    media: Schema = {"schema": schema}
    if example is not None:
        media["example"] = example
    return {
        "description": description,
        "headers": _REQUEST_ID,
        "content": {contract.JSON_TYPE: media},
    }
