"""The service in a process of its own, as the container runs it."""

import contextlib
import json
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from service import contract
from service.inner import listen

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
PREDICT = "/v1/adder/predict"


def listening_ports(pid):
    """Ports that a process listens on."""
    process = Path(f"/proc/{pid}")
    targets = []
    for fd in (process / "fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # closed since the folder was read
            targets.append(str(fd.readlink()))
    inodes = {target[8:-1] for target in targets if target.startswith("socket:[")}
    ports = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in (process / "net" / table).read_text().splitlines()[1:]:
            columns = line.split()
            if columns[9] in inodes and columns[3] in ("0A", "07"):
                ports.add((table, int(columns[1].rpartition(":")[2], 16)))
    return ports


@pytest.fixture(scope="module")
def running(run):
    """A service that several tests share."""
    service = run(BENTOFLEET_RELEASE="r5")
    service.wait()
    return service


def test_it_answers_without_telling_what_it_is_made_of(running):
    answer = httpx.post(running.url + PREDICT, json=ROW)
    assert answer.json()["sum"] == 5.5
    assert "server" not in answer.headers
    assert httpx.get(f"{running.url}/readyz").headers["x-bentofleet-release"] == "r5"


def test_it_listens_on_its_two_ports_alone(running):
    assert listening_ports(running.process.pid) == {
        ("tcp", running.port),
        ("tcp", running.metrics_port),
    }


def test_metrics_are_on_the_inner_port_and_nothing_else_is(running):
    scrape = httpx.get(f"{running.metrics_url}/metrics")
    assert scrape.status_code == 200
    assert 'bentofleet_release_info{release="r5"} 1.0' in scrape.text
    assert "process_resident_memory_bytes" in scrape.text
    for path in ("/", "/livez", "/v1/models", PREDICT):
        assert httpx.get(running.metrics_url + path).status_code == 404
    assert httpx.get(f"{running.url}/metrics").status_code == 404


def test_every_line_of_its_log_is_json(running):
    lines = [json.loads(line) for line in running.log().splitlines()]
    assert all(line["time"] and line["level"] and line["message"] for line in lines)
    messages = [line["message"] for line in lines]
    assert "BENTOFLEET_AUTH=off: whoever reaches this port may call /v1." in messages
    assert f"listening on 127.0.0.1 port {running.port}" in messages


def test_it_imports_neither_what_trains_nor_bentoml(run, tmp_path):
    command = (
        "-c",
        "import atexit, json, pathlib, runpy, sys\n"
        f"note = pathlib.Path({str(tmp_path / 'modules.json')!r})\n"
        "atexit.register(lambda: note.write_text(json.dumps(sorted(sys.modules))))\n"
        "runpy.run_module('service', run_name='__main__')\n",
    )
    service = run(command)
    service.wait()
    assert httpx.post(service.url + PREDICT, json=ROW).status_code == 200
    service.process.terminate()
    assert service.process.wait(60) == 0
    modules = {
        name.partition(".")[0] for name in json.loads((tmp_path / "modules.json").read_text())
    }
    assert "onnxruntime" in modules
    assert not modules & {"torch", "xgboost", "sklearn", "pandas", "onnx", "bentoml", "pydantic"}


def test_sigterm_turns_readiness_first_and_everything_accepted_is_answered(run):
    service = run(BENTOFLEET_DRAIN_S="3")
    service.wait()
    stopped = threading.Event()
    answers = []

    def steady():
        with httpx.Client() as client:
            while not stopped.is_set():
                answers.append(client.post(service.url + PREDICT, json=ROW))

    with ThreadPoolExecutor(3) as pool:
        streams = [pool.submit(steady) for _ in range(3)]
        service.process.send_signal(signal.SIGTERM)
        service.wait(503)
        after = len(answers)
        while len(answers) < after + 20:
            time.sleep(0.01)
        stopped.set()
        for stream in streams:
            stream.result()
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers.get("connection") for answer in answers[-5:]} == {"close"}
    assert service.process.wait(60) == 0
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{service.url}/livez")


def test_what_runs_when_listening_ends_is_still_answered(run):
    service = run()
    service.wait()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(httpx.post, service.url + PREDICT, json={**ROW, "a": 99})
        time.sleep(0.2)
        service.process.send_signal(signal.SIGTERM)  # without draining: it ends now
        assert running.result().status_code in (200, 504)  # the run took longer than the deadline
    assert service.process.wait(60) == 0


def test_a_second_signal_leaves_out_the_waiting_and_the_inner_port_can_be_closed(run):
    service = run(BENTOFLEET_DRAIN_S="600", BENTOFLEET_METRICS_PORT="0")
    service.wait()
    assert listening_ports(service.process.pid) == {("tcp", service.port)}
    service.process.send_signal(signal.SIGINT)
    service.wait(503)
    service.process.send_signal(signal.SIGTERM)
    assert service.process.wait(60) == 0


