"""What the service promises: routes, limits, scopes, settings; its metrics are beside.

Standard library and `bentos.spec` only: the Pulumi program and the load tests read it too.
"""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from bentos.spec import Choice, Column, ModelSpec, Number, Photo, Table, Timestamp

LIVEZ = "/livez"
READYZ = "/readyz"
OPENAPI = "/openapi.json"
DOCS = "/docs"
UI = "/ui"
API = "/v1/"  # everything below it wants a token
MODELS = "/v1/models"
PREDICT = "/v1/{model}/predict"
PREDICT_BATCH = "/v1/{model}/predict/batch"
EXPLAIN = "/v1/{model}/explain"  # of models that answer with a heat map
METRICS = "/metrics"  # on the inner port only

REQUEST_ID_HEADER = "X-Request-ID"
RELEASE_HEADER = "X-Bentofleet-Release"  # on every answer of READYZ

JSON_TYPE = "application/json"
PROBLEM_TYPE = "application/problem+json"
MULTIPART_TYPE = "multipart/form-data"
PHOTO_TYPES = ("image/jpeg", "image/png", "image/webp")
EXPLAIN_TYPE = "image/png"
PHOTO_PART = "file"  # the name of each part of a multipart request
ITEMS_FIELD = "items"  # of a batch of table rows, and of every batch's answer

# What an answer carries beside the model's own fields.
ANSWER_FIELDS = ("model", "version", "release", "processing_time_ms")

TABLE_BODY_BYTES = 16 * 1024
TABLE_BATCH_ITEM_BYTES = 1024  # on average, over the items of one batch
PHOTO_BATCH_BYTES = 32 * 1024 * 1024  # whatever the number of photos
MULTIPART_OVERHEAD_BYTES = 1024  # boundary and part headers, per part
PHOTO_SIDE_PIXELS = 20_000  # a decoder's memory grows with the number of rows too
DECODED_BYTES = 256 * 1024 * 1024  # in memory at a time, over all photos; a larger one is alone
BODIES_BYTES = 96 * 1024 * 1024  # of all requests in progress together; beyond it: 503
BODIES = 1024  # on their way at a time; beyond it: 503
BODY_TIMEOUT_S = 10.0  # for a whole request body to arrive
HEADER_BYTES = 64 * 1024  # request line and headers
HEADER_TIMEOUT_S = 10.0  # for them to arrive on a new connection
ANSWER_TIMEOUT_S = 30.0  # for a client to take what was sent to it
# Of a refused body so much is read on, so that its sender sees the answer; then it is cut off.
# More than any body that is taken: who sends a little too much keeps the connection.
DISCARD_BYTES = 40 * 1024 * 1024
CONNECTIONS = 2048  # open at a time; beyond it the longest idle are closed
STUCK_S = 40  # that one run of a model may take before the process ends, to be started again
RETRY_AFTER_S = 1  # told with every 429 and 503
FIRST_YEAR = 1970  # timestamps outside are the client's error
LAST_YEAR = 2100

SCOPE_PREDICT = "predict"  # every model
SCOPE_GATE = "gate"  # every model, and counted as traffic="gate"
TOKEN_CLAIMS = ("exp", "iat", "aud", "iss", "sub", "scope")
MAX_TOKEN_LIFETIME_S = 24 * 3600
MAX_TOKEN_BYTES = 8 * 1024
CLOCK_LEEWAY_S = 30

TRAFFIC_USER = "user"
TRAFFIC_GATE = "gate"

PORT = 3000
METRICS_PORT = 3001
JWKS_PATH = "/etc/bentofleet/keys/jwks.json"


@dataclass(frozen=True)
class Setting:
    """One setting of the service process, given as an environment variable.

    Attributes:
        default: as it would stand in the environment.
        choices: the only values taken; empty: see `meaning`.
    """

    name: str
    default: str
    meaning: str
    choices: tuple[str, ...] = ()


CPU, VULKAN = "cpu", "vulkan"
ACCELERATORS = (CPU, VULKAN)
SOFTWARE = "software"
"""The device of a model that Vulkan runs without a card; the others are named as accelerators."""

