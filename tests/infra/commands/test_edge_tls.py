"""TLS at the edge under a real HAProxy: what it speaks and shows, and where plain HTTP goes."""

import http.client
import socket
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.commands import certificate

Start = Callable[..., Any]
TLS = {"certificate": "own"}


def pair() -> tuple[str, str]:
    """A certificate for localhost, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), key.private_bytes(*form).decode()


@pytest.fixture(scope="module")
def one_for_all(start_once: Start) -> Any:
    """The edge with a certificate of its own, which is what `trust` trusts."""
    shown, key = pair()
    proxy = start_once({"tls/edge.pem": certificate.content(shown, key)}, tls=TLS)
    proxy.shown = shown
    return proxy


@pytest.fixture
def edge(one_for_all: Any) -> Any:
    """The same, its stand-ins having seen nothing."""
    one_for_all.forget()
    return one_for_all


def trust(proxy: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=proxy.shown)


def test_users_are_answered_by_tls_with_the_certificate_that_was_given(edge: Any) -> None:
    client = http.client.HTTPSConnection("localhost", edge.port, timeout=20, context=trust(edge))
    client.request("GET", "/livez")

    assert client.getresponse().status == 200
    assert isinstance(client.sock, ssl.SSLSocket)
    assert client.sock.version() == "TLSv1.3"
    client.close()
    (seen,) = [head for replica in edge.replicas for head in replica.seen]
    assert seen["x-forwarded-proto"] == "https"


def version_spoken(proxy: Any, most: ssl.TLSVersion, protocols: list[str]) -> tuple[Any, Any]:
    context = trust(proxy)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = most
    context.set_alpn_protocols(protocols)
    with (
        socket.create_connection(("127.0.0.1", proxy.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as client,
    ):
        return client.version(), client.selected_alpn_protocol()


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
def test_tls_before_1_2_is_refused_and_only_http_1_1_is_spoken(edge: Any) -> None:
    spoken = version_spoken(edge, ssl.TLSVersion.TLSv1_2, ["h2", "http/1.1"])
    assert spoken == ("TLSv1.2", "http/1.1")

    for old in (ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1):
        with pytest.raises(OSError, match=r"(?i)protocol|alert|reset|eof|unsupported"):
            version_spoken(edge, old, ["http/1.1"])


def ask_plain(proxy: Any, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", proxy.settings.tls.http_port)) as client:
        client.sendall(request)
        client.settimeout(20)
        return client.recv(65536)


@pytest.mark.parametrize(
    ("request_line", "host", "expected"),
    [
        ("GET /ui?x=1", "localhost:25990", "https://localhost:{}/ui?x=1"),
        (
            "POST /v1/energy/predict",
            "edge.example.org",
            "https://edge.example.org:{}/v1/energy/predict",
        ),
        ("GET /", "192.0.2.1:80", "https://192.0.2.1:{}/"),
        ("GET /", "[::1]:25990", "https://[::1]:{}/"),
        ("GET http://localhost/a", "localhost", "https://localhost:{}/a"),
    ],
    ids=["with a query", "a prediction", "an IPv4 address", "an IPv6 address", "a whole URL"],
)
def test_plain_http_is_told_where_to_go_and_reaches_no_replica(
    edge: Any, request_line: str, host: str, expected: str
) -> None:
    answer = ask_plain(edge, f"{request_line} HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())

    assert answer.startswith(b"HTTP/1.1 308")
    (location,) = [
        line.partition(b": ")[2]
        for line in answer.split(b"\r\n")
        if line.lower().startswith(b"location:")
    ]
    assert location.decode() == expected.format(edge.port)
    assert all(not replica.seen for replica in edge.replicas)


@pytest.mark.parametrize("host", [None, "a b", "x/y", "evil.example\\@good", "x:1:2", "user@x", ""])
def test_a_host_that_is_none_is_not_put_into_an_address(edge: Any, host: str | None) -> None:
    named = b"" if host is None else f"Host: {host}\r\n".encode()
    version = b"HTTP/1.0" if host is None else b"HTTP/1.1"

    answer = ask_plain(edge, b"GET / " + version + b"\r\n" + named + b"\r\n")

    assert b" 400 " in answer.splitlines()[0]
    assert b"location" not in answer.lower()


def test_plain_http_on_the_port_for_tls_reaches_no_replica(edge: Any) -> None:
    with socket.create_connection(("127.0.0.1", edge.port)) as client:
        client.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        client.settimeout(20)
        try:
            answer = client.recv(4096)
        except ConnectionResetError:
            answer = b""

    assert b"HTTP/1.1 200" not in answer
    (line,) = edge.lines("edge connection", 1)
    assert line["client"] == "127.0.0.1"
    assert line["fault"]
    assert all(not replica.seen for replica in edge.replicas)


def test_the_limits_hold_for_tls_as_well(start: Start) -> None:
    shown, key = pair()
    proxy = start(
        {"tls/edge.pem": certificate.content(shown, key)},
        tls=TLS,
        limits={"head_timeout_s": 1, "silence_timeout_s": 1},
    )

    with socket.create_connection(("127.0.0.1", proxy.port)) as silent:
        silent.settimeout(20)
        assert silent.recv(4096) == b""  # a handshake that never begins
    context = ssl.create_default_context(cadata=shown)
    with (
        socket.create_connection(("127.0.0.1", proxy.port)) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as slow,
    ):
        slow.sendall(b"GET /livez HTTP/1.1\r\n")
        slow.settimeout(20)
        assert slow.recv(4096).startswith(b"HTTP/1.1 408")
