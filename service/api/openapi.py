"""The API's own description: OpenAPI 3.1, made from the contract and the models' specs."""

from collections.abc import Iterable, Sequence

from bentos.spec import ModelSpec, Photo, Table
from service import contract
from service.api import examples, explain, problems, schemas
from service.api.problems import Kind
from service.api.schemas import Schema

_VERSION = "1"
_TOKEN_KINDS = (problems.UNAUTHORIZED, problems.FORBIDDEN)
# What any route may answer: the head of a request is no HTTP, the method is another, or a fault.
_ALWAYS = (problems.BAD_REQUEST, problems.METHOD, problems.INTERNAL)
_PREDICT_KINDS = (
    *_ALWAYS,
    *_TOKEN_KINDS,
    problems.TOO_LARGE,
    problems.UNSUPPORTED,
    problems.INVALID,
    problems.TOO_MANY,
    problems.BUSY,
    problems.TIMED_OUT,
)
_DESCRIPTION = f"""\
Predictions of trained models: photos as raw body or multipart, tables as JSON.

Whatever is not 2xx is an `{contract.PROBLEM_TYPE}` (RFC 9457) whose `detail` says what to do; \
only what is no HTTP at all is answered 400 in plain text. A path that is not listed here is \
answered 404. Wait for as long as `Retry-After` says after 429 and 503. Behind an edge, 502, 503 \
and 504 may be the edge's own, as problems of the type `about:blank`, and so may 413, and 429 for \
a token that is used too often. For heads that are no HTTP, or do not arrive, it has a short page \
of HTML: 400 and 408.
"""
_REQUEST_ID_PARAMETER: Schema = {
    "name": contract.REQUEST_ID_HEADER,
    "in": "header",
    "description": "Names the request in the logs and in the answer. One is made where there is "
    "none, or where it has more than 64 characters or others than letters, digits, `.`, `_`, `-`.",
    "schema": {"type": "string"},
    "example": examples.REQUEST_ID,
}


def _header(description: str, **schema: object) -> Schema:
    return {"description": description, "required": True, "schema": schema}


_REQUEST_ID = {
    contract.REQUEST_ID_HEADER: _header(
        "The request's name in the logs.", type="string", pattern="^[A-Za-z0-9._-]{1,64}$"
    )
}
_PARAMETERS: Schema = {"parameters": [{"$ref": "#/components/parameters/RequestId"}]}
_RELEASE = {contract.RELEASE_HEADER: _header("The service's release.", type="string")}
_RETRY = {"Retry-After": _header("In seconds.", type="integer", minimum=1)}
_HEADERS_OF: dict[Kind, Schema] = {
    problems.UNAUTHORIZED: {"WWW-Authenticate": _header("Which kind of token.", type="string")},
    problems.METHOD: {"Allow": _header("The methods that are taken.", type="string")},
    problems.TOO_MANY: _RETRY,
    problems.BUSY: _RETRY,
}


def document(specs: Iterable[ModelSpec], release: str, *, auth: bool) -> Schema:
    """The whole document.

    Args:
        specs: of the models that are served.
        release: for the examples.
        auth: whether /v1 wants a token.
    """
    served = tuple(specs)
    paths: dict[str, Schema] = {
        contract.LIVEZ: _got(_livez()),
        contract.READYZ: _got(_readyz(served, release)),
        contract.MODELS: _got(_models(served, release)),
    }
    named: dict[str, Schema] = {
        "Alive": schemas.ALIVE,
        "Ready": schemas.READY,
        "NotReady": schemas.NOT_READY,
        "Models": schemas.MODELS,
        "Problem": schemas.PROBLEM,
        "ItemError": schemas.ITEM_ERROR,
    }
    for spec in served:
        one, many = contract.predict_path(spec.name), contract.predict_batch_path(spec.name)
        paths[one] = {**_PARAMETERS, "post": _predict(spec, release)}
        paths[many] = {**_PARAMETERS, "post": _predict_batch(spec, release)}
        if explain.explainer(spec):
            paths[contract.explain_path(spec.name)] = {**_PARAMETERS, "post": _explain(spec)}
        named[f"{spec.name}_answer"] = schemas.answer(spec)
        named[f"{spec.name}_batch_answer"] = schemas.batch_answer(spec, _schema("ItemError"))
        if isinstance(spec.takes, Table):
            named[f"{spec.name}_row"] = schemas.row(spec.takes)
    kinds = [kind for kind in problems.KINDS if auth or kind not in _TOKEN_KINDS]
    if not auth:
        _open(paths)
    return {
        "openapi": "3.1.0",
        "info": {"title": "bentofleet", "version": _VERSION, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": named,
            "parameters": {"RequestId": _REQUEST_ID_PARAMETER},
            "responses": {kind.slug: _problem(kind) for kind in kinds},
            "securitySchemes": _SCHEMES if auth else {},
        },
        "security": [{"token": []}] if auth else [],
    }


_SCHEMES: Schema = {
    "token": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "Its scope is `predict`, or `predict:` and the name of one model.",
    }
}


def _open(paths: dict[str, Schema]) -> None:
    """Takes away what is only answered where a token is wanted."""
    for item in paths.values():
        for operation in (item[method] for method in item if method != "parameters"):
            for kind in _TOKEN_KINDS:
                operation["responses"].pop(str(kind.status), None)


