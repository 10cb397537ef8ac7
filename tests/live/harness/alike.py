"""The same requests at several doors of the service, and the answers less what always differs."""

import contextlib
import hashlib
import http.client
import json
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from bentos.spec import ModelSpec, Photo
from service import contract

VOLATILE = frozenset({"request_id", "processing_time_ms", "release", "created_at"})
"""Fields of bodies, at any depth; a model made again from the same inputs has another day."""

PER_ANSWER = frozenset({"x-request-id", "x-bentofleet-release", "content-length"})
"""Headers of which only the presence is compared."""

HOP = frozenset({"date", "connection", "keep-alive"})
"""Headers of one connection, which is another behind an edge."""

NOT_OURS = ("/healthz", "/metrics", "/schema.json", "/docs.json", "/static_content/swagger-ui.css")
"""What BentoML serves by itself."""

_BUSY, _TRIES = (503, 504), 30

JSON = {"Content-Type": contract.JSON_TYPE}


@dataclass(frozen=True)
class Asked:
    """One request; with a token that allows `scope`, if any."""

    method: str
    path: str
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    scope: str | None = contract.SCOPE_PREDICT

    @property
    def name(self) -> str:
        """For messages, and to find the same request's answer elsewhere."""
        said = hashlib.sha256(repr((self.body, self.headers, self.scope)).encode()).hexdigest()
        return f"{self.method} {self.path} {said[:8]}"


Answer = tuple[int, dict[str, str], object]


def requests(specs: Iterable[ModelSpec]) -> Iterator[Asked]:
    """Good ones, and one of each kind that is refused."""
    for path in (contract.LIVEZ, contract.READYZ, contract.OPENAPI, contract.DOCS, contract.UI):
        yield from (Asked(method, path, scope=None) for method in ("GET", "HEAD", "POST"))
    for scope in (contract.SCOPE_PREDICT, "none", None):
        yield Asked("GET", contract.MODELS, scope=scope)
        yield Asked("GET", contract.API + "nothing", scope=scope)
    yield from (Asked("GET", path, scope=None) for path in ("/", "/nothing", *NOT_OURS))
    yield Asked("GET", contract.LIVEZ, headers={contract.REQUEST_ID_HEADER: "given"}, scope=None)
    yield Asked("GET", contract.MODELS, headers={"Authorization": "Bearer none"}, scope=None)
    for spec in specs:
        yield from _of(spec)


def _of(spec: ModelSpec) -> Iterator[Asked]:
    one = contract.example_request(spec)
    many = contract.example_request(spec, batch_items=3)
    for good in (one, many):
        kind = {"Content-Type": good.content_type}
        yield Asked("POST", good.path, good.body, kind)
        yield Asked("POST", good.path, good.body, kind, scope=contract.model_scope(spec.name))
        yield Asked("POST", good.path, good.body, kind, scope=contract.model_scope("other"))
        yield Asked("POST", good.path, good.body, kind, scope=None)
        yield Asked("POST", good.path, good.body[:-40], kind)
        yield Asked("POST", good.path, good.body, {"Content-Type": "text/plain"})
        yield Asked("POST", good.path, good.body, {**kind, "Content-Encoding": "gzip"})
        yield Asked("POST", good.path, b"", kind)
        yield from (Asked(method, good.path) for method in ("GET", "HEAD", "PUT", "DELETE"))
    if isinstance(spec.takes, Photo):
        body, content_type = contract.multipart([one.body, b"no photo"])
        yield Asked("POST", many.path, body, {"Content-Type": content_type})
        explain = contract.explain_path(spec.name)
        yield Asked("POST", explain, one.body, {"Content-Type": one.content_type})
    else:
        row = json.loads(one.body)
        rows = json.dumps({contract.ITEMS_FIELD: [row, {**row, "unknown": 1}, {}]})
        yield Asked("POST", many.path, rows.encode(), JSON)
        yield Asked("POST", one.path, b"{}", JSON)
        yield Asked("POST", one.path, b"0" * (contract.body_limit_bytes(spec) + 1), JSON)


def answers(url: str, asked: Iterable[Asked], tokens: dict[str, str]) -> dict[str, Answer]:
    """Status, headers and body of each answer, by the request's name.

    Args:
        url: of the door.
        asked: the requests.
        tokens: by scope.
    """
    return {each.name: _settled(urlsplit(url).netloc, each, tokens) for each in asked}


def _settled(address: str, asked: Asked, tokens: dict[str, str]) -> Answer:
    """The answer of a machine that is not too busy: none of the requests is answered so else."""
    for _ in range(_TRIES):
        answer = _answer(address, asked, tokens)
        if answer[0] not in _BUSY:
            break
        time.sleep(1)
    return answer


def _answer(address: str, asked: Asked, tokens: dict[str, str]) -> Answer:
    token = {"Authorization": f"Bearer {tokens[asked.scope]}"} if asked.scope else {}
    with contextlib.closing(http.client.HTTPConnection(address, timeout=30)) as connection:
        connection.request(asked.method, asked.path, asked.body, {**asked.headers, **token})
        reply = connection.getresponse()
        body = reply.read()
    headers = {name.lower(): value for name, value in reply.getheaders()}
    steady = {
        name: "there" if name in PER_ANSWER and value else value
        for name, value in headers.items()
        if name not in HOP
    }
    if contract.REQUEST_ID_HEADER in asked.headers:
        steady["x-request-id"] = headers["x-request-id"]
    return reply.status, steady, _steady_body(body, headers.get("content-type", ""))


def _steady_body(body: bytes, kind: str) -> object:
    if "json" in kind and body:
        return _without_volatile(json.loads(body))
    return hashlib.sha256(body).hexdigest()


def _without_volatile(value: object) -> object:
    if isinstance(value, dict):
        return {k: _without_volatile(v) for k, v in value.items() if k not in VOLATILE}
    return [_without_volatile(v) for v in value] if isinstance(value, list) else value
