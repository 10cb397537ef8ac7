"""The service alone for half an hour, under good and bad load: no 500, and memory that stays.

`MINUTES` says how long. What was measured goes to reports/soak-service.json.
"""

import contextlib
import http.client
import io
import json
import logging
import os
import re
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random

import pytest
from PIL import Image

from bentos.catalog import MODELS
from bentos.spec import Table
from service import contract, tokens

pytestmark = pytest.mark.soak

ROOT = Path(__file__).parents[2]
REPORT = ROOT / "reports/soak-service.json"
MOST_BYTES = 250 * 10**6
JSON = {"content-type": "application/json"}
JPEG = {"content-type": "image/jpeg"}
GONE = 0  # counted where the client did not wait for an answer
BUSY = {429, 503, 504}  # a busy machine's answers, to good requests too

log = logging.getLogger("soak")


class Target:
    """`python -m service` with all models."""

    def __init__(self, environ, port):
        self.port = port
        self.faults = []
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service"], cwd=ROOT, env=environ, stdout=subprocess.PIPE
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            if json.loads(line)["level"].upper() not in ("DEBUG", "INFO", "WARNING"):
                self.faults.append(line.decode())

    def ask(self, method, path, body=None, headers=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers or {})
            return connection.getresponse().status

    def measure(self):
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        files = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        rss, peak, threads = (
            int(re.search(rf"^{name}:\s+(\d+)", status, re.MULTILINE)[1])
            for name in ("VmRSS", "VmHWM", "Threads")
        )
        return {
            "rss_bytes": rss * 1024,
            "peak_bytes": peak * 1024,
            "threads": threads,
            "files": files,
        }

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self._reader.join()
            self.process.stdout.close()


@pytest.fixture
def target(key_dir, free_ports):
    port, metrics_port = free_ports
    environ = {
        "PATH": os.environ["PATH"],
        "BENTOFLEET_HOST": "127.0.0.1",
        "BENTOFLEET_PORT": str(port),
        "BENTOFLEET_METRICS_PORT": str(metrics_port),
        "BENTOFLEET_JWKS": str(key_dir / tokens.JWKS_FILE),
        "BENTOFLEET_DRAIN_S": "0",
    }
    started = Target(environ, port)
    yield started
    if started.process.poll() is None:
        started.stop()


def png_that_says(side):
    def chunk(name, content):
        check = struct.pack(">I", zlib.crc32(name + content))
        return struct.pack(">I", len(content)) + name + content + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(bytes(10_000_000), 9))
    return b"\x89PNG\r\n\x1a\n" + head + data + chunk(b"IEND", b"")


def picture(side):
    stream = io.BytesIO()
    Image.effect_noise((side, side), 60).convert("RGB").save(stream, "JPEG")
    return stream.getvalue()


