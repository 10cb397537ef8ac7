"""The edge of a host: its files are real, its engine is not; tests/infra/commands asks HAProxy."""

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness.console import KeptConsole
from harness.sites import Place, Site

from infra.commands import haproxy
from infra.connection import HostError
from infra.provider import edge, live, reload
from infra.provider.edge import Edge
from infra.provider.resource import AS_DECLARED, Plain, Refused

KEY = "-----BEGIN PRIVATE KEY-----\nplanted\n-----END PRIVATE KEY-----\n"
SHOWN = "-----BEGIN CERTIFICATE-----\nshown\n-----END CERTIFICATE-----\n"
OWN = {"tls": {"certificate": "own"}, "certificate": SHOWN, "certificate_key": KEY}
SELF_SIGNED = {"tls": {"certificate": "self-signed"}}

needs_openssl = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl is not on PATH; the edge's image has its own"
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    site = Site(tmp_path)
    monkeypatch.setattr(edge, "machine_of", lambda _: site)
    monkeypatch.setattr(edge, "START_TIMEOUT_S", 0.0)
    monkeypatch.setattr(reload, "START_TIMEOUT_S", 0.0)
    return site


def inputs(**changes: Any) -> Plain:
    """As a program without TLS, and a state from before there was TLS, give them."""
    return {
        "image": "localhost/bentofleet-demo/edge:1",
        "image_id": "image",
        "address": "127.0.0.1",
        "port": 8443,
        "replicas": 2,
        "jwks": '{"keys": [1]}',
        **changes,
    }


def create(**changes: Any) -> Plain:
    return Edge().create(inputs(**changes), KeptConsole())


def look(**changes: Any) -> dict[str, str]:
    return dict(Edge().look(inputs(**changes)))


def certificate_of(site: Site) -> Path:
    return Path(site.paths.edge) / "tls/edge.pem"


@pytest.mark.parametrize(
    "changes",
    [{}, OWN, pytest.param(SELF_SIGNED, marks=needs_openssl)],
    ids=["no TLS", "own", "self-signed"],
)
def test_what_was_made_is_found_as_declared_and_making_it_again_changes_nothing(
    site: Site, changes: Plain
) -> None:
    create(**changes)
    before = {p: p.read_bytes() for p in site.connection.root.rglob("*") if p.is_file()}
    create(**changes)

    assert look(**changes) == dict.fromkeys(Edge().parts(inputs(**changes)), AS_DECLARED)
    assert {p: p.read_bytes() for p in before} == before
    assert site.signals == []


def test_the_first_edge_starts_with_nothing_live(site: Site) -> None:
    create()

    assert site.read(site.paths.live_map) == live.text(None)
    assert site.read(site.paths.jwks) == '{"keys": [1]}'
    assert [c.name for c in site.there] == ["bentofleet-demo-edge"]


def test_a_changed_setting_is_a_reload_and_a_new_key_set_is_none(site: Site) -> None:
    create()
    create(jwks="{}")
    assert site.signals == []

    create(limits={"idle_timeout_s": 7})
    assert site.signals == ["USR2"]


def test_a_certificate_of_ones_own_lies_there_for_the_edge_alone(site: Site) -> None:
    outputs = create(**OWN)

    path = certificate_of(site)
    assert path.read_text() == KEY + SHOWN
    assert (oct(path.stat().st_mode)[-3:], oct(path.parent.stat().st_mode)[-3:]) == ("640", "750")
    assert outputs == {"served_certificate": SHOWN}


def test_the_key_is_in_no_command_line_and_in_no_answer(site: Site) -> None:
    create(**OWN)
    look(**OWN)

    said = " ".join(site.connection.said)
    assert "planted" not in said
    assert "planted" not in str(create(**OWN))
    site.refuses = True
    with pytest.raises(HostError) as caught:
        create(**{**OWN, "certificate_key": KEY.replace("planted", "planted too")})
    assert "planted" not in str(caught.value)


@needs_openssl
def test_a_host_makes_its_own_certificate_for_its_address_and_keeps_it(site: Site) -> None:
    first = create(**SELF_SIGNED)["served_certificate"]

    assert first.startswith("-----BEGIN CERTIFICATE-----")
    assert create(**SELF_SIGNED)["served_certificate"] == first
    assert "PRIVATE" not in first
    moved = create(**SELF_SIGNED, address="192.0.2.12")["served_certificate"]
    assert moved != first


