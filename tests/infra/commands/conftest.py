"""A real HAProxy with our configuration, from the edge's image or from PATH, before stand-ins."""

import json
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from harness.edges import Fleet as Sites
from harness.proxies import START_TIMEOUT_S, Program, Replica, Running, find_program, free_ports

from infra.commands import haproxy
from infra.commands.fleet import Fleet
from infra.config_edge import Edge
from infra.host import Ports
from infra.provider import live

PORTS = 100


@dataclass
class Proxy:
    """HAProxy that runs, and the stand-ins behind it, slot a live."""

    port: int
    settings: Edge
    folder: Path
    replicas: list[Replica]
    running: Running = field(repr=False)

    def stop(self) -> None:
        self.running.kill()
        for replica in self.replicas:
            replica.close()

    def forget(self) -> None:
        """What the stand-ins have seen until now."""
        for replica in self.replicas:
            replica.seen.clear()
            replica.asked = 0

    def log(self) -> str:
        """What HAProxy printed until now."""
        return self.running.log.read_text(errors="replace")

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


@pytest.fixture(scope="session")
def program() -> Program:
    """HAProxy, or the test is skipped."""
    return find_program()


@pytest.fixture
def sites(tmp_path: Path) -> Iterator[Sites]:
    """A fleet without hosts; those that a test adds end with it."""
    fleet = Sites(find_program(is_quick=True), tmp_path)
    yield fleet
    fleet.stop()


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
        text = haproxy.config(given, Ports(first), 2, Fleet("here"))
        (folder / "haproxy.cfg").write_text(program.written(text, folder))
        now = live.Live(release="r", slot="a", replicas=2, since="2026-01-01", image="x:1")
        (folder / "live.map").write_text(live.text(now))
        for name, content in (files or {}).items():
            (folder / name).write_text(content)
        log = here / f"edge{len(running)}.log"
        replicas = [Replica(Ports(first).replica("a", n)) for n in (1, 2)]
        proxy = Proxy(given.port, given, folder, replicas, program.start(folder, log))
        running.append(proxy)
        _wait(proxy, Ports(first).door)
        return proxy

    try:
        yield run
    finally:
        for proxy in running:
            proxy.stop()


def _wait(proxy: Proxy, door: int) -> None:
    """Until both stand-ins are up; asks by the inner way, which counts for no limit and no test."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        assert proxy.running.process.poll() is None, proxy.log()
        with suppress(OSError), socket.create_connection(("127.0.0.1", door), 1) as client:
            client.sendall(b"GET /started HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            client.recv(4096)
        if all(replica.seen for replica in proxy.replicas):
            break
        time.sleep(0.05)
    else:
        pytest.fail(f"the edge does not answer: {proxy.log()}")
    proxy.forget()