def test_a_wrong_setting_is_one_line_and_exit_code_2(run):
    service = run(BENTOFLEET_MODELS="zebra")
    assert service.process.wait(60) == 2
    assert service.log() == ("BENTOFLEET_MODELS: no such model: zebra. There are adder, shade.\n")


def test_an_inner_port_that_is_taken_is_one_line_and_exit_code_2(run, running):
    service = run(BENTOFLEET_METRICS_PORT=str(running.port))
    assert service.process.wait(60) == 2
    told = f"BENTOFLEET_METRICS_PORT: cannot listen on 127.0.0.1 port {running.port} "
    assert service.log().startswith(told)
    assert service.log().count("\n") == 1


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "Address already in use"),
        ("203.0.113.1", "Cannot assign requested address"),
        ("::g", "Name or service not known"),
    ],
)
def test_an_address_that_cannot_be_had_is_named(running, host, reason):
    told = f"^BENTOFLEET_PORT: cannot listen on {host} port {running.port} "
    with pytest.raises(OSError, match=told) as caught:
        listen(host, running.port, "BENTOFLEET_PORT")
    assert reason in str(caught.value) or host == "::g"


def test_it_works_without_a_place_to_write(run, tmp_path):
    """A process whose every attempt to make a file fails, as on a read-only root."""
    command = (
        "-c",
        "import os, runpy, sys\n"
        "def refuse(event, arguments):\n"
        "    if event == 'open' and isinstance(arguments[2], int) and arguments[2] & os.O_CREAT:\n"
        "        raise OSError(30, 'Read-only file system', arguments[0])\n"
        "    if event in ('os.mkdir', 'os.rename', 'os.remove'):\n"
        "        raise OSError(30, 'Read-only file system')\n"
        "sys.addaudithook(refuse)\n"
        "runpy.run_module('service', run_name='__main__')\n",
    )
    service = run(command)
    service.wait()
    body, kind = contract.multipart([b"x" * 150_000])
    answer = httpx.post(
        f"{service.url}/v1/shade/predict", content=body, headers={"content-type": kind}
    )
    assert answer.status_code == 415
    assert httpx.post(service.url + PREDICT, json=ROW).status_code == 200
    service.process.terminate()
    assert service.process.wait(60) == 0


@pytest.fixture(scope="module")
def connect():
    """Opens a raw connection to a service."""
    opened = []

    def run(service, data=b""):
        connection = socket.create_connection(("127.0.0.1", service.port), timeout=20)
        opened.append(connection)
        connection.sendall(data)
        return connection

    yield run
    for connection in opened:
        connection.close()


def is_cut(connection, data, times):
    """Whether the other side ends the connection after data was sent again and again.

    The sockets' own buffers may take all of it before the other side has had its turn: then its
    end of the connection tells.
    """
    try:
        for _ in range(times):
            connection.sendall(data)
        while connection.recv(65536):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def read_all(connection):
    data = b""
    try:
        while chunk := connection.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def test_bad_clients_do_not_hold_up_a_good_one(running, connect):
    service = running
    endless = connect(service, b"GET /livez HTTP/1.1\r\nHost: x\r\n")
    assert is_cut(endless, b"X-Line: " + b"x" * 1000 + b"\r\n", 1000)

    refused = connect(
        service,
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000000\r\n\r\n",
    )
    assert refused.recv(12) == b"HTTP/1.1 404"
    assert is_cut(refused, b"x" * 1_000_000, 100)

    garbage = connect(service, b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n")
    assert read_all(garbage).startswith(b"HTTP/1.1 400")

    upgrade = connect(
        service,
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: eHh4eHh4eHh4eHh4eHh4eA==\r\n\r\n",
    )
    assert upgrade.recv(12) == b"HTTP/1.1 200"

    small = connect(
        service,
        b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\n12345"
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    )
    assert read_all(small).count(b"HTTP/1.1") == 2  # a refused body does not cost the connection

    assert httpx.get(f"{service.url}/livez").status_code == 200
    assert "Traceback" not in service.log()


def test_a_connection_that_says_nothing_is_closed(run, connect):
    command = (
        "-c",
        "import runpy; from service import contract; contract.HEADER_TIMEOUT_S = 0.3\n"
        "runpy.run_module('service', run_name='__main__')\n",
    )
    service = run(command)
    service.wait()
    silent = connect(service)
    half = connect(service, b"GET /livez HTTP/1.1\r\nHo")
    assert (read_all(silent), read_all(half)) == (b"", b"")
    assert httpx.get(f"{service.url}/livez").status_code == 200
