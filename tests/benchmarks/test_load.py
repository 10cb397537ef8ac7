"""wrk's figures: read from what it writes, failures included, and got from a real run."""

import http.server
import shutil
import threading
from typing import ClassVar

import pytest

from benchmarks import load
from benchmarks.load import Hit

FIGURES = (
    'figures {{"duration_us": 2000000, "requests": 500, "p50_us": 1500, "p99_us": 9000, '
    '"refused": {refused}, "connect": {connect}, "read": 0, "write": 0, "timeout": {timeout}}}\n'
)


def output(refused=0, connect=0, timeout=0):
    head = "Running 32s test @ http://127.0.0.1:1/\n  1 threads and 1 connections\n"
    return head + FIGURES.format(refused=refused, connect=connect, timeout=timeout)


def test_figures_are_read_in_seconds_and_milliseconds():
    found = load.read(output())
    assert found == load.Burst(requests=500, duration_s=2.0, p50_ms=1.5, p99_ms=9.0, failed=0)
    assert found.rps == 250


@pytest.mark.parametrize(
    ("failures", "failed"),
    [({"refused": 100}, 100), ({"connect": 3}, 3), ({"timeout": 7}, 7)],
    ids=["status beyond 399", "no connection", "no answer in time"],
)
def test_whatever_failed_is_counted_and_is_no_good_answer(failures, failed):
    found = load.read(output(**failures))
    assert found.failed == failed
    assert found.rps == (500 - failed) / 2


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("unable to connect to 127.0.0.1:1 Connection refused\n", "Connection refused"),
        ("", "it said nothing"),
    ],
    ids=["its last line", "silence"],
)
def test_without_figures_the_reason_is_told(text, reason):
    with pytest.raises(ValueError, match=f"wrk: gave no figures .*{reason}"):
        load.read(text)


def test_a_missing_wrk_is_one_line_that_says_how_to_get_it(monkeypatch):
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(ValueError, match=r"^wrk: .* Run `apt install wrk`") as raised:
        load.find()
    assert "\n" not in str(raised.value)


class _Seen(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    requests: ClassVar[list] = []

    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        told = (self.headers["content-type"], self.headers["authorization"], body)
        self.requests.append(told)
        self.send_response(200 if self.headers["authorization"] else 401)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.mark.skipif(shutil.which("wrk") is None, reason="wrk is not installed")
@pytest.mark.parametrize("token", ["t0ken", None], ids=["a token", "no token"])
def test_a_burst_sends_the_request_and_counts_what_is_refused(tmp_path, token):
    body = tmp_path / "body"
    body.write_bytes(b"\xff\x00\n bytes")
    _Seen.requests = []
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Seen)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hit = Hit(method="POST", path="/x", body=body, content_type="image/jpeg", token=token)
    found = load.burst(f"http://127.0.0.1:{server.server_port}", hit, 2, 0.3)
    server.shutdown()
    server.server_close()
    assert set(_Seen.requests) == {
        ("image/jpeg", f"Bearer {token}" if token else None, b"\xff\x00\n bytes")
    }
    assert found.requests > 0
    assert found.failed == (0 if token else found.requests)
