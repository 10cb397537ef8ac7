"""Hosts that have something else than what is live on their stack, while another is walked."""

import pytest
from harness.memory import MemoryMachine
from harness.users import Killed, Life
from harness.walks import NEW, OLD, World

from infra.provider import live
from infra.provider.resource import Refused

OLDER = "older0000000"
LONG_AGO = "2025-01-01"


def away(world: World, name: str, release: str, slot: str) -> MemoryMachine:
    """A host that was away while OLD was promoted."""
    machine = world[name]
    machine.there.clear()
    world.put(machine, release, slot, LONG_AGO)
    machine.map[f"release_{'b' if slot == 'a' else 'a'}"] = "none"
    world.fleet.faults.clear()
    world.fleet.fewest = 10_000
    world.fleet.log.clear()
    world.fleet.life.spent = 0
    return machine


@pytest.mark.parametrize("slot", ["a", "b"])
@pytest.mark.parametrize("verdict", ["pass", "fail"])
def test_a_host_that_missed_a_promotion_never_gets_users_until_it_serves_what_is_live(
    slot: str, verdict: str
) -> None:
    world = World("one", "two", "three", entries=2)
    behind = away(world, "three", OLDER, slot)
    assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "two"}
    world.fleet.may_have = lambda release, _: release != OLDER
    if verdict == "fail":
        world["two"].faults.add("never ready")
        with pytest.raises(Refused, match=f"{OLD} stays live"):
            world.walk()
        assert live.read(behind) is None or slot == "a"
        assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "two"}
        assert world["two"].faults.discard("never ready") is None
        world.next_run()

    world.converge()

    assert world.serves(NEW)
    assert world.fleet.faults == []
    assert world.fleet.fewest == 4


@pytest.mark.parametrize("slot", ["a", "b"])
def test_an_entry_that_missed_promotions_hands_its_users_to_the_others_without_a_cut(
    slot: str,
) -> None:
    world = World("one", "two", "three", entries=2)
    entry = away(world, "two", OLDER, slot)
    assert {c.labels["bentofleet.release"] for _, c in entry.routes(slot)} == {OLDER}

    world.converge()

    assert world.serves(NEW)
    assert world.fleet.faults == []
    assert world.fleet.fewest >= 2
    first = next(i for i, line in enumerate(world.fleet.log) if NEW in line and "started" in line)
    moved = world.fleet.log.index("two: live a") if slot == "b" else 0
    assert moved < first  # before anything of the candidate


def test_an_entry_that_missed_promotions_and_a_release_that_fails_leaves_it_with_what_is_live() -> (
    None
):
    world = World("one", "two", "three", entries=2)
    entry = away(world, "two", OLDER, "a")
    world["one"].faults.add("never ready")

    with pytest.raises(Refused):
        world.walk()

    assert {c.labels["bentofleet.release"] for _, c in entry.routes("a")} == {OLD}
    assert {m.host.name for m, _ in entry.routes("a")} == {"one", "three"}
    assert entry.drained == entry.unchecked == set()
    assert world.fleet.faults == []


def test_an_entry_that_sees_no_host_that_serves_stays_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("infra.provider.replicas.EDGE_SEES_TIMEOUT_S", 0.02)
    world = World("one", "two", "three", entries=2)
    entry = away(world, "two", OLDER, "a")
    entry.unseen = {"one", "three"}

    with pytest.raises(Refused, match=r"two: the edge sees no host that serves what is live"):
        world.walk()

    assert {c.labels["bentofleet.release"] for _, c in entry.routes("a")} == {OLDER}
    assert entry.drained == entry.unchecked == set()
    assert world.fleet.faults == []


def test_a_host_whose_record_went_ahead_before_a_kill_keeps_serving_what_is_live() -> None:
    world = World("one", "two")
    behind = world["two"]
    world.put(behind, NEW, "b", "2026-02-02")  # recorded, and then the walker was killed
    assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "two"}
    world.fleet.log.clear()

    world.converge()

    assert world.serves(NEW)
    assert world.fleet.faults == []
    assert world.fleet.fewest == 4
    assert world.fleet.log.count("two: live a") == 1


def test_an_entry_without_weights_gets_the_hosts_that_serve_before_anything_is_walked() -> None:
    world = World("one", "two", "three", entries=2)
    entry = world["two"]
    entry.weights.clear()
    entry.files.pop(str(entry.paths.weights))
    world.configure(entry)
    entry.weights.clear()
    entry.files.pop(str(entry.paths.weights))
    assert {m.host.name for m, _ in entry.routes("a")} == {"two"}
    world["one"].faults.add("never ready")

    with pytest.raises(Refused):
        world.walk()

    assert {m.host.name for m, _ in entry.routes("a")} == {"one", "two", "three"}


@pytest.mark.parametrize("slot", ["a", "b"])
@pytest.mark.parametrize("name", ["two", "three"], ids=["entry", "host"])
def test_a_run_that_is_killed_anywhere_on_a_host_that_was_away_converges(
    name: str, slot: str
) -> None:
    def make() -> World:
        world = World("one", "two", "three", entries=2)
        away(world, name, OLDER, slot)
        return world

    done = make()
    done.converge()
    for point in range(done.fleet.life.spent):
        world = make()
        world.fleet.life = Life(point)
        with pytest.raises(Killed):
            world.converge()
        world.next_run()

        world.converge()

        assert world.serves(NEW), f"killed at effect {point}"
        assert world.fleet.faults == [], f"killed at effect {point}"
