"""HAProxy's configuration as text; the other files here ask a real HAProxy with it."""

import json
import re
from dataclasses import replace
from typing import Any

import pytest

from infra.commands import haproxy
from infra.commands.fleet import Fleet, Peer
from infra.config_edge import Edge
from infra.host import Ports

PORTS = Ports(21000)
ALONE = Fleet("lab-1")
PEERS = (Peer("lab-2", "192.0.2.12", entry=True), Peer("r1", "2001:db8::3"))
"""One is called as a replica is."""

MANY = Fleet("lab-1", entry=True, peers=PEERS, inner_bind="192.0.2.11")


def config(replicas: int = 2, fleet: Fleet = ALONE, **settings: Any) -> str:
    given = Edge.model_validate({"address": "127.0.0.1", "port": 8443, **settings})
    return haproxy.config(given, PORTS, replicas, fleet)


def binds(text: str) -> list[str]:
    return re.findall(r"^    bind (\S+)", text, re.MULTILINE)


def section(text: str, name: str) -> str:
    (found,) = re.findall(rf"^{name}\n((?:[ #].*\n)+)", text, re.MULTILINE)
    return found


@pytest.mark.parametrize("group", ["slot", "users", "inner"])
def test_both_slots_have_every_replica(group: str) -> None:
    text = config(replicas=3, fleet=MANY)

    for slot, first in (("a", 21000), ("b", 21016)):
        servers = re.findall(
            r"server (r\d+) 127\.0\.0\.1:(\d+)", section(text, f"backend {group}_{slot}")
        )
        assert servers == [(f"r{n}", str(first + n - 1)) for n in (1, 2, 3)]


INNER = {21064, 21065, 21066}


def test_only_users_and_hosts_reach_beyond_loopback() -> None:
    found = binds(config(fleet=MANY, address="192.0.2.1", inner_ports_from=9000))

    assert [b for b in found if not b.startswith(("127.0.0.1:", "unix@/run/haproxy/"))] == [
        "192.0.2.1:8443",
        "192.0.2.11:9000",
        "192.0.2.11:9001",
    ]


def test_a_host_that_is_no_entry_has_no_way_in_for_users() -> None:
    other = Fleet("lab-2", entry=False, peers=(Peer("lab-1", "192.0.2.11", entry=True),))
    text = config(fleet=replace(other, inner_bind="192.0.2.12"), tls={"certificate": "own"})

    assert haproxy.listens_on(text) == {*INNER, 8444, 8445}
    assert not re.search(r"^(frontend|backend) (users|canary|hop|gate|plain|per_)", text, re.M)
    assert haproxy.weights_of(text) == {}


def test_a_host_that_is_alone_speaks_with_no_other() -> None:
    assert haproxy.listens_on(config()) == {*INNER, PORTS.door, 8443}
    assert not re.search(r"inner_|host:|ca-file", config())


@pytest.mark.parametrize(
    ("peer", "address"),
    [("lab-2", "192.0.2.12:8445"), ("r1", "[2001:db8::3]:8445")],
    ids=["a host", "a host with the name of a replica, by IPv6"],
)
def test_between_hosts_both_ends_are_checked(peer: str, address: str) -> None:
    text = config(fleet=MANY)

    (line,) = re.findall(rf"server host:{peer} (.*)", section(text, "backend users_b"))
    assert line.startswith(f"{address} ssl verify required ")
    assert f"ca-file /etc/bentofleet/edge/tls/peers.pem verifyhost {peer} " in line.replace(
        "crt /etc/bentofleet/edge/tls/inner.pem ", ""
    )
    for bind in re.findall(r"bind 192\.0\.2\.11:\S+ (.*)", text):
        assert "verify required" in bind
        assert "ca-file /etc/bentofleet/edge/tls/peers.pem" in bind


WEIGHTS = [
    ({}, {"r1": 120, "r2": 120, "host:lab-2": 0, "host:r1": 0}),
    ({"lab-1": 240, "lab-2": 80, "r1": 7}, {"r1": 120, "r2": 120, "host:lab-2": 80, "host:r1": 7}),
    ({"lab-1": 1}, {"r1": 1, "r2": 1, "host:lab-2": 0, "host:r1": 0}),
    ({"lab-1": 0, "lab-2": 240, "gone": 9}, {"r1": 0, "r2": 0, "host:lab-2": 240, "host:r1": 0}),
]


@pytest.mark.parametrize(
    ("given", "expected"), WEIGHTS, ids=["none yet", "all", "too little to halve", "one host left"]
)
def test_a_hosts_weight_is_shared_among_its_replicas_and_another_host_has_its_own(
    given: dict[str, int], expected: dict[str, int]
) -> None:
    before = config(fleet=MANY)

    text = haproxy.with_weights(before, "lab-1", given)

    found = haproxy.weights_of(text)
    assert found == {(slot, name): n for slot in "ab" for name, n in expected.items()}
    assert haproxy.with_weights(text, "lab-1", {}) == before


def test_a_configuration_without_users_is_left_as_it_is_by_weights() -> None:
    text = config(fleet=replace(ALONE, entry=False))

    assert haproxy.with_weights(text, "lab-1", {"lab-1": 7}) == text


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


def test_each_slot_is_only_asked_for_the_release_that_the_map_names() -> None:
    text = config(fleet=MANY)

    for group in ("slot", "users"):
        for slot in "ab":
            (wanted,) = re.findall(r"expect hdr (.*)", section(text, f"backend {group}_{slot}"))
            assert wanted == (
                "name X-Bentofleet-Release value-lf "
                f"%[str(release_{slot}),map(/etc/bentofleet/edge/live.map,none)]"
            )


@pytest.mark.parametrize(("replicas", "retries"), [(1, 3), (2, 3), (4, 5), (16, 8)])
def test_a_request_outlives_all_replicas_of_an_entry(replicas: int, retries: int) -> None:
    assert f"    retries {retries}\n" in section(config(replicas=replicas), "backend users_a")


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