ENV_MODELS = "BENTOFLEET_MODELS"
ENV_RELEASE = "BENTOFLEET_RELEASE"
ENV_AUTH = "BENTOFLEET_AUTH"
ENV_JWKS = "BENTOFLEET_JWKS"
ENV_AUDIENCE = "BENTOFLEET_AUDIENCE"
ENV_ISSUER = "BENTOFLEET_ISSUER"
ENV_HOST = "BENTOFLEET_HOST"
ENV_PORT = "BENTOFLEET_PORT"
ENV_METRICS_HOST = "BENTOFLEET_METRICS_HOST"
ENV_METRICS_PORT = "BENTOFLEET_METRICS_PORT"
ENV_DOCS = "BENTOFLEET_DOCS"
ENV_THREADS = "BENTOFLEET_THREADS"
ENV_LOG = "BENTOFLEET_LOG"
ENV_DRAIN_S = "BENTOFLEET_DRAIN_S"
ENV_ACCELERATOR = "BENTOFLEET_ACCELERATOR"
ENV_SOFTWARE_DEVICE = "BENTOFLEET_SOFTWARE_DEVICE"

SETTINGS = (
    Setting(ENV_MODELS, "", "models to serve, comma separated; empty: all"),
    Setting(ENV_RELEASE, "dev", "release id, told in every answer"),
    Setting(ENV_AUTH, "jwt", "who may call /v1: holders of a token, or anyone", ("jwt", "off")),
    Setting(ENV_JWKS, JWKS_PATH, "file with the tokens' public keys; read again when it changes"),
    Setting(ENV_AUDIENCE, "bentofleet", "`aud` that a token must carry"),
    Setting(ENV_ISSUER, "bentofleet", "`iss` that a token must carry"),
    Setting(ENV_HOST, "0.0.0.0", "address to listen on"),  # noqa: S104  who runs it opens the port
    Setting(ENV_PORT, str(PORT), "port of the API"),
    Setting(
        ENV_METRICS_HOST,
        "",
        f"address of the inner port; empty: as {ENV_HOST}, with `bentoml serve` 127.0.0.1",
    ),
    Setting(ENV_METRICS_PORT, str(METRICS_PORT), "inner port that serves /metrics; 0: closed"),
    Setting(ENV_DOCS, "on", "whether /docs, /ui and /openapi.json answer", ("on", "off")),
    Setting(ENV_THREADS, "1", "ONNX Runtime threads per model"),
    Setting(ENV_LOG, "json", "form of log lines", ("json", "text")),
    Setting(ENV_DRAIN_S, "3", "seconds from SIGTERM (/readyz turns 503) to the end of listening"),
    Setting(
        ENV_ACCELERATOR,
        "cpu",
        "what has to run the photo models: without it they are not ready; rows stay on the CPU",
        ACCELERATORS,
    ),
    Setting(
        ENV_SOFTWARE_DEVICE,
        "off",
        "for tests: Vulkan in software (lavapipe) and no card",
        ("on", "off"),
    ),
)

# Values of the label `route`.
ROUTE_LIVEZ = "livez"
ROUTE_READYZ = "readyz"
ROUTE_OPENAPI = "openapi"
ROUTE_DOCS = "docs"
ROUTE_UI = "ui"
ROUTE_MODELS = "models"
ROUTE_PREDICT = "predict"
ROUTE_PREDICT_BATCH = "predict_batch"
ROUTE_EXPLAIN = "explain"
ROUTE_OTHER = "other"  # no route of ours


def predict_path(model: str) -> str:
    """Path that answers one item."""
    return PREDICT.format(model=model)


def predict_batch_path(model: str) -> str:
    """Path that answers many items."""
    return PREDICT_BATCH.format(model=model)


def explain_path(model: str) -> str:
    """Path that answers with the photo under the model's heat map."""
    return EXPLAIN.format(model=model)


def model_scope(model: str) -> str:
    """Scope that allows `model` alone."""
    return f"{SCOPE_PREDICT}:{model}"


def body_limit_bytes(spec: ModelSpec, *, batch: bool = False) -> int:
    """Largest request body that a predict route of the model takes."""
    match spec.takes:
        case Table() if batch:
            return max(TABLE_BODY_BYTES, spec.takes.batch_items * TABLE_BATCH_ITEM_BYTES)
        case Table():
            return TABLE_BODY_BYTES
        case Photo() if batch:
            each = spec.takes.max_bytes + MULTIPART_OVERHEAD_BYTES
            return min(spec.takes.batch_items * each, PHOTO_BATCH_BYTES)
        case Photo():
            return spec.takes.max_bytes + MULTIPART_OVERHEAD_BYTES


