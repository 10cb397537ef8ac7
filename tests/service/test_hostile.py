"""Hostile connections to a service in a process of its own: statuses, ends, and bounded memory."""

import io
import re
import socket
import struct
import zlib
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image

from service import contract

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
PREDICT = "/v1/adder/predict"
SHADE = "/v1/shade/predict"
HUGE = 300_000_000
PIECE = b" " * 1_000_000
PATIENCE = (
    "-c",
    "import runpy; from service import contract\n"
    "contract.HEADER_TIMEOUT_S = contract.BODY_TIMEOUT_S = 0.5\n"
    "runpy.run_module('service', run_name='__main__')\n",
)


@pytest.fixture(scope="module")
def running(run):
    """A service with the contract's own limits."""
    service = run()
    service.wait()
    return service


@pytest.fixture(scope="module")
def hasty(run):
    """A service that waits half a second where the contract says ten."""
    service = run(PATIENCE)
    service.wait()
    return service


@pytest.fixture(autouse=True)
def still_answers(request):
    """After each test every service answers, and nothing broke inside."""
    yield
    for name in ("running", "hasty"):
        if name in request.fixturenames:
            service = request.getfixturevalue(name)
            assert httpx.post(service.url + PREDICT, json=ROW).json()["sum"] == 5.5
            assert "Traceback" not in service.log()


def head(path, *lines):
    text = "\r\n".join((f"POST {path} HTTP/1.1", "Host: x", *lines, "", ""))
    return text.encode()


def speak(service, first, *, again=b"", times=0):
    """What the service answers to bytes of all kinds; whatever it does to the connection is fine.

    It must do something: a connection that stays open and silent for 20 seconds fails the test.
    """
    with socket.create_connection(("127.0.0.1", service.port), timeout=20) as connection:
        answer = b""
        sent = 0
        try:
            connection.sendall(first)
            for _ in range(times):
                connection.sendall(again)
                sent += 1
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            while piece := connection.recv(65536):
                answer += piece
        except ConnectionResetError:
            pass
        return answer, sent


def status(answer):
    """The first answer's status; 0 where the connection was cut before the answer came through."""
    return int(answer[9:12]) if answer.startswith(b"HTTP/1.1 ") else 0


def memory_bytes(service, name):
    text = Path(f"/proc/{service.process.pid}/status").read_text()
    return int(re.search(rf"^{name}:\s+(\d+) kB$", text, re.MULTILINE)[1]) * 1024


LENGTH = f"Content-Length: {HUGE}"
CHUNKED = "Transfer-Encoding: chunked"
JSON = "Content-Type: application/json"
JPEG = "Content-Type: image/jpeg"


@pytest.mark.parametrize(
    ("path", "kind", "expected"),
    [(PREDICT, JSON, 413), (SHADE, JPEG, 413), (f"{SHADE}/batch", JSON, 415), ("/none", JSON, 404)],
)
def test_a_body_of_300_megabytes_is_refused_before_it_comes(running, path, kind, expected):
    with socket.create_connection(("127.0.0.1", running.port), timeout=20) as connection:
        connection.sendall(head(path, kind, LENGTH, "Expect: 100-continue"))
        answer = connection.recv(65536)
    assert status(answer) == expected
    assert b"100 Continue" not in answer


@pytest.mark.parametrize("length", ["-1", "1e9", "9" * 30, "0x10", "5, 6", ""])
def test_a_length_that_is_none_is_a_bad_request(running, length):
    answer, _ = speak(running, head(PREDICT, JSON, f"Content-Length: {length}"))
    assert status(answer) == 400


def test_two_lengths_and_a_length_beside_chunks_are_bad_requests(running):
    for lines in (("Content-Length: 5", "Content-Length: 6"), ("Content-Length: 5", CHUNKED)):
        answer, _ = speak(running, head(PREDICT, JSON, *lines) + b"0\r\n\r\n")
        assert status(answer) == 400


@pytest.mark.parametrize(("path", "kind"), [(PREDICT, JSON), (SHADE, JPEG)])
def test_an_endless_body_is_refused_and_then_cut(running, path, kind):
    piece = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
    for lines, data in (((kind, LENGTH), PIECE), ((kind, CHUNKED), piece)):
        answer, sent = speak(running, head(path, *lines), again=data, times=300)
        assert status(answer) in (0, 413)
        assert sent < 300


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"5;", b"x" * 10_000),
        (b"0\r\n", b"X-Trailer: " + b"x" * 1000 + b"\r\n"),
        (b"0\r\nX-Trailer: ", b"x" * 10_000),
        (b"", b"0" * 10_000),
    ],
    ids=["a chunk's extension", "trailers", "one trailer", "a chunk's size"],
)
@pytest.mark.parametrize("path", [PREDICT, "/none"], ids=["wanted", "refused"])
def test_what_has_no_end_beside_the_body_is_cut(running, path, first, again):
    answer, sent = speak(running, head(path, JSON, CHUNKED) + first, again=again, times=3000)
    assert status(answer) in (0, 400, 404)
    assert sent < 3000


