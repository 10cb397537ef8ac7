"""Signals at bad moments, crowds of connections and time-outs, over real processes."""

import os
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from bentos.catalog import MODELS
from service import contract

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
ADDER = "/v1/adder/predict"
SERVE = "runpy.run_module('service', run_name='__main__')\n"


def script(*lines):
    return ("-c", "\n".join(("import os, runpy, sys, time", *lines, SERVE)))


def odd(model, name, act, *lines):
    """A service in which a function of a model's code acts oddly when it is told `odd`."""
    return script(
        "from service import contract",
        *lines,
        f"from bentos.{model} import features",
        f"sane = features.{name}",
        "def odd(given):",
        "    if os.path.exists(os.environ['ODD']):",
        f"        {act}",
        "    return sane(given)",
        f"features.{name} = odd",
    )


IMPORTS = script(
    "class Hangs:",
    "    def find_spec(self, name, path=None, target=None):",
    "        if name == 'onnxruntime':",
    "            print('importing', flush=True)",
    "            time.sleep(600)",
    "sys.meta_path.insert(0, Hangs())",
)


def wait_for(holds, what):
    end = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.02)


def status_of(pid, name):
    return int(re.search(rf"^{name}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.M)[1])


def test_so_it_does_as_the_first_process_of_a_container(run):
    unshare = ["unshare", "--fork", "--pid", "--mount-proc"]
    if (
        not shutil.which("unshare")
        or subprocess.run([*unshare, "true"], capture_output=True).returncode
    ):
        pytest.skip("this user may not make a PID namespace")
    start = f"import os; os.execvp('unshare', {[*unshare, sys.executable, *IMPORTS]!r})"
    service = run(("-c", start))
    wait_for(lambda: "importing" in service.log(), "it imports")
    pid = service.process.pid
    (child,) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    os.kill(int(child), signal.SIGTERM)
    assert service.process.wait(60) == 0


@pytest.mark.parametrize("path", [ADDER, f"{ADDER}/batch"], ids=["fast path", "ordinary path"])
def test_a_body_that_is_on_its_way_at_the_signal_is_waited_for_and_answered(run, path):
    service = run()
    service.wait()
    row = httpx.Request("POST", service.url, json=ROW).content
    body = row if path == ADDER else b'{"items": [%s]}' % row
    head = f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    with connect(service) as sender:
        sender.sendall(f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body[:9])
        assert httpx.get(f"{service.url}/livez").status_code == 200  # so the head is there
        service.process.terminate()  # without draining: it listens no more
        wait_for(lambda: is_closed(service), "it listens no more")
        sender.sendall(body[9:])
        assert sender.recv(12) == b"HTTP/1.1 200"
    assert service.process.wait(60) == 0


def is_closed(service):
    try:
        connect(service).close()
    except ConnectionRefusedError:
        return True
    return False


HASTY = "contract.STUCK_S = 2"


def test_a_process_that_was_stopped_for_a_while_goes_on(run, tmp_path):
    service = run(odd("shade", "answer", "pass", HASTY), ODD=str(tmp_path / "none"))
    service.wait()
    service.process.send_signal(signal.SIGSTOP)
    time.sleep(3.5)
    service.process.send_signal(signal.SIGCONT)
    answers = [httpx.post(service.url + ADDER, json=ROW).status_code for _ in range(5)]
    assert answers == [200] * 5


def test_no_run_that_may_still_be_waited_for_counts_as_stuck():
    assert max(spec.deadline_ms for spec in MODELS.values()) * 10 < contract.STUCK_S * 1000


def test_fifty_timeouts_leave_no_thread_and_no_item_behind(run, tmp_path):
    flag = tmp_path / "odd"
    service = run(odd("adder", "answer", "time.sleep(0.5)"), ODD=str(flag))
    service.wait()
    flag.touch()
    before = status_of(service.process.pid, "Threads")
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda _: httpx.post(service.url + ADDER, json=ROW, timeout=60), range(50)
        )
        statuses = Counter(answer.status_code for answer in answers)
    assert set(statuses) <= {200, 504}  # in the loop a run is over before anybody can give it up
    assert statuses[504]
    assert status_of(service.process.pid, "Threads") <= before + 1  # the model's own
    flag.unlink()
    wait_for(lambda: httpx.post(service.url + ADDER, json=ROW).status_code == 200, "it answers")


def connect(service):
    return socket.create_connection(("127.0.0.1", service.port), timeout=20)


def test_a_thousand_idle_connections_and_three_hundred_slow_bodies_hold_up_nobody(run):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2000:
        pytest.skip("this process may not open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2000), hard))
    service = run()
    service.wait()
    head = f"POST {ADDER} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
    slow = f"{head}Content-Length: 9000\r\n\r\n{{".encode()
    with ExitStack() as stack:
        for _ in range(1000):
            stack.enter_context(connect(service))
        bodies = [stack.enter_context(connect(service)) for _ in range(300)]
        for one in bodies:
            one.sendall(slow)
        answers = [httpx.post(service.url + ADDER, json=ROW).status_code for _ in range(50)]
        health = [httpx.get(f"{service.url}/readyz").status_code for _ in range(50)]
    assert (answers, health) == ([200] * 50, [200] * 50)


def is_cut(connection, data):
    """Whether nothing more can be sent; the other side may just not have had its turn."""
    try:
        connection.sendall(data)
    except TimeoutError:
        return False
    except OSError:
        return True
    return False


def test_a_client_that_does_not_read_its_answers_is_cut(run):
    service = run(script("from service import contract; contract.ANSWER_TIMEOUT_S = 0.5"))
    service.wait()
    pid = service.process.pid
    before = len(list(Path(f"/proc/{pid}/fd").iterdir()))
    with socket.socket() as deaf:
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        deaf.settimeout(1)
        deaf.connect(("127.0.0.1", service.port))
        question = b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n"
        wait_for(lambda: is_cut(deaf, question * 100), "it is cut")
        wait_for(lambda: len(list(Path(f"/proc/{pid}/fd").iterdir())) <= before, "it is closed")
    assert httpx.get(f"{service.url}/livez").status_code == 200
    assert '"level":"error"' not in service.log()