def _got(operation: Schema) -> Schema:
    """GET, and HEAD, which answers the same without a body."""
    bare = {
        status: answer if "$ref" in answer else {k: v for k, v in answer.items() if k != "content"}
        for status, answer in operation["responses"].items()
    }
    head = {
        **operation,
        "operationId": f"{operation['operationId']}_head",
        "summary": f"{operation['summary']}: headers alone",
        "responses": bare,
    }
    return {**_PARAMETERS, "get": operation, "head": head}


def _livez() -> Schema:
    return {
        "operationId": "livez",
        "summary": "Whether the process answers",
        "description": "A process that does not answer within seconds wants to be started again.",
        "tags": ["health"],
        "security": [],
        "responses": {"200": _json("It does.", "Alive", examples.ALIVE), **_refs(_ALWAYS)},
    }


def _readyz(specs: Sequence[ModelSpec], release: str) -> Schema:
    ready = _json("They did.", "Ready", examples.ready(specs, release))
    unready = _json("Not now, or no longer.", "NotReady", examples.not_ready(release))
    ready["headers"] = {**_REQUEST_ID, **_RELEASE}
    unready["headers"] = {**_REQUEST_ID, **_RELEASE, **_RETRY}
    return {
        "operationId": "readyz",
        "summary": "Whether the models are loaded and gave their golden answers",
        "description": "503 while one is being loaded or cannot be, and once the process was told "
        "to end; the models that are there answer all the same.",
        "tags": ["health"],
        "security": [],
        "responses": {"200": ready, "503": unready, **_refs(_ALWAYS)},
    }


def _models(specs: Sequence[ModelSpec], release: str) -> Schema:
    listed = _json("The models.", "Models", examples.models(specs, release))
    return {
        "operationId": "models",
        "summary": "The models, what they take and give, and how good they are",
        "description": "Any valid token will do, whatever its scope.",
        "tags": ["models"],
        "responses": {"200": listed, **_refs((*_ALWAYS, problems.UNAUTHORIZED))},
    }


def _predict(spec: ModelSpec, release: str) -> Schema:
    example = examples.answer(spec, release)
    return {
        "operationId": f"{spec.name}_predict",
        "summary": spec.title,
        "description": spec.summary,
        "tags": [spec.name],
        "requestBody": _body(spec, _one_content(spec)),
        "responses": {
            "200": _json("The answer.", f"{spec.name}_answer", example),
            **_refs(_PREDICT_KINDS),
        },
    }


def _predict_batch(spec: ModelSpec, release: str) -> Schema:
    example = examples.batch_answer(spec, release)
    return {
        "operationId": f"{spec.name}_predict_batch",
        "summary": f"{spec.title}: many at once",
        "description": f"{spec.summary}\n\nUp to {spec.takes.batch_items} items; each has an "
        "answer or an error of its own, in the order sent.",
        "tags": [spec.name],
        "requestBody": _body(spec, _batch_content(spec), batch=True),
        "responses": {
            "200": _json("An answer or an error each.", f"{spec.name}_batch_answer", example),
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
    description = f"At most {limit_bytes} bytes."
    if isinstance(spec.takes, Photo):
        description += (
            f" Photos of at most {spec.takes.max_bytes} bytes and {spec.takes.max_pixels} pixels; "
            f"some to try it with lie in `bentos/{spec.name}/photos` of the sources."
        )
    return {
        "description": description,
        "x-max-bytes": limit_bytes,  # for programs: OpenAPI has no word for it
        "required": True,
        "content": content,
    }


def _one_content(spec: ModelSpec) -> Schema:
    if isinstance(spec.takes, Table):
        example = contract.example_row(spec.takes.columns)
        return {contract.JSON_TYPE: {"schema": _schema(f"{spec.name}_row"), "example": example}}
    raw: Schema = {kind: {"schema": schemas.BINARY} for kind in contract.PHOTO_TYPES}
    return {**raw, **_multipart(schemas.BINARY)}


def _batch_content(spec: ModelSpec) -> Schema:
    many: Schema = {"type": "array", "minItems": 1, "maxItems": spec.takes.batch_items}
    if isinstance(spec.takes, Table):
        row = contract.example_row(spec.takes.columns)
        rows = {contract.ITEMS_FIELD: {**many, "items": _schema(f"{spec.name}_row")}}
        example = {contract.ITEMS_FIELD: [row, row]}
        return {contract.JSON_TYPE: {"schema": schemas.closed(rows), "example": example}}
    return _multipart({**many, "items": schemas.BINARY})


def _multipart(part: Schema) -> Schema:
    types = {contract.PHOTO_PART: {"contentType": ", ".join(contract.PHOTO_TYPES)}}
    schema = schemas.closed({contract.PHOTO_PART: part})
    return {contract.MULTIPART_TYPE: {"schema": schema, "encoding": types}}


def _problem(kind: Kind) -> Schema:
    example = examples.problem(kind)
    content: Schema = {contract.PROBLEM_TYPE: {"schema": _schema("Problem"), "example": example}}
    headers = {**_REQUEST_ID, **_HEADERS_OF.get(kind, {})}
    if kind is problems.BAD_REQUEST:  # or what is below the application gave up on the head
        content["text/plain"] = {"schema": {"type": "string"}, "example": examples.UNREADABLE}
        headers = {}
    return {"description": f"{kind.title}.", "headers": headers, "content": content}


def _refs(kinds: Iterable[Kind]) -> Schema:
    return {str(kind.status): {"$ref": f"#/components/responses/{kind.slug}"} for kind in kinds}


def _schema(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _json(description: str, schema: str, example: object) -> Schema:
    media = {"schema": _schema(schema), "example": example}
    return {
        "description": description,
        "headers": _REQUEST_ID,
        "content": {contract.JSON_TYPE: media},
    }
