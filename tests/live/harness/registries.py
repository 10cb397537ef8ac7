"""A registry that takes images in, asks for a password, and counts what came and went."""

import base64
import hashlib
import http.server
import re
import secrets
import threading
import urllib.parse

USER, PASSWORD = "robot", "planted-registry-password"
_BLOB = re.compile(r"/v2/(?P<name>.+)/(?P<kind>blobs|manifests)/(?P<of>[^/]+)")
_UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>\w*)")


class PushRegistry:
    """Keeps everything in memory; forgets it at the end."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.uploads: dict[str, bytes] = {}
        self.taken = 0
        self.given = 0
        self.pushes = 0
        handler = type("Handler", (_Handler,), {"registry": self})
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.address = f"127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    registry: PushRegistry

    def log_message(self, *_: object) -> None:
        """Silent."""

    def do_GET(self) -> None:
        self._guarded(self._give)

    def do_HEAD(self) -> None:
        self._guarded(self._give)

    def do_POST(self) -> None:
        self._guarded(self._open)

    def do_PATCH(self) -> None:
        self._guarded(self._append)

    def do_PUT(self) -> None:
        self._guarded(self._finish)

    def _guarded(self, answer: object) -> None:
        body = self._body()
        wanted = base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
        if self.headers.get("Authorization") != f"Basic {wanted}":
            self._reply(401, headers={"WWW-Authenticate": 'Basic realm="test"'})
            return
        answer(body)  # type: ignore[operator]

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        whole = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            whole += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return whole

    def _give(self, _: bytes) -> None:
        if self.path == "/v2/":
            self._reply(200, b"{}")
            return
        asked = _BLOB.fullmatch(self.path)
        kind, content = "application/octet-stream", None
        if asked and asked["kind"] == "manifests":
            kind, content = self.registry.manifests.get(asked["of"], (kind, None))
        elif asked:
            content = self.registry.blobs.get(asked["of"])
        if content is None:
            self._reply(404, b'{"errors": [{"code": "BLOB_UNKNOWN"}]}')
            return
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self._reply(200, content, {"Content-Type": kind, "Docker-Content-Digest": digest})
        if self.command == "GET":
            self.registry.given += len(content)

    def _open(self, _: bytes) -> None:
        upload = secrets.token_hex(8)
        self.registry.uploads[upload] = b""
        name = _UPLOAD.match(self.path)
        assert name
        self._reply(202, headers={"Location": f"/v2/{name['name']}/blobs/uploads/{upload}"})

    def _append(self, body: bytes) -> None:
        asked = _UPLOAD.match(self.path)
        assert asked
        self.registry.uploads[asked["id"]] += body
        self.registry.taken += len(body)
        end = len(self.registry.uploads[asked["id"]]) - 1
        self._reply(202, headers={"Location": self.path, "Range": f"0-{end}"})

    def _finish(self, body: bytes) -> None:
        place = urllib.parse.urlsplit(self.path)
        upload, manifest = _UPLOAD.fullmatch(place.path), _BLOB.fullmatch(place.path)
        self.registry.taken += len(body)
        if upload:
            (digest,) = urllib.parse.parse_qs(place.query)["digest"]
            content = self.registry.uploads.pop(upload["id"]) + body
            assert digest == f"sha256:{hashlib.sha256(content).hexdigest()}"
            self.registry.blobs[digest] = content
            self._reply(201, headers={"Location": place.path, "Docker-Content-Digest": digest})
            return
        assert manifest
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        entry = (self.headers["Content-Type"], body)
        self.registry.manifests[manifest["of"]] = self.registry.manifests[digest] = entry
        self.registry.pushes += 1
        self._reply(201, headers={"Location": place.path, "Docker-Content-Digest": digest})

    def _reply(self, status: int, body: bytes = b"", headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        self.send_header("Docker-Distribution-Api-Version", "registry/2.0")
        self.send_header("Content-Length", str(len(body)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