def content_types(spec: ModelSpec, *, batch: bool = False) -> tuple[str, ...]:
    """Content types that a predict route of the model takes."""
    if isinstance(spec.takes, Table):
        return (JSON_TYPE,)
    return (MULTIPART_TYPE,) if batch else (*PHOTO_TYPES, MULTIPART_TYPE)


@dataclass(frozen=True, kw_only=True)
class ExampleRequest:
    """A request that the service answers with 200; the method is POST."""

    path: str
    body: bytes
    content_type: str


def example_request(
    spec: ModelSpec, *, batch_items: int | None = None, rng: Random | None = None
) -> ExampleRequest:
    """A request for one item or, with `batch_items`, for a batch of so many.

    Args:
        spec: the model's.
        batch_items: 1 <= batch_items <= `spec.takes.batch_items`.
        rng: varies values and photos; without it the spec's own example (the first photo).

    Raises:
        ValueError: the model takes photos, and its folder of examples has none.
    """
    path = predict_path(spec.name) if batch_items is None else predict_batch_path(spec.name)
    count = 1 if batch_items is None else batch_items
    match spec.takes:
        case Table(columns=columns):
            rows = [example_row(columns, rng) for _ in range(count)]
            body = json.dumps(rows[0] if batch_items is None else {ITEMS_FIELD: rows}).encode()
            return ExampleRequest(path=path, body=body, content_type=JSON_TYPE)
        case Photo():
            photos = example_photos(spec)
            chosen = [rng.choice(photos) if rng else photos[i % len(photos)] for i in range(count)]
            if batch_items is None:
                return ExampleRequest(
                    path=path, body=chosen[0].read_bytes(), content_type=_photo_type(chosen[0])
                )
            body, content_type = multipart([photo.read_bytes() for photo in chosen])
            return ExampleRequest(path=path, body=body, content_type=content_type)


def example_row(columns: tuple[Column, ...], rng: Random | None = None) -> dict[str, object]:
    """A table row as a client sends it: the spec's examples, or values near them."""
    return {column.name: _example_value(column, rng) for column in columns}


def example_photos(spec: ModelSpec) -> list[Path]:
    """The model's example photographs, sorted by name.

    Raises:
        ValueError: the model takes no photos, or the folder has none.
    """
    if not isinstance(spec.takes, Photo):
        raise ValueError(f"{spec.name}: takes rows, not photos.")
    folder = Path(__file__).resolve().parents[2] / spec.takes.examples
    photos = sorted(p for p in folder.glob("*") if p.suffix.lower() in _SUFFIX_TYPES)
    if not photos:
        raise ValueError(f"{spec.name}: no example photos in {folder}. Put JPEG files there.")
    return photos


def multipart(photos: list[bytes]) -> tuple[bytes, str]:
    """Body and content type of a multipart request with these photos."""
    head = (
        f"--{_BOUNDARY}\r\n"
        f'Content-Disposition: form-data; name="{PHOTO_PART}"; filename="photo"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    ).encode()
    parts = b"".join(head + photo + b"\r\n" for photo in photos)
    return parts + f"--{_BOUNDARY}--\r\n".encode(), f"{MULTIPART_TYPE}; boundary={_BOUNDARY}"


_BOUNDARY = "bentofleet-7d1f4c0a9be34c55a2f8"
_SUFFIX_TYPES = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}


def _photo_type(photo: Path) -> str:
    return _SUFFIX_TYPES[photo.suffix.lower()]


def _example_value(column: Column, rng: Random | None) -> float | str:
    if rng is None:
        return column.example
    match column:
        case Number():
            spread = (column.maximum - column.minimum) / 10
            if column.example:  # a price of 8 that may be 100,000 varies near 8
                spread = min(spread, abs(column.example) / 2)
            value = round(column.example + rng.uniform(-spread, spread), 3)
            return min(max(value, column.minimum), column.maximum)
        case Choice():
            return rng.choice(column.values)
        case Timestamp():
            moment = datetime.fromisoformat(column.example)
            return (moment + timedelta(minutes=rng.randrange(365 * 1440))).isoformat()