@needs_openssl
def test_going_from_the_hosts_certificate_to_ones_own_and_back_is_a_reload_each(site: Site) -> None:
    made = create(**SELF_SIGNED)["served_certificate"]
    own = create(**OWN)["served_certificate"]
    again = create(**SELF_SIGNED)["served_certificate"]

    assert own == SHOWN
    assert again not in (made, own)
    assert site.signals == ["USR2", "USR2"]


def test_a_new_certificate_is_a_reload(site: Site) -> None:
    create(**OWN)

    create(**{**OWN, "certificate": SHOWN.replace("shown", "next")})

    assert site.signals == ["USR2"]
    assert "next" in certificate_of(site).read_text()


@pytest.mark.parametrize(
    ("by_hand", "expected"),
    [
        (lambda p: p.unlink(), "removed"),
        (lambda p: p.write_text("x"), "changed by hand"),
        (lambda p: p.chmod(0o644), "has other rights (mode 644)"),
    ],
    ids=["removed", "changed", "opened"],
)
def test_a_certificate_that_was_touched_is_shown_and_put_back(
    site: Site, by_hand: Any, expected: str
) -> None:
    create(**OWN)
    by_hand(certificate_of(site))

    assert look(**OWN)["certificate"] == expected
    create(**OWN)
    assert look(**OWN)["certificate"] == AS_DECLARED


def test_without_tls_no_key_stays_behind(site: Site) -> None:
    create(**OWN)

    assert create() == {"served_certificate": ""}

    assert not certificate_of(site).parent.exists()
    assert site.signals == ["USR2"]


def test_destroying_it_leaves_no_file(site: Site) -> None:
    create(**OWN)
    Edge().delete(inputs(**OWN), KeptConsole())

    left = [p for p in site.connection.root.rglob("*") if p.is_file()]
    assert left == []
    assert site.there == []


def test_a_configuration_that_haproxy_refuses_is_put_back(site: Site) -> None:
    create()
    before = site.read(site.paths.config)
    site.refuses = True

    with pytest.raises(HostError, match="unknown keyword"):
        create(limits={"idle_timeout_s": 7})

    assert site.read(site.paths.config) == before
    assert site.signals == []


def test_a_reload_whose_workers_do_not_start_is_put_back_and_told(site: Site) -> None:
    create()
    before = site.read(site.paths.config)
    site.hangs = True

    with pytest.raises(Refused) as caught:
        create(limits={"idle_timeout_s": 7})

    assert str(caught.value) == (
        "here: the edge did not take its new configuration (its log ends: no socket). "
        "The old one serves; see `make logs`."
    )
    assert site.read(site.paths.config) == before


def test_a_configuration_that_was_written_before_a_kill_is_taken_in_by_the_next_run(
    site: Site,
) -> None:
    create()
    running = dict(site.connection.taken)
    create(limits={"idle_timeout_s": 7})
    site.connection.taken = running

    assert look(limits={"idle_timeout_s": 7})["edge container"] == "has not taken in its files"
    create(limits={"idle_timeout_s": 7})
    assert look(limits={"idle_timeout_s": 7})["edge container"] == AS_DECLARED
    assert site.signals == ["USR2", "USR2"]


@pytest.mark.parametrize(
    ("port", "key"),
    [(8443, "edge.port"), (8080, "edge.tls.http_port"), (21066, "edge.ports_from")],
)
def test_a_taken_port_is_named_with_the_setting_that_chose_it(
    site: Site, port: int, key: str
) -> None:
    site.listens = {port}

    with pytest.raises(Refused) as caught:
        create(**OWN)

    assert str(caught.value) == (f"here: port {port} is taken. Free it, or choose another `{key}`.")
    assert site.there == []
    assert not certificate_of(site).exists()


def test_a_port_that_is_asked_for_later_is_compared_too_and_ones_own_are_not(site: Site) -> None:
    create()
    site.listens = {9000}
    create(limits={"idle_timeout_s": 7})

    with pytest.raises(Refused, match="port 9000 is taken"):
        create(port=9000)


