"""The edge's log under a real HAProxy: every request a line of JSON, and no secret in any."""

import http.client
import socket
from collections.abc import Callable
from typing import Any

Start = Callable[..., Any]
SECRET = "s3cret-that-nobody-may-read"
TOKEN = f"Bearer aGVhZA.{SECRET}.c2lnbmVk"


def test_a_request_is_one_line_of_json_with_what_is_needed_to_find_it(start: Start) -> None:
    proxy = start()
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)

    client.request(
        "POST", '/v1/a"b\\%0a', b"{}", {"X-Request-ID": "mine-1", "Authorization": TOKEN}
    )
    client.getresponse().read()
    client.request("GET", "/livez", headers={"X-Request-ID": "not one\t"})
    client.getresponse().read()
    client.close()

    first, second = proxy.lines("edge", 2)
    assert (first["status"], first["method"], first["path"]) == (200, "POST", '/v1/a"b\\%0a')
    assert (first["request_id"], first["client"], first["retries"]) == ("mine-1", "127.0.0.1", "0")
    assert first["replica"] in ("users_a/r1", "users_a/r2")
    assert len(first["token"]) == 12
    assert second["request_id"] != "not one"
    assert second["token"] in ("", "-")


def test_no_secret_of_a_request_is_written_down(start: Start) -> None:
    proxy = start(rate_limit={"requests": 2, "period_s": 600})
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)
    headers = {
        "Authorization": TOKEN,
        "Cookie": f"session={SECRET}",
        "X-Api-Key": SECRET,
        "Referer": f"https://x/?token={SECRET}",
        "User-Agent": SECRET,
    }

    for _ in range(4):  # answered, and refused
        client.request("POST", f"/v1/energy/predict?token={SECRET}", SECRET.encode(), headers)
        client.getresponse().read()
    client.close()
    for raw in (
        f"GET /?{SECRET} HTTP/1.1\r\nAuthorization: {TOKEN}\r\nHost: a b\r\n\r\n",
        f"BREAK {SECRET}\r\n\r\n",
        f"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: {TOKEN}\r\nAuthorization: x\r\n\r\n",
    ):
        with socket.create_connection(("127.0.0.1", proxy.port)) as bad:
            bad.sendall(raw.encode())
            bad.settimeout(5)
            bad.recv(4096)

    lines = [*proxy.lines("edge", 6), *proxy.lines("edge connection", 1)]
    assert [line["status"] for line in lines[:4]] == [200, 200, 429, 429]
    assert SECRET not in proxy.log()
    assert "aGVhZA" not in proxy.log()
    assert len({line["token"] for line in lines[:4]}) == 1


def test_every_line_that_users_cause_is_json(start: Start) -> None:
    proxy = start()

    for raw in (b"\x16\x03\x01\x00\xff\xfe", b"GET /\xff\xfe HTTP/1.1\r\n\r\n", b"\x00\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", proxy.port)) as client:
            client.sendall(raw + b"\r\n\r\n")
            client.settimeout(5)
            client.recv(4096)

    assert all(line["client"] == "127.0.0.1" for line in proxy.lines("edge connection", 3))


def test_replicas_are_told_who_asked_and_how_whatever_the_client_says(start: Start) -> None:
    proxy = start()
    client = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=20)

    lies = {"X-Forwarded-For": "8.8.8.8", "X-Forwarded-Proto": "https"}
    client.request("GET", "/livez", headers=lies)
    client.getresponse().read()
    client.close()

    (seen,) = [head for replica in proxy.replicas for head in replica.seen]
    assert (seen["x-forwarded-for"], seen["x-forwarded-proto"]) == ("127.0.0.1", "http")
