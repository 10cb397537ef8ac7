"""What clients would see: the examples that the API's description carries beside its schemas."""

from collections.abc import Iterable

from bentos.spec import ModelSpec, Table
from service import contract
from service.api import problems, schemas
from service.api.problems import FieldError, Kind, ProblemError

REQUEST_ID = "5b0c1f6e2f0a4d0e9a3c7f1e2d4b6a80"
ALIVE = {"status": "alive"}
UNREADABLE = "Invalid HTTP request received."  # the words of the server below the application

_VERSION = "3f2a9c0d1b7e"
_RUNTIME = {"runtime": "onnx", "device": "cpu"}
_DETAILS = {
    problems.BAD_REQUEST: "The body is not JSON: unexpected end of data.",
    problems.UNAUTHORIZED: problems.unauthorized("").detail,
    problems.FORBIDDEN: "The token's scope should have 'predict' or 'predict:energy'.",
    problems.NOT_FOUND: "There is no such path.",
    problems.METHOD: "Use POST.",
    problems.TOO_LARGE: "body: at most 16384 bytes are taken.",
    problems.UNSUPPORTED: "Content-Type: should be application/json.",
    problems.INVALID: "humidity_percent: is missing.",
    problems.INTERNAL: "This is our fault; it is in the log.",
    problems.TOO_MANY: "Your requests in progress hold too many places in this model's queue. "
    "Wait for their answers.",
    problems.BUSY: "Too many items wait for this model. Try again.",
    problems.TIMED_OUT: "The model did not answer within 500 ms. Try again.",
}
_MISSING = problems.invalid_field("humidity_percent", "is missing")


def ready(specs: Iterable[ModelSpec], release: str) -> dict[str, object]:
    """Readiness, where all is well."""
    models = {spec.name: {"version": _VERSION, **_RUNTIME} for spec in specs}
    return {"status": "ready", "release": release, "models": models}


def not_ready(release: str) -> dict[str, object]:
    """Readiness, where it is not."""
    reasons = ["energy: is being loaded"]
    return {"status": "not ready", "release": release, "reasons": reasons}


def models(specs: Iterable[ModelSpec], release: str) -> dict[str, object]:
    """The list of models, without what their cards add."""
    listed = [
        {
            "name": spec.name,
            "title": spec.title,
            "summary": spec.summary,
            "version": _VERSION,
            **_RUNTIME,
            "input": schemas.takes(spec),
            "answer": schemas.own_answer(spec),
        }
        for spec in specs
    ]
    return {"release": release, "models": listed, "not_ready": []}


def answer(spec: ModelSpec, release: str) -> dict[str, object]:
    """The whole answer for one item."""
    return {**_own(spec), **_told(spec, release)}


def batch_answer(spec: ModelSpec, release: str) -> dict[str, object]:
    """The whole answer for a batch of two, of which the second is wrong."""
    items = [{"answer": _own(spec)}, {"error": _wrong(spec).as_item()}]
    return {contract.ITEMS_FIELD: items, **_told(spec, release)}


def problem(kind: Kind) -> dict[str, object]:
    """One problem of this kind."""
    errors = {"errors": _MISSING.as_item()["errors"]} if kind is problems.INVALID else {}
    return {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": _DETAILS[kind],
        "request_id": REQUEST_ID,
        **errors,
    }


def _own(spec: ModelSpec) -> dict[str, object]:
    return {field.name: field.example for field in spec.answer}


def _told(spec: ModelSpec, release: str) -> dict[str, object]:
    return {
        "model": spec.name,
        "version": _VERSION,
        "release": release,
        "processing_time_ms": 2.5,
    }


def _wrong(spec: ModelSpec) -> ProblemError:
    if isinstance(spec.takes, Table):
        return problems.invalid_field(spec.takes.columns[-1].name, "is missing")
    errors = [FieldError(contract.PHOTO_PART, "is not JPEG, PNG or WebP")]
    detail = "The content is not a JPEG, PNG or WebP picture."
    return ProblemError(problems.UNSUPPORTED, detail, errors=errors)
