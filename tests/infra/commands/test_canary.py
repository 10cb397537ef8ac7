"""A candidate's share of users under real HAProxies: exact, bounded, and live's when it dies."""

import math

import pytest
from harness.edges import Fleet, Users, wait_until

from infra.provider import live, traffic


@pytest.fixture
def fleet(sites: Fleet) -> Fleet:
    """An entry and another host, release one live in slot a and release two beside it."""
    sites.add("lab-1", entry=True)
    sites.add("lab-2")
    sites.start("a", "one")
    sites.candidate("b", "two")
    return sites


def deviation(share: float, count: int) -> float:
    """Five standard deviations of a share that `count` draws show: once in 1.7 million runs."""
    return 5 * math.sqrt(share * (1 - share) / count)


@pytest.mark.parametrize("share", [0.05, 0.5])
def test_the_candidate_gets_the_share_of_users_that_was_asked_for(
    fleet: Fleet, share: float
) -> None:
    entry = fleet.sites[0]

    traffic.set_canary(entry.machine, share)
    with Users(fleet, entry.port) as users:
        users.more(3000)

    count = users.statuses.total()
    assert set(users.statuses) == {200}
    assert abs(users.slots["b"] / count - share) < deviation(share, count)
    assert traffic.canary(entry.machine) == share


def test_no_user_gets_the_candidate_before_it_has_a_share_and_after(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    with Users(fleet, entry.port) as users:
        users.more(300)
        assert set(users.slots) == {"a"}
        traffic.set_canary(entry.machine, 1)
        users.more(100)
        traffic.set_canary(entry.machine, 0)
        users.more(50)  # what was in work is answered
        users.forget()
        users.more(300)

    assert set(users.slots) == {"a"}
    assert set(users.statuses) == {200}


def test_when_the_candidate_dies_everywhere_its_share_falls_to_live_and_no_user_sees_it(
    fleet: Fleet,
) -> None:
    entry = fleet.sites[0]
    traffic.set_canary(entry.machine, 0.5)
    with Users(fleet, entry.port) as users:
        users.more(500)
        before = users.slots["b"]
        for site in fleet.sites:
            site.end("b")
        users.more(1000)
        users.forget()
        users.more(500)

    assert before > 100
    assert set(users.slots) == {"a"}
    assert (users.faults, set(users.statuses)) == ([], {200})


def test_while_live_is_dead_its_users_get_503_and_the_candidate_no_more_than_its_share(
    fleet: Fleet,
) -> None:
    entry = fleet.sites[0]
    traffic.set_canary(entry.machine, 0.2)
    for site in fleet.sites:
        site.end("a")
    wait_until(lambda: entry.up("users", "a") == set(), entry.log)

    with Users(fleet, entry.port) as users:
        users.more(2000)

    count = users.statuses.total()
    assert set(users.statuses) == {200, 503}
    assert users.statuses[200] == users.slots["b"]
    assert abs(users.slots["b"] / count - 0.2) < deviation(0.2, count)


def test_what_the_candidate_cannot_take_is_answered_by_live(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    for replica in (r for site in fleet.sites for r in site.replicas["b"]):
        replica.status = "503 Service Unavailable"
    traffic.set_canary(entry.machine, 1)

    with Users(fleet, entry.port) as users:
        users.more(200)

    assert set(users.statuses) == {200}
    assert set(users.slots) == {"a"}
    ways = {s.name: s for s in entry.machine.edge_servers() if s.group == "canary"}
    candidate = entry.servers("canary", "b")["candidate"]
    assert candidate.requests >= 200
    assert entry.servers("canary", "a")["live"].requests == candidate.requests, ways


def test_a_wrong_answer_of_the_candidate_is_its_own_and_counted(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    for replica in (r for site in fleet.sites for r in site.replicas["b"]):
        replica.status = "500 Internal Server Error"
    traffic.set_canary(entry.machine, 0.5)

    with Users(fleet, entry.port) as users:
        users.more(400)

    asked = entry.servers("users", "b").values()
    assert users.statuses[500] > 100
    assert sum(s.requests - s.answers for s in asked) == users.statuses[500]
    assert all(s.is_counted for s in asked)


def test_the_gates_door_shares_out_as_users_are(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    traffic.set_canary(entry.machine, 0.5)

    with Users(fleet, entry.ports.door) as gate:
        gate.more(1000)

    count = gate.statuses.total()
    assert set(gate.statuses) == {200}
    assert abs(gate.slots["b"] / count - 0.5) < deviation(0.5, count)


@pytest.mark.parametrize("is_reload", [False, True], ids=["restarted", "reloaded"])
def test_an_edge_that_starts_anew_comes_back_with_live_alone(fleet: Fleet, is_reload: bool) -> None:
    entry = fleet.sites[0]
    traffic.set_canary(entry.machine, 1)

    if is_reload:
        entry.edge.reload()
    else:
        entry.edge.kill()
        entry.start()
    wait_until(lambda: traffic.canary(entry.machine) == 0, entry.log)
    fleet.await_up("a")
    with Users(fleet, entry.port) as users:
        users.more(300)

    assert set(users.statuses) == {200}
    assert set(users.slots) == {"a"}
    assert entry.machine.edge_map() == {
        **{"live": "a", "canary": "0", "release_a": "one", "release_b": "none"}
    }


def test_a_promotion_under_load_loses_nobody(fleet: Fleet) -> None:
    entry = fleet.sites[0]
    now = live.Live(release="two", slot="b", replicas=2, since="2026-01-02", image="x:2")
    traffic.set_canary(entry.machine, 0.5)
    with Users(fleet, entry.port) as users:
        users.more(300)
        for site in reversed(fleet.sites):
            traffic.set_live(site.machine, now)
        users.more(300)
        users.forget()
        users.more(300)

    assert (users.faults, set(users.statuses)) == ([], {200})
    assert set(users.slots) == {"b"}
    assert all(traffic.is_at(site.machine, now) for site in fleet.sites)
