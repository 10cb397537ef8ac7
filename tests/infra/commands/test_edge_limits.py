"""The edge's limits under a real HAProxy: slow, silent, idle, large and many."""

import http.client
import json
import socket
from collections.abc import Callable
from typing import Any

import pytest

HEAD = b"POST /v1/energy/predict HTTP/1.1\r\nHost: edge\r\n"
Start = Callable[..., Any]


def ended(client: socket.socket) -> bytes:
    """What came until the edge closed the connection."""
    client.settimeout(20)
    parts = []
    try:
        while part := client.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        parts.append(b"<reset>")
    return b"".join(parts)


@pytest.mark.parametrize(
    "sent",
    [HEAD, HEAD + b"Content-Length: 100\r\n\r\nonly a part"],
    ids=["a head without an end", "a body without an end"],
)
def test_a_request_that_does_not_arrive_in_time_is_ended(start: Start, sent: bytes) -> None:
    proxy = start(limits={"head_timeout_s": 1})

    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(sent)
        answer = ended(client)

    assert answer.startswith(b"HTTP/1.1 408")
    assert [r.asked for r in proxy.replicas] == [0, 0]


def test_a_client_that_takes_no_more_of_its_answer_is_left(start: Start) -> None:
    proxy = start(limits={"silence_timeout_s": 1})

    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: edge\r\n\r\n")
        (line,) = proxy.lines("edge", 1)

    assert (line["path"], line["end"][0]) == ("/large", "c")


def test_a_connection_that_stays_idle_is_closed(start: Start) -> None:
    proxy = start(limits={"idle_timeout_s": 1})

    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
        answer = ended(client)

    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("body_bytes", [(1 << 20) + 1, 40 << 20], ids=["a byte more", "40 MiB"])
def test_a_body_beyond_the_limit_is_refused_and_no_replica_is_asked(
    start: Start, body_bytes: int
) -> None:
    proxy = start(limits={"body_mib": 1})
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)

    client.putrequest("POST", "/v1/wildlife/predict")
    client.putheader("Content-Length", str(body_bytes))
    client.endheaders()
    client.send(b"x" * 300_000)
    answer = client.getresponse()
    told = json.loads(answer.read())
    client.close()

    assert (answer.status, told["status"]) == (413, 413)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert told["detail"] == "The edge takes bodies of at most 1 MiB."
    assert len(told["request_id"]) > 10
    assert [r.asked for r in proxy.replicas] == [0, 0]


def test_a_body_of_the_limit_passes(start: Start) -> None:
    proxy = start(limits={"body_mib": 1})
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)

    client.request("POST", "/v1/wildlife/predict", b"x" * (1 << 20))

    assert client.getresponse().status == 200
    client.close()


def test_one_address_has_no_more_than_its_connections_and_gets_them_back(start: Start) -> None:
    proxy = start(limits={"client_connections": 3})
    held = [socket.create_connection(("127.0.0.1", proxy.port)) for _ in range(3)]
    for client in held:  # the edge has taken each
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: edge\r\n\r\n")
        assert client.recv(4096).startswith(b"HTTP/1.1 200")

    with socket.create_connection(("127.0.0.1", proxy.port)) as one_more:
        refused = ended(one_more)
    held.pop().close()
    answers = set()
    for _ in range(50):  # the edge sees the end of the other one a little later
        with socket.create_connection(("127.0.0.1", proxy.port)) as again:
            again.sendall(b"GET /livez HTTP/1.1\r\nHost: edge\r\nConnection: close\r\n\r\n")
            answers.add(ended(again)[:12])
        if b"HTTP/1.1 200" in answers:
            break
    for client in held:
        client.close()

    assert refused in (b"", b"<reset>")
    assert b"HTTP/1.1 200" in answers


@pytest.mark.parametrize(
    "sent",
    [b"\x16\x03\x01\x02\x00\x01\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET / HTTP/9\r\n\r\n"],
    ids=["TLS", "HTTP/2", "a version that there is not"],
)
def test_what_is_no_http_1_is_refused(start: Start, sent: bytes) -> None:
    proxy = start()

    with socket.create_connection(("127.0.0.1", proxy.port)) as client:
        client.sendall(sent + b"\r\n\r\n")
        answer = ended(client)

    assert answer.startswith(b"HTTP/1.1 4")
    assert [r.asked for r in proxy.replicas] == [0, 0]