def test_an_edge_that_does_not_come_to_listen_is_told(site: Site) -> None:
    create()
    site.leaves = {8500}

    with pytest.raises(Refused, match=r"does not answer on port 8500 \(its log ends: no socket\)"):
        create(port=8500)


def test_a_configuration_that_was_removed_by_hand_is_no_reason_to_refuse_ones_own_ports(
    site: Site,
) -> None:
    create()
    Path(site.paths.config).unlink()
    site.listens = {8443}

    create()

    assert look() == dict.fromkeys(Edge().parts(inputs()), AS_DECLARED)


@pytest.mark.parametrize(
    ("engine", "is_root", "expected"),
    [("docker", False, ("1234",)), ("docker", True, ()), ("podman", False, ())],
)
def test_only_docker_asked_by_a_user_needs_the_users_group(
    site: Site, monkeypatch: pytest.MonkeyPatch, engine: str, is_root: bool, expected: Any
) -> None:
    from infra.provider import certificate

    site.engine = engine
    monkeypatch.setattr(Place, "is_root", is_root)
    monkeypatch.setattr(site, "run", lambda argv: "1234\n")

    assert certificate.groups(site) == expected


FLEET = {
    "entry": True,
    "inner_ports_from": 8500,
    "peers": [
        {"name": "one", "address": "192.0.2.12", "entry": True},
        {"name": "two", "address": "192.0.2.13", "entry": False},
    ],
}


def test_an_entry_has_its_peers_as_servers_and_takes_users(site: Site) -> None:
    create(**FLEET)

    config = site.read(site.paths.config) or ""
    assert haproxy.listens_on(config) >= {8443, 8500, 8501}
    assert {server for _, server in haproxy.weights_of(config)} == {
        *("r1", "r2"),
        *("host:one", "host:two"),
    }


def test_another_host_takes_none_and_has_no_certificate_of_theirs(site: Site) -> None:
    outputs = create(**{**FLEET, **OWN, "entry": False})

    config = site.read(site.paths.config) or ""
    assert 8443 not in haproxy.listens_on(config)
    assert haproxy.listens_on(config) >= {8500, 8501}
    assert "host:" not in config
    assert outputs == {"served_certificate": ""}
    assert not certificate_of(site).exists()
    assert "certificate" not in Edge().parts(inputs(**{**FLEET, **OWN, "entry": False}))


def test_weights_that_the_walk_gave_stay_and_are_no_difference(site: Site) -> None:
    site.write(site.paths.weights, '{"here": 120, "one": 240}')
    create(**FLEET)
    create(**FLEET, limits={"idle_timeout_s": 7})

    weights = haproxy.weights_of(site.read(site.paths.config) or "")
    assert (weights[("a", "r1")], weights[("b", "host:one")]) == (60, 240)
    assert weights[("b", "host:two")] == 0
    assert set(look(**FLEET, limits={"idle_timeout_s": 7}).values()) == {AS_DECLARED}


@pytest.mark.parametrize(
    ("port", "key"), [(8500, "edge.inner_ports_from"), (8501, "edge.inner_ports_from + 1")]
)
def test_a_taken_port_between_hosts_is_named_too(site: Site, port: int, key: str) -> None:
    site.listens = {port}
    create()

    with pytest.raises(Refused, match=re.escape(f"port {port} is taken. Free it, or choose")) as e:
        create(**FLEET)

    assert f"`{key}`" in str(e.value)


def test_a_host_that_lost_its_peers_listens_to_nobody_between_hosts(site: Site) -> None:
    create(**FLEET)
    create(**{**FLEET, "peers": []})

    config = site.read(site.paths.config) or ""
    assert not haproxy.listens_on(config) & {8500, 8501}
    assert site.signals == ["USR2"]


def test_a_host_that_leaves_ends_what_it_has_in_work_for_the_entries(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []
    monkeypatch.setattr(edge.replicas, "drain", lambda _, slot, *rest: seen.append(slot))
    create(**{**FLEET, "entry": False})
    Edge().delete(inputs(**{**FLEET, "entry": False}), KeptConsole())
    assert seen == ["a", "b"]

    Edge().delete(inputs(**FLEET), KeptConsole())
    assert seen == ["a", "b"]
