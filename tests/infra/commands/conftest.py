"""A real HAProxy with our configuration, from the edge's image or from PATH, before stand-ins."""

import json
import os
import shutil
import socket
import struct
import subprocess
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from infra.commands import edge, haproxy
from infra.config_edge import Edge
from infra.host import Ports
from infra.images import engine as engines
from infra.images import manifest
from infra.provider import live

ROOT = Path(__file__).resolve().parents[3]
START_TIMEOUT_S = 30
PORTS = 100
LARGE = 64 << 20
"""Bytes of the answer to a path with `/large`: more than all buffers on the way take."""


class Replica:
    """Says that it is ready, and answers a request by what it saw of it, or breaks off.

    Attributes:
        breaks_off: whether it resets the connection instead, as a killed process does.
        refuses: tokens that it answers 401.
        seen: the heads of the requests that it answered.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self.port = port
        self.breaks_off = False
        self.asked = 0
        self.refuses: set[str] = set()
        self.seen: list[dict[str, str]] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)  # a thread that waits in accept keeps it open else
        self._socket.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with suppress(ConnectionError), connection, connection.makefile("rb") as stream:
            while line := stream.readline():
                head = {}
                while (header := stream.readline().strip()) != b"":
                    name, _, value = header.decode("latin-1").partition(":")
                    head[name.lower()] = value.strip()
                if line.startswith(b"GET /readyz"):
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                    continue
                self.asked += 1
                if self.breaks_off:  # SO_LINGER of nothing: the peer sees a reset
                    linger = struct.pack("ii", 1, 0)
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                    return
                stream.read(int(head.get("content-length", 0)))
                self.seen.append(head)
                token = head.get("authorization", "").split()[-1:]
                status = "401 Unauthorized" if set(token) & self.refuses else "200 OK"
                body = b"x" * LARGE if b"/large" in line else f"replica on {self.port}".encode()
                start = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n"
                connection.sendall(start.encode() + body)


@dataclass
class Proxy:
    """HAProxy that runs, and the stand-ins behind it, slot a live."""

    port: int
    settings: Edge
    folder: Path
    replicas: list[Replica]
    _stop: Callable[[], None] = field(repr=False)
    _log: Path = field(repr=False)

    def stop(self) -> None:
        self._stop()
        for replica in self.replicas:
            replica.close()

    def forget(self) -> None:
        """What the stand-ins have seen until now."""
        for replica in self.replicas:
            replica.seen.clear()
            replica.asked = 0

    def log(self) -> str:
        """What HAProxy printed until now."""
        return self._log.read_text(errors="replace")

    def lines(self, event: str, count: int) -> list[dict[str, Any]]:
        """The first `count` lines of an event in the access log, once they are there."""
        deadline = time.monotonic() + 10
        while True:
            written = [json.loads(x) for x in self.log().splitlines() if x.startswith("{")]
            found = [x for x in written if x["event"] == event and x.get("path") != "/started"]
            if len(found) >= count:
                return found[:count]
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.05)


Start = Callable[..., Proxy]


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(26_000, 32_000, PORTS):
        try:
            taken = [socket.create_server(("127.0.0.1", first + n)) for n in range(count)]
        except OSError:
            continue
        for one in taken:
            one.close()
        return first
    pytest.fail("no free ports")


@dataclass(frozen=True)
class Program:
    """How HAProxy is started: in the edge's image where there is one, else as it is on PATH."""

    engine: str | None
    image: str = ""

    def start(
        self, folder: Path, log: Path
    ) -> tuple["subprocess.Popen[bytes]", Callable[[], None]]:
        name = f"bentofleet-test-{uuid.uuid4().hex[:12]}"
        if self.engine is None:
            argv = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
        else:
            argv = [
                *(self.engine, "run", "--rm", "--name", name, "--network", "host", "--read-only"),
                *("--cap-drop", "ALL", "--tmpfs", "/run/haproxy:rw,size=1m,mode=1777"),
                *("--volume", f"{folder}:{edge.FOLDER}:ro,z", "--entrypoint", "haproxy"),
                *(self.image, "-db", "-f", haproxy.CONFIG),
            ]
        with log.open("wb") as out:
            process = subprocess.Popen(argv, stdout=out, stderr=subprocess.STDOUT)

        def stop() -> None:
            if self.engine is None:
                process.kill()
            else:
                kill = [self.engine, "rm", "--force", name]
                subprocess.run(kill, capture_output=True, check=False)
            process.wait(30)

        return process, stop

    def written(self, text: str, folder: Path) -> str:
        """The configuration with the paths that it has where the program runs."""
        if self.engine is not None:
            return text
        return text.replace(edge.FOLDER, str(folder)).replace("/run/haproxy", str(folder))


@pytest.fixture(scope="session")
def program() -> Program:
    """The edge's image through the engine, else haproxy on PATH, else the test is skipped."""
    try:
        found = engines.Engine(
            engines.choose(os.environ.get("BENTOFLEET_ENGINE"), engines.why_silent)
        )
        built = manifest.load_fresh(ROOT, {"edge"})["edge"]
        if found.image_id(built.tag) is not None:
            return Program(found.name, built.tag)
        why = f"{found.name} has no {built.tag}"
    except ValueError as e:
        why = str(e)
    if shutil.which("haproxy"):
        return Program(None)
    pytest.skip(f"no HAProxy: {why}, and there is none on PATH. Run `make image`.")


@pytest.fixture
def start(program: Program, tmp_path: Path) -> Iterator[Start]:
    """Starts HAProxy with the edge's settings; it ends with the test."""
    with _started(program, tmp_path) as run:
        yield run


@pytest.fixture(scope="module")
def start_once(program: Program, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """The same for all tests of a file, which must not be in each other's way."""
    with _started(program, tmp_path_factory.mktemp("edges")) as run:
        yield run


@contextmanager
def _started(program: Program, here: Path) -> Iterator[Start]:
    running: list[Proxy] = []

    def run(files: Mapping[str, str] | None = None, **settings: Any) -> Proxy:
        first = free_ports(PORTS)
        if "tls" in settings:
            settings["tls"] = {"http_port": first + 91, **settings["tls"]}
        given = Edge.model_validate(
            {"address": "127.0.0.1", "port": first + 90, "ports_from": first, **settings}
        )
        folder = here / f"edge{len(running)}"
        (folder / "tls").mkdir(parents=True)
        text = haproxy.config(given, Ports(first), replicas=2)
        (folder / "haproxy.cfg").write_text(program.written(text, folder))
        now = live.Live(release="r", slot="a", replicas=2, since="2026-01-01", image="x:1")
        (folder / "live.map").write_text(live.text(now))
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        log = here / f"edge{len(running)}.log"
        replicas = [Replica(Ports(first).replica("a", n)) for n in (1, 2)]
        process, stop = program.start(folder, log)
        proxy = Proxy(given.port, given, folder, replicas, stop, log)
        running.append(proxy)
        _wait(proxy, process, Ports(first).direct("a"))
        return proxy

    try:
        yield run
    finally:
        for proxy in running:
            proxy.stop()


def _wait(proxy: Proxy, process: "subprocess.Popen[bytes]", direct: int) -> None:
    """Until both stand-ins are up; asks by the inner way, which counts for no limit and no test."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert process.poll() is None, proxy.log()
        with suppress(OSError), socket.create_connection(("127.0.0.1", direct), 1) as client:
            client.sendall(b"GET /started HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            client.recv(4096)
        if all(replica.seen for replica in proxy.replicas):
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"the edge does not answer: {proxy.log()}")
    proxy.forget()
