"""The edge under a real HAProxy: a request whose replica dies goes to another one."""

import http.client
import shutil
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from infra.commands import edge
from infra.host import Ports
from infra.provider import live

pytestmark = pytest.mark.skipif(
    shutil.which("haproxy") is None, reason="haproxy is not installed here"
)

BODY = b"x" * 100
READY = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


class Replica:
    """Says that it is ready, and to a prediction its name, or breaks off as a killed one does."""

    def __init__(self, port: int, breaks_off: bool) -> None:
        self._socket = socket.create_server(("127.0.0.1", port))
        self._name = f"replica on {port}".encode()
        self.breaks_off = breaks_off
        self.asked = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
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
                is_check = line.startswith(b"GET /readyz")
                length = 0
                while (header := stream.readline().strip()) != b"":
                    name, _, value = header.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                if is_check:
                    connection.sendall(READY)
                    continue
                self.asked += 1
                if self.breaks_off:  # SO_LINGER of nothing: the peer sees a reset
                    connection.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
                    )
                    return
                stream.read(length)
                head = f"HTTP/1.1 200 OK\r\nContent-Length: {len(self._name)}\r\n\r\n"
                connection.sendall(head.encode() + self._name)


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    for first in range(24_000, 30_000, 100):
        try:
            taken = [socket.create_server(("127.0.0.1", first + n)) for n in range(count)]
        except OSError:
            continue
        for one in taken:
            one.close()
        return first
    pytest.fail("no free ports")


@contextmanager
def haproxy(folder: Path, first: int) -> Iterator[int]:
    """HAProxy with our configuration for two replicas, slot a live; the port for users."""
    port = first + 90
    text = edge.config(address="127.0.0.1", port=port, ports=Ports(first), replicas=2)
    text = text.replace(edge.FOLDER, str(folder)).replace("/run/haproxy", str(folder))
    (folder / "haproxy.cfg").write_text(text)
    now = live.Live(release="r", slot="a", replicas=2, since="2026-01-01", image="x:1")
    (folder / "live.map").write_text(live.text(now))
    argv = ["haproxy", "-db", "-f", str(folder / "haproxy.cfg")]
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 20
        while post(port, pause_s=0)[0] != 200:
            assert time.monotonic() < deadline, "the edge does not answer"
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


def post(port: int, pause_s: float) -> tuple[int, bytes]:
    """One request whose body comes `pause_s` after its head; status 0: no answer."""
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        client.putrequest("POST", "/v1/energy/predict")
        client.putheader("Content-Length", str(len(BODY)))
        client.endheaders()
        time.sleep(pause_s)
        client.send(BODY)
        reply = client.getresponse()
        return reply.status, reply.read()
    except (OSError, http.client.HTTPException) as e:
        return 0, str(e).encode()
    finally:
        client.close()


@pytest.mark.parametrize("pause_s", [0, 0.1])
def test_a_request_whose_replica_breaks_off_is_answered_by_the_other(
    tmp_path: Path, pause_s: float
) -> None:
    first = free_ports(100)
    replicas = [Replica(Ports(first).replica("a", n), breaks_off=False) for n in (1, 2)]
    with haproxy(tmp_path, first) as port:
        replicas[0].breaks_off = True
        replicas[0].asked = 0

        answers = [post(port, pause_s) for _ in range(10)]

    for replica in replicas:
        replica.close()
    assert {status for status, _ in answers} == {200}
    assert replicas[0].asked > 0
