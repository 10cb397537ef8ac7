"""More than a process can take: it refuses some and answers the others."""

import contextlib
import resource
import socket
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
PREDICT = "/v1/adder/predict"
SHADE = "/v1/shade/predict"
JPEG = {"content-type": "image/jpeg"}
# A run of one row takes 10 ms, in a thread: a capacity that a test can multiply by ten.
SLOW = (
    "-c",
    "import time, runpy\n"
    "from service import proof\n"
    "proof._QUICK_S = -1.0\n"
    "from bentos.adder import features\n"
    "encode = features.encode\n"
    "def slow(items):\n"
    "    time.sleep(0.01 * len(items))\n"
    "    return encode(items)\n"
    "features.encode = slow\n"
    "runpy.run_module('service', run_name='__main__')\n",
)
FEW = (
    "-c",
    "import runpy; from service import contract; contract.CONNECTIONS = 32\n"
    "runpy.run_module('service', run_name='__main__')\n",
)


@pytest.fixture(scope="module", autouse=True)
def many_files():
    """The tests' own connections are files too."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def connect():
    """Opens connections that stay open."""
    with contextlib.ExitStack() as stack:

        def run(service, data=b""):
            address = ("127.0.0.1", service.port)
            opened = stack.enter_context(socket.create_connection(address, timeout=20))
            opened.sendall(data)
            return opened

        yield run


def half_a_body():
    return (
        f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        "Content-Length: 100\r\n\r\n{"
    ).encode()


def measure(service):
    process = Path(f"/proc/{service.process.pid}")
    status = process.joinpath("status").read_text()
    threads = int(status.partition("Threads:")[2].split()[0])
    memory = int(status.partition("VmRSS:")[2].split()[0]) * 1024
    return threads, memory, len(list((process / "fd").iterdir()))


class Health:
    """Asks until it is told to end."""

    def __init__(self, service):
        self.answers = []
        self._service = service
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._end.is_set():
            for path in ("/livez", "/readyz"):
                self.answers.append(httpx.get(self._service.url + path, timeout=60).status_code)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._end.set()
        self._thread.join()


def test_ten_times_what_it_can_do_is_shed_and_health_answers_all_the_while(run, connect):
    service = run(SLOW)
    service.wait()
    assert httpx.post(service.url + PREDICT, json=ROW).status_code == 200
    before = measure(service)
    for _ in range(1000):
        connect(service)
    for _ in range(300):
        connect(service, half_a_body())

    def flood(_):
        with httpx.Client(timeout=60) as client:
            return [client.post(service.url + PREDICT, json=ROW) for _ in range(8)]

    with Health(service) as health, ThreadPoolExecutor(48) as pool:
        answers = [answer for some in pool.map(flood, range(48)) for answer in some]
    statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 503, 504}  # without a name nobody has a share
    assert statuses[200] > 0
    assert statuses[503] > 0
    shed = [answer for answer in answers if answer.status_code == 503]
    assert {answer.headers.get("retry-after") for answer in shed} == {"1"}
    assert set(health.answers) == {200}
    threads, memory, _ = measure(service)
    assert threads <= before[0] + 1  # asyncio's or the inner server's, never one per request
    assert memory < before[1] + 64 * 1024 * 1024
    assert httpx.post(service.url + PREDICT, json=ROW).status_code == 200
    assert "Traceback" not in service.log()


def test_idle_connections_beyond_the_limit_go_and_new_ones_are_served(run, connect):
    service = run(FEW)
    service.wait()
    files = measure(service)[2]
    busy = connect(service, half_a_body())
    for _ in range(300):
        connect(service)
        assert measure(service)[2] <= files + 40
    for _ in range(20):
        assert httpx.post(service.url + PREDICT, json=ROW).json()["sum"] == 5.5
    # What a request is in progress on is not closed for those that are idle.
    busy.sendall(b" " * 99)
    assert busy.recv(12) == b"HTTP/1.1 400"


def test_when_all_connections_are_busy_the_next_is_closed_and_then_there_is_room(run, connect):
    service = run(FEW)
    service.wait()
    busy = [connect(service, half_a_body()) for _ in range(32)]
    time.sleep(0.2)
    late = connect(service)
    assert late.recv(10) == b""
    for connection in busy:
        connection.close()
    while True:  # until the service has seen it
        with contextlib.suppress(httpx.TransportError):
            assert httpx.get(f"{service.url}/livez").status_code == 200
            break


def test_at_the_end_bodies_on_their_way_and_queued_rows_are_answered(run, connect):
    service = run(SLOW, BENTOFLEET_DRAIN_S="3")
    service.wait()
    idle = connect(service)
    rest = b'"when":"2017-07-14T14:30:00","a":3.5,"b":2}'.ljust(99)
    slow = [connect(service, half_a_body()) for _ in range(20)]
    queued = [connect(service, half_a_body() + rest) for _ in range(8)]
    service.process.terminate()
    service.wait(503)  # it has seen all of these connections by now
    while service.process.poll() is None:
        try:  # listening ends, and what is in progress goes on
            socket.create_connection(("127.0.0.1", service.port), timeout=20).close()
        except ConnectionError:
            break
    for connection in slow:
        connection.sendall(rest)
    answers = [status(connection) for connection in slow + queued]
    assert answers[20:] == [200] * 8
    assert set(answers) <= {200, 503}  # the slow ones come together, and the queue is short
    assert idle.recv(10) == b""
    assert service.process.wait(60) == 0


def status(connection):
    return int(connection.recv(65536)[9:12])