class Load:
    """Requests of all kinds: path, body, headers, and the statuses that are right."""

    def __init__(self, target, token):
        self.statuses = Counter()
        self.wrong = Counter()
        self.end = threading.Event()
        self._target = target
        self._bearer = {"authorization": f"Bearer {token}"}
        self._other = {"authorization": f"Bearer {token[:-6]}AAAAAA"}
        self._photo = contract.predict_path("wildlife")
        self._row = contract.predict_path("energy")
        self._large = picture(1500)
        self._bombs = [png_that_says(50_000), png_that_says(3_000)]
        acts = ((self.good, 12), (self.many, 2), (self.bad, 5), (self.refused, 3), (self.rude, 2))
        self._acts = [act for act, weight in acts for _ in range(weight)]

    def run(self, seed):
        rng = Random(seed)  # noqa: S311
        connection = http.client.HTTPConnection("127.0.0.1", self._target.port, timeout=60)
        while not self.end.is_set():
            rng.choice(self._acts)(connection, rng)
        connection.close()

    def everything_once(self):
        """So that each thread and buffer of the service is there."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(self._once, range(8)))

    def _once(self, seed):
        rng = Random(seed)  # noqa: S311  the same load each time
        connection = http.client.HTTPConnection("127.0.0.1", self._target.port, timeout=60)
        for act in dict.fromkeys(self._acts):
            for _ in range(10):
                act(connection, rng)
        connection.close()

    def _ask(self, connection, expected, path, body, headers, method="POST"):
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            status = answer.status
            if status == 413:  # what is left of the body makes the service cut the connection
                connection.close()
        except (OSError, http.client.HTTPException):  # a body that is too large may be cut
            connection.close()
            status = GONE
        self.statuses[status] += 1
        if status not in expected:
            self.wrong[f"{method} {path} {status}"] += 1

    def good(self, connection, rng):
        request = contract.example_request(rng.choice(list(MODELS.values())), rng=rng)
        kind = {"content-type": request.content_type, **self._bearer}
        self._ask(connection, {200, *BUSY}, request.path, request.body, kind)

    def many(self, connection, rng):
        spec = rng.choice(list(MODELS.values()))
        count = rng.randrange(1, 200) if isinstance(spec.takes, Table) else 2
        request = contract.example_request(spec, batch_items=count, rng=rng)
        kind = {"content-type": request.content_type, **self._bearer}
        self._ask(connection, {200, *BUSY}, request.path, request.body, kind)
        explained = contract.explain_path("octagon")
        self._ask(connection, {200, *BUSY}, explained, self._large, {**JPEG, **self._bearer})

    def bad(self, connection, rng):
        photo = contract.example_request(MODELS["wildlife"], rng=rng).body
        status, path, body, kind = rng.choice(
            (
                (400, self._row, b'{"a": NaN}', JSON),
                (400, self._row, b"[" * 9000, JSON),
                (422, self._row, b'{"a": 1}', JSON),
                (422, f"{self._row}/batch", b'{"items": []}', JSON),
                (415, self._row, b"a=1", {"content-type": "text/plain"}),
                (413, self._row, b" " * 100_000, JSON),
                (415, self._photo, rng.randbytes(20_000), JPEG),
                (422, self._photo, photo[: rng.randrange(2000, len(photo) * 9 // 10)], JPEG),
                (422, self._photo, self._bombs[0], JPEG),
                (422, self._photo, self._bombs[1], JPEG),
                (415, self._photo, b"http://169.254.169.254/latest", JPEG),
                (413, self._photo, bytes(11_000_000), JPEG),
                (404, "/v1/none", b"", {}),
            )
        )
        allowed = {status, *BUSY} | ({GONE} if status == 413 else set())
        self._ask(connection, allowed, path, body, {**kind, **self._bearer})

    def refused(self, connection, rng):
        token = rng.choice((self._other, {}, {"authorization": f"Bearer {rng.randbytes(9).hex()}"}))
        path = rng.choice((self._row, self._photo, "/v1/none"))
        self._ask(connection, {401}, path, b"{}", {**JSON, **token})

    def rude(self, connection, rng):
        """Half a head, half a body, an answer that nobody waits for, or a chunk without an end."""
        row = contract.example_request(MODELS["energy"], rng=rng).body
        head = f"POST {self._row} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        head += f"Authorization: {self._bearer['authorization']}\r\n"
        whole = head.encode() + b"Content-Length: %d\r\n\r\n" % len(row) + row
        chunked = head.encode() + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\n{"
        data = rng.choice((whole[: rng.randrange(len(whole))], whole, chunked, b"\x16\x03\x01\x02"))
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self._target.port)) as one,
        ):
            one.sendall(data)
            self.end.wait(rng.choice((0, 0.01, 0.5)))
        self.statuses[GONE] += 1


class Health:
    """Asks all the while, and counts what is answered."""

    def __init__(self, target, end):
        self.asked = self.answered = 0
        self._target = target
        self._end = end

    def run(self):
        while not self._end.wait(0.5):
            for path in (contract.LIVEZ, contract.READYZ):
                self.asked += 1
                with contextlib.suppress(OSError):
                    self.answered += self._target.ask("GET", path) == 200


def middle(samples):
    return statistics.median(sample["rss_bytes"] for sample in samples)


def drift(samples):
    """Growth from the steady state's first tenth to its last, for each 10,000 requests."""
    tenth = max(1, len(samples) // 10)
    first, last = samples[:tenth], samples[-tenth:]
    requests = last[tenth // 2]["requests"] - first[tenth // 2]["requests"]
    return (middle(last) / middle(first) - 1) / max(1.0, requests / 10_000)


def wait_until(holds, most_s):
    end = time.monotonic() + most_s
    while time.monotonic() < end and not holds():
        time.sleep(0.2)


def test_half_an_hour_of_good_and_bad_load_leaves_no_trace(target, token_for):
    minutes = float(os.environ.get("MINUTES", "30"))
    wait_until(lambda: is_ready(target), 120)
    started = target.measure()
    load = Load(target, token_for(lifetime_s=contract.MAX_TOKEN_LIFETIME_S))
    load.everything_once()
    before = target.measure()
    health = Health(target, load.end)
    threads = [threading.Thread(target=load.run, args=(seed,)) for seed in range(8)]
    threads.append(threading.Thread(target=health.run))
    for thread in threads:
        thread.start()
    samples = []
    end = time.monotonic() + minutes * 60
    while time.monotonic() < end and target.process.poll() is None:
        time.sleep(min(5, minutes * 60 / 40))
        samples.append({**target.measure(), "requests": sum(load.statuses.values())})
        if len(samples) % 60 == 0:
            log.info("%s", samples[-1])
    load.end.set()
    for thread in threads:
        thread.join()
    wait_until(lambda: target.measure()["files"] <= before["files"], 30)
    after = target.measure()
    steady = samples[len(samples) // 10 :]
    found = {
        "minutes": minutes,
        "requests": sum(load.statuses.values()),
        "by_status": {str(status): n for status, n in sorted(load.statuses.items())},
        "unexpected": dict(load.wrong),
        "health": {"asked": health.asked, "answered": health.answered},
        "rss_mb": {
            "start": started["rss_bytes"] / 1e6,
            "steady": middle(steady) / 1e6,
            "end": after["rss_bytes"] / 1e6,
            "max": max(sample["rss_bytes"] for sample in samples) / 1e6,
            "peak": after["peak_bytes"] / 1e6,  # of a moment, between two samples
        },
        "drift_per_10000_requests": drift(steady),
        "threads": {"before": before["threads"], "after": after["threads"]},
        "files": {"before": before["files"], "after": after["files"]},
        "faults_in_the_log": target.faults[:20],
        "exit_code": target.stop(),
    }
    REPORT.parent.mkdir(exist_ok=True)
    REPORT.write_text(json.dumps(found, indent=2) + "\n")
    log.info("%s", json.dumps(found, indent=2))
    judge(found)


def is_ready(target):
    with contextlib.suppress(OSError):
        return target.ask("GET", contract.READYZ) == 200
    return False


def judge(found):
    rss = found["rss_mb"]
    assert found["by_status"].get("500", 0) == 0
    assert found["unexpected"] == {}
    assert found["faults_in_the_log"] == []
    assert found["health"]["answered"] == found["health"]["asked"] > 0
    assert rss["max"] <= min(1.5 * rss["steady"], MOST_BYTES / 1e6)
    assert found["drift_per_10000_requests"] <= 0.05
    tables = sum(isinstance(spec.takes, Table) for spec in MODELS.values())  # may get one each
    assert found["threads"]["after"] <= found["threads"]["before"] + tables
    assert found["files"]["after"] <= found["files"]["before"]
    assert found["exit_code"] == 0