def test_a_body_in_chunks_of_one_byte_is_taken(running):
    body = httpx.Request("POST", running.url, json=ROW).content
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\nX-Trailer: x\r\n\r\n"
    answer, _ = speak(running, head(PREDICT, JSON, CHUNKED, "Connection: close") + chunks)
    assert status(answer) == 200


def test_a_head_that_comes_slowly_is_cut(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=0.2) as connection:
        assert is_cut(connection, b"GET /livez HTTP/1.1\r\n", b"X: y\r\n")


def test_a_body_that_comes_slowly_is_told_and_then_cut(hasty):
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=0.2) as connection:
        answer = []
        assert is_cut(connection, head(PREDICT, JSON, "Content-Length: 9000"), b" ", answer)
    told = b"".join(answer)
    assert status(told) == 400
    assert b"The body did not arrive within 0.5 seconds." in told


@pytest.mark.parametrize("line", ["Content-Length: 9000", CHUNKED])
def test_a_refused_body_that_comes_slowly_is_cut(hasty, line):
    again = b"1\r\n \r\n" if line == CHUNKED else b" "
    with socket.create_connection(("127.0.0.1", hasty.port), timeout=0.2) as connection:
        answer = []
        assert is_cut(connection, head("/none", JSON, line), again, answer)
    assert status(b"".join(answer)) == 404


def is_cut(connection, first, again, answer=None):
    """Whether the other side ends a connection that sends a little five times a second."""
    try:
        connection.sendall(first)
        for _ in range(100):
            connection.sendall(again)
            try:
                piece = connection.recv(65536)
            except TimeoutError:
                continue
            if not piece:
                return True
            if answer is not None:
                answer.append(piece)
    except (BrokenPipeError, ConnectionResetError):
        return True
    return False


def test_many_slow_senders_do_not_hold_up_a_good_one(hasty):
    slow = [socket.create_connection(("127.0.0.1", hasty.port), timeout=20) for _ in range(100)]
    for number, connection in enumerate(slow):
        start = (b"", b"POST ", head(PREDICT, JSON, "Content-Length: 9000") + b"{")[number % 3]
        connection.sendall(start)
    answers = [httpx.post(hasty.url + PREDICT, json=ROW).status_code for _ in range(20)]
    assert answers == [200] * 20
    for connection in slow:
        while connection.recv(65536):  # each is ended by the service, within its limits
            pass
        connection.close()


def picture(kind, size=(90, 120)):
    data = np.random.default_rng(3).integers(0, 255, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, kind)
    return stream.getvalue()


def png_that_says(width, height):
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(20_000_000), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def test_the_workers_memory_stays_bounded_under_a_barrage(running):
    """The bound is what the contract lets all bodies together hold; each sender has three times it.

    Rejected bodies are counted too: they are read on for a while and must not be kept.
    """
    photo = {"content-type": "image/jpeg"}
    json_type = {"content-type": "application/json"}
    requests = [
        (SHADE, picture("JPEG"), photo, 200),
        (SHADE, picture("PNG")[:-500], photo, 422),
        (SHADE, png_that_says(50_000, 50_000), photo, 422),
        (SHADE, png_that_says(999, 999), photo, 200),
        (SHADE, bytes(200_000), photo, 415),
        (SHADE, bytes(300_000), photo, 413),
        (PREDICT, b"[" * 10_000, json_type, 400),
        (f"{PREDICT}/batch", b'{"items": [' + b"1," * 20_000 + b"1]}", json_type, 422),
        (PREDICT, b" " * 1_000_000, json_type, 413),
        (PREDICT, b'{"a": ' + b"9" * 10_000 + b"}", json_type, 400),
    ]
    for path, body, kind, expected in requests:
        assert httpx.post(running.url + path, content=body, headers=kind).status_code == expected
    before = memory_bytes(running, "VmHWM")

    def ask(number):
        path, body, kind, expected = requests[number % len(requests)]
        answer = httpx.post(running.url + path, content=body, headers=kind)
        return answer.status_code == expected or (path, expected, answer.status_code)

    def flood(number):
        lines = (LENGTH, CHUNKED)[number % 2]
        data = PIECE if number % 2 == 0 else b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
        path, kind = ((PREDICT, JSON), (SHADE, JPEG), ("/none", JSON))[number % 3]
        return speak(running, head(path, kind, lines), again=data, times=HUGE // len(PIECE))[1]

    with ThreadPoolExecutor(8) as pool:
        floods = [pool.submit(flood, number) for number in range(24)]
        answers = list(pool.map(ask, range(300)))
        sent = [flood.result() for flood in floods]

    unexpected = Counter(answer for answer in answers if answer is not True)
    assert {answer[2] for answer in unexpected} <= {503, 504}  # busy, or late on a busy machine
    assert max(sent) < HUGE // len(PIECE)
    grown = memory_bytes(running, "VmHWM") - before
    assert grown < contract.BODIES_BYTES, f"grew by {grown >> 20} MiB"
