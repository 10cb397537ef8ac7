"""Hosts behind an entry under real HAProxies: dead, silent, stale, strange, and by weight."""

import socket
import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.edges import Fleet, Site, Users, identity, wait_until

from infra.provider import live, traffic


@pytest.fixture
def fleet(sites: Fleet) -> Fleet:
    """An entry and two other hosts, release one live in slot a."""
    sites.add("lab-1", entry=True)
    sites.add("lab-2")
    sites.add("lab-3")
    sites.start("a", "one")
    return sites


@pytest.mark.parametrize("how", ["edge", "replicas"])
def test_a_host_that_dies_loses_nobody(fleet: Fleet, how: str) -> None:
    entry, other, _ = fleet.sites
    with Users(fleet, entry.port) as users:
        users.more(500)
        if how == "edge":
            other.edge.kill()
        else:
            other.end("a")
        users.more(1000)
        users.forget()
        users.more(300)

    assert (users.faults, set(users.statuses)) == ([], {200})
    assert set(users.hosts) == {"lab-1", "lab-3"}


def test_an_entry_whose_own_replicas_all_die_loses_nobody(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    with Users(fleet, entry.port) as users:
        users.more(500)
        entry.end("a")
        users.more(1000)
        users.forget()
        users.more(300)

    assert (users.faults, set(users.statuses)) == ([], {200})
    assert set(users.hosts) == {"lab-2", "lab-3"}


def test_two_hosts_that_die_at_once_lose_nobody(fleet: Fleet) -> None:
    entry, *others = fleet.sites
    with Users(fleet, entry.port) as users:
        users.more(500)
        for other in others:
            other.edge.kill()
        users.more(1000)

    assert (users.faults, set(users.statuses)) == ([], {200})


@pytest.fixture
def watched(fleet: Fleet) -> Iterator[Fleet]:
    """The same with the entry's watcher, and replicas that take a while to answer."""
    for replica in (r for site in fleet.sites for r in site.replicas["a"]):
        replica.delay_s = 0.05  # so that all have requests in work at any time
    watcher = fleet.sites[0].edge.watch()
    yield fleet
    watcher.kill()
    watcher.wait()


def test_what_is_in_work_on_a_host_that_goes_silent_is_answered_by_another(
    watched: Fleet,
) -> None:
    entry, other, _ = watched.sites
    with Users(watched, entry.port, count=16) as users:
        users.more(500)
        other.edge.pause()
        wait_until(lambda: "lab-2" not in entry.up("users", "a"), entry.log)
        wait_until(lambda: entry.servers("users", "a")["lab-2"].sessions == 0, entry.log)
        users.forget()
        users.more(300)

    assert (users.faults, set(users.statuses)) == ([], {200})
    assert set(users.hosts) == {"lab-1", "lab-3"}


def said(site: Site) -> str:
    """What a host's watcher printed until now."""
    return site.edge.log.with_suffix(".watch").read_text() if site.edge else ""


def test_what_is_in_work_on_a_replica_that_hangs_is_answered_by_another(watched: Fleet) -> None:
    entry = watched.sites[0]
    hung = entry.replicas["a"][0]
    with Users(watched, entry.port, count=16) as users:
        users.more(500)
        hung.hang()
        wait_until(lambda: "r1" not in entry.up("users", "a"), entry.log)
        wait_until(lambda: entry.servers("users", "a")["r1"].sessions == 0, entry.log)
        wait_until(lambda: '"event":"silent","replica":"users_a/r1"' in said(entry), entry.log)
        users.forget()
        users.more(300)

    assert (users.faults, set(users.statuses)) == ([], {200})


def test_a_host_that_comes_back_with_a_release_that_is_no_longer_live_gets_nobody(
    fleet: Fleet,
) -> None:
    entry, other, third = fleet.sites
    other.end("a")
    wait_until(lambda: "lab-2" not in entry.up("users", "a"), entry.log)
    for site in (entry, third):
        site.run("a", "two")
        fleet.record(site, "a", "two")
        traffic.offer(site.machine, "a", "two")
    other.run("a", "one")
    wait_until(lambda: len(other.up("inner", "a")) == 2, other.log)  # it is sure of itself

    with Users(fleet, entry.port) as users:
        users.more(1000)

    assert set(users.hosts) == {"lab-1", "lab-3"}
    assert [r.seen for r in other.replicas["a"]] == [[], []]
    assert "lab-2" not in entry.up("users", "a")


def test_hosts_are_asked_in_proportion_to_their_weights(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    given = {"lab-1": 60, "lab-2": 240, "lab-3": 0}

    traffic.set_weights(entry.machine, given)
    with Users(fleet, entry.port, count=1) as users:
        users.more(1500)

    count = users.statuses.total()
    assert set(users.statuses) == {200}
    assert abs(users.hosts["lab-2"] / count - 0.8) < 0.08
    assert users.hosts["lab-3"] == 0
    assert traffic.has_weights(entry.machine, given)
    assert traffic.weights(entry.machine) == given


@pytest.mark.parametrize("is_reload", [False, True], ids=["restarted", "reloaded"])
def test_an_edge_that_starts_anew_keeps_the_weights(fleet: Fleet, is_reload: bool) -> None:
    entry = fleet.sites[0]
    given = {"lab-1": 120, "lab-2": 60, "lab-3": 240}
    traffic.set_weights(entry.machine, given)

    if is_reload:
        entry.edge.reload()
    else:
        entry.edge.kill()
        entry.start()
    fleet.await_up("a")

    found = {name: server.weight for name, server in entry.servers("users", "a").items()}
    assert found == {"r1": 60, "r2": 60, "lab-2": 60, "lab-3": 240}
    assert traffic.has_weights(entry.machine, given)


def test_a_host_of_weight_nothing_is_not_asked_until_it_has_one(sites: Fleet) -> None:
    entry = sites.add("lab-1", entry=True)
    sites.add("lab-2")
    del sites.weights["lab-2"]  # it is new
    sites.start("a", "one")

    with Users(sites, entry.port) as users:
        users.more(200)
        assert set(users.hosts) == {"lab-1"}
        traffic.set_weights(entry.machine, {"lab-1": 240, "lab-2": 240})
        users.more(300)

    assert set(users.statuses) == {200}
    assert set(users.hosts) == {"lab-1", "lab-2"}


def speak(site: Site, sites: Fleet, *, key: str, certificate: str, folder: Path) -> bytes:
    """What an inner port answers to somebody with that certificate."""
    file = folder / "client.pem"
    file.write_text(key + certificate)
    context = ssl.create_default_context(cadata=site.certificate)
    context.check_hostname = False
    if key:
        context.load_cert_chain(file)
    with (
        socket.create_connection((site.address, sites.inner_ports_from), 10) as raw,
        context.wrap_socket(raw) as client,
    ):
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        return client.recv(4096)


def test_between_hosts_nobody_is_let_in_without_a_certificate_of_the_fleet(
    fleet: Fleet, tmp_path: Path
) -> None:
    entry, other, _ = fleet.sites
    mine = speak(other, fleet, key=entry.key, certificate=entry.certificate, folder=tmp_path)
    assert mine.startswith(b"HTTP/1.1 200")

    stranger, its_key = identity("lab-1")  # the name alone does not help
    with pytest.raises((ssl.SSLError, ConnectionError)):
        speak(other, fleet, key=its_key, certificate=stranger, folder=tmp_path)
    with pytest.raises((ssl.SSLError, ConnectionError)):
        speak(other, fleet, key="", certificate="", folder=tmp_path)


def test_a_host_that_shows_the_certificate_of_another_gets_nobody(fleet: Fleet) -> None:
    entry, other, third = fleet.sites
    other.edge.kill()
    (other.folder / "tls" / "inner.pem").write_text(third.key + third.certificate)
    other.start()
    wait_until(lambda: len(other.up("inner", "a")) == 2, other.log)
    wait_until(lambda: "lab-2" not in entry.up("users", "a"), entry.log)

    with Users(fleet, entry.port) as users:
        users.more(500)

    assert set(users.statuses) == {200}
    assert [r.seen for r in other.replicas["a"] if r.seen and r.forget()] == []
    assert entry.servers("users", "a")["lab-2"].status.startswith("DOWN")


def test_two_entries_share_out_what_comes_to_either(sites: Fleet) -> None:
    sites.add("lab-1", entry=True)
    sites.add("lab-2", entry=True)
    sites.start("a", "one")

    for entry in sites.sites:
        with Users(sites, entry.port) as users:
            users.more(300)
        assert set(users.statuses) == {200}
        assert set(users.hosts) == {"lab-1", "lab-2"}


def test_an_entry_tells_the_replicas_of_other_hosts_who_asks(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    with Users(fleet, entry.port, count=2) as users:
        users.more(100)

    seen = [head for site in fleet.sites for r in site.replicas["a"] for head in r.seen]
    assert len(seen) >= 100
    assert {head["x-forwarded-for"] for head in seen} == {"127.0.0.1"}
    assert len({head["x-request-id"] for head in seen}) == len(seen)


def test_a_record_from_before_there_were_canaries_is_brought_level(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    path = entry.machine.paths.live_map
    text = entry.machine.read(path) or ""
    older = "".join(line for line in text.splitlines(keepends=True) if "_" not in line)
    entry.machine.write(path, older.replace("canary 0\n", ""))

    live.mend(entry.machine)

    assert entry.machine.read(path) == text


def test_a_host_whose_name_nobody_knew_at_the_start_is_found_when_somebody_does(
    fleet: Fleet,
) -> None:
    entry, other, _ = fleet.sites
    entry.edge.kill()
    other.reached_by = "lab-2.invalid"
    entry.configure()
    entry.start()
    wait_until(lambda: entry.up("users", "a") == {"r1", "r2", "lab-3"}, entry.log)

    getent = entry.root / "getent"
    getent.write_text(f'#!/bin/sh\n[ "$2" = lab-2.invalid ] && echo "{other.address} STREAM"\n')
    getent.chmod(0o755)
    watcher = entry.edge.watch()
    fleet.await_up("a")
    watcher.kill()
    watcher.wait()

    with Users(fleet, entry.port) as users:
        users.more(300)
    assert set(users.statuses) == {200}
    assert set(users.hosts) == {"lab-1", "lab-2", "lab-3"}
