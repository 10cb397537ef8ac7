"""A read-only registry on this machine's loopback, which hosts pull images from, and what it sent.

It gives out what was offered, by digest alone: it lists nothing, knows no tags, takes nothing in.
Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md, read 2026-11.
"""

import contextlib
import json
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from infra.images import layers
from infra.images.layers import Packed

CHUNK = 256 * 1024
IDLE_S = 300
"""A connection over which nothing moved for so long is dead."""

_PATH = re.compile(r"/v2/(?P<name>[a-z0-9._/-]+)/(?P<kind>manifests|blobs)/(?P<digest>sha256:\w+)")
_RANGE = re.compile(r"bytes=(\d+)-(\d*)")


class Registry:
    """Serves from its making until `close`; safe to use from many threads."""

    def __init__(self, is_stopped: Callable[[], bool] = lambda: False) -> None:
        self._lock = threading.Lock()
        self._small: dict[str, bytes] = {}
        self._files: dict[str, Path] = {}
        self._sent: Counter[str] = Counter()
        self._server = _Server(self, is_stopped)
        self.port: int = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def offer(self, packed: Packed, path: Callable[[str], Path]) -> None:
        """Lets an image be pulled by its digest.

        Args:
            path: digest of a layer -> its file.
        """
        with self._lock:
            self._small[packed.digest] = packed.manifest
            self._small[packed.config_digest] = packed.config
            self._files.update({layer.digest: path(layer.digest) for layer in packed.layers})

    def sent(self, name: str) -> int:
        """Bytes of manifests, configs and layers that went out under a repository's name."""
        with self._lock:
            return self._sent[name]

    def close(self) -> None:
        """Ends; who still pulls is cut off."""
        self._server.shutdown()
        self._server.server_close()

    # -- for the handler ------------------------------------------------------------------------

    def find(self, digest: str) -> bytes | Path | None:
        """What was offered under a digest."""
        with self._lock:
            return self._small.get(digest) or self._files.get(digest)

    def count(self, name: str, number: int) -> None:
        """Adds to what was sent."""
        with self._lock:
            self._sent[name] += number


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, registry: Registry, is_stopped: Callable[[], bool]) -> None:
        self.registry = registry
        self.is_stopped = is_stopped
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """A line that was cut is no news here: whoever ran the pull hears of it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_S
    server: _Server

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing: standard error is Pulumi's."""

    def _answer(self, *, with_body: bool) -> None:
        if self.path in ("/v2", "/v2/"):
            self._head(HTTPStatus.OK, 2, "application/json")
            self._body(iter([b"{}"]), "", with_body=with_body)
            return
        asked = _PATH.fullmatch(self.path)
        content = self.server.registry.find(asked["digest"]) if asked else None
        if asked is None or content is None:
            self._not_found(with_body=with_body)
        elif isinstance(content, bytes):
            kind = layers.MANIFEST_TYPE if asked["kind"] == "manifests" else layers.CONFIG_TYPE
            self._head(HTTPStatus.OK, len(content), kind, digest=asked["digest"])
            self._body(iter([content]), asked["name"], with_body=with_body)
        else:
            self._file(content, asked["name"], asked["digest"], with_body=with_body)

    def _file(self, path: Path, name: str, digest: str, *, with_body: bool) -> None:
        """A layer, or the rest of one: engines go on where an answer broke off."""
        try:
            size = path.stat().st_size
        except OSError:
            self._not_found(with_body=with_body)
            return
        asked = _RANGE.fullmatch(self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        end = min(int(asked[2]) + 1, size) if asked and asked[2] else size
        if asked and start >= end:
            self._head(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, 0, extra=f"bytes */{size}")
            return
        status = HTTPStatus.PARTIAL_CONTENT if asked else HTTPStatus.OK
        extra = f"bytes {start}-{end - 1}/{size}" if asked else ""
        kind = "application/octet-stream"
        self._head(status, end - start, kind, digest=digest, extra=extra)
        self._body(_read(path, start, end), name, with_body=with_body)

    def _not_found(self, *, with_body: bool) -> None:
        body = json.dumps({"errors": [{"code": "NAME_UNKNOWN"}]}).encode()
        self._head(HTTPStatus.NOT_FOUND, len(body), "application/json")
        self._body(iter([body]), "", with_body=with_body)

    def _head(
        self, status: HTTPStatus, length: int, kind: str = "", *, digest: str = "", extra: str = ""
    ) -> None:
        self.send_response(status)
        headers = {
            "Content-Length": str(length),
            "Content-Type": kind,
            "Content-Range": extra,
            "Docker-Content-Digest": digest,
            "Docker-Distribution-Api-Version": "registry/2.0",
        }
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        self.end_headers()

    def _body(self, chunks: Iterator[bytes], name: str, *, with_body: bool) -> None:
        if not with_body:
            return
        for chunk in chunks:
            if self.server.is_stopped():  # Ctrl-C: the pull ends now, not when all has come over
                self.close_connection = True
                with contextlib.suppress(OSError):
                    self.connection.close()
                return
            self.wfile.write(chunk)
            if name:
                self.server.registry.count(name, len(chunk))


def _read(path: Path, start: int, end: int) -> Iterator[bytes]:
    with path.open("rb") as file:
        file.seek(start)
        left = end - start
        while left > 0 and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
