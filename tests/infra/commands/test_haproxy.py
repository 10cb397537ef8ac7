"""HAProxy's configuration as text; the other files here ask a real HAProxy with it."""

import json
import re
from typing import Any

import pytest

from infra.commands import haproxy
from infra.commands.fleet import Fleet, Peer
from infra.config_edge import Edge
from infra.host import Ports

PORTS = Ports(21000)
ALONE = Fleet("here")


def config(replicas: int = 2, fleet: Fleet = ALONE, **settings: Any) -> str:
    given = Edge.model_validate({"address": "127.0.0.1", "port": 8443, **settings})
    return haproxy.config(given, PORTS, replicas, fleet)


def binds(text: str) -> list[str]:
    return re.findall(r"^    bind (\S+)", text, re.MULTILINE)


def test_both_slots_have_every_replica() -> None:
    backends = re.split(r"^(?=\S)", config(replicas=3), flags=re.MULTILINE)
    slots = "".join(text for text in backends if text.startswith("backend slot_"))
    servers = re.findall(r"server (r\d+) 127\.0\.0\.1:(\d+)", slots)

    assert servers == [
        *(("r1", "21000"), ("r2", "21001"), ("r3", "21002")),
        *(("r1", "21016"), ("r2", "21017"), ("r3", "21018")),
    ]


def test_only_the_users_frontend_listens_beyond_loopback() -> None:
    inner = {f"127.0.0.1:{port}" for port in (21064, 21065, 21066, 21067)}
    sockets = {"unix@/run/haproxy/users_a.sock", "unix@/run/haproxy/users_b.sock"}

    assert {*binds(config(address="192.0.2.1"))} - sockets == {"192.0.2.1:8443", *inner}


@pytest.mark.parametrize(
    ("tls", "expected"),
    [
        ({}, {8443}),
        ({"certificate": "self-signed"}, {8443, 8080}),
        ({"certificate": "own", "http_port": 9000}, {8443, 9000}),
        ({"certificate": "own", "redirect": False}, {8443}),
        ({"http_port": 9000}, {8443}),
    ],
    ids=["plain", "with TLS", "another port", "no redirect", "a port without TLS"],
)
def test_plain_http_has_a_port_of_its_own_beside_tls(
    tls: dict[str, Any], expected: set[int]
) -> None:
    text = config(tls=tls)

    assert haproxy.listens_on(text) - {21064, 21065, 21066, 21067} == expected
    assert text.count(" ssl crt ") == (1 if tls.get("certificate") else 0)


def test_what_listens_is_read_from_the_configuration_itself() -> None:
    assert haproxy.listens_on("") == set()
    assert haproxy.listens_on("# by hand\n" + config(address="::1")) >= {8443, 21066}


def test_every_error_of_the_edge_is_a_problem_document() -> None:
    text = config(tls={"certificate": "own"}, rate_limit={"requests": 9})
    bodies = re.findall(r'application/problem\+json (?:lf-)?string "((?:[^"\\]|\\.)*)"', text)

    problems = [json.loads(body.replace('\\"', '"')) for body in bodies]
    assert sorted(p["status"] for p in problems) == [
        400,
        400,
        400,
        408,
        413,
        429,
        502,
        503,
        503,
        504,
    ]
    assert all(p["title"] and p["detail"].endswith(".") for p in problems)


def test_limits_and_times_are_those_of_the_settings() -> None:
    limits = {
        **{"head_timeout_s": 3, "silence_timeout_s": 4, "idle_timeout_s": 5},
        **{"body_mib": 2, "client_connections": 6},
    }
    text = config(limits=limits, rate_limit={"requests": 7, "period_s": 8})

    for line in (
        "timeout http-request 3s",
        "timeout client 4s",
        "timeout http-keep-alive 5s",
        "{ req.body_size gt 2097152 }",
        "reject if { sc0_conn_cur gt 6 }",
        "hdr Retry-After 8 if has_token !is_gate",
        "{ var(txn.token),table_gpc0_rate(per_token) ge 7 }",
        "store gpc0,gpc0_rate(8s)",
    ):
        assert line in text


def test_without_a_rate_limit_no_token_is_remembered() -> None:
    assert "per_token" not in config()
    assert "sc1" not in config()


def test_the_configuration_says_nothing_of_what_is_live() -> None:
    assert "default_backend nobody" in config()
    assert config() == config()


def test_only_known_headers_are_written_to_the_log() -> None:
    (access,) = re.findall(r"^    log-format (.*)$", config(), re.MULTILINE)

    assert set(re.findall(r"%\[([^\]]+)\]", access)) == {
        "date,utime(%Y-%m-%dT%H:%M:%SZ)",
        "var(txn.token),hex,bytes(0,12)",
        "var(txn.path),json(utf8s)",
        "var(txn.request_id),json(utf8s)",
    }
    assert not re.search(r"%(hr|hs|HU|HQ|r\b|CC|CS)", access)


def test_a_configuration_has_a_mark_that_its_weights_do_not_change() -> None:
    fleet = Fleet("here", True, (Peer("there", "192.0.2.12"),), "127.0.0.1")
    text = config(fleet=fleet)
    weighed = haproxy.with_weights(text, "here", {"here": 1, "there": 240})

    assert haproxy.mark_of(text) == haproxy.mark_of(weighed) is not None
    assert haproxy.mark_of(text) != haproxy.mark_of(config(fleet=fleet, port=8500))
    assert haproxy.mark_of("global\n") is None


def test_the_mark_of_a_running_edge_is_read_from_its_answer() -> None:
    mark = haproxy.mark_of(config())

    assert haproxy.parse_mark(f"BENTOFLEET_CONFIG={mark}\n\n") == mark
    assert haproxy.parse_mark("Variable not found\n") is None
