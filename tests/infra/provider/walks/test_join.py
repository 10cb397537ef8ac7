"""Hosts that come to a release which is live already: no gate, no canary, and in nobody's way."""

import json

import pytest
from harness.stand_ins import Trial
from harness.users import Killed, Life
from harness.walks import NEW, OLD, World

from infra.commands.rates import Rate
from infra.provider import floor, gate, live
from infra.provider.resource import Refused


@pytest.fixture(autouse=True)
def nothing_is_walked(monkeypatch: pytest.MonkeyPatch, trial: Trial) -> None:
    def walked(*_: object) -> None:
        raise AssertionError("a host that joins is not walked")

    monkeypatch.setattr(gate, "run", walked)
    monkeypatch.setattr(trial, "run", walked)


def grown(name: str = "three", *, entry: bool = False) -> World:
    """A stack on which OLD is live, and asked for, with a host that is new."""
    world = World("one", "two")
    world.add(name, entry=entry)
    world.next_run(OLD)
    return world


def test_a_new_host_joins_and_gets_users_once_it_serves() -> None:
    world = grown()
    assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "two"}

    assert world.converge() == ""

    assert world.serves(OLD)
    assert world.fleet.faults == []
    assert world.fleet.fewest == 4
    assert [line for line in world.fleet.log if line.startswith(("one:", "two:"))] == []
    now = live.read(world["three"])
    assert now is not None
    assert (now.slot, now.since) == (world.was.slot, world.was.since)


def test_a_new_host_has_the_record_of_the_promotion_that_it_missed() -> None:
    world = grown()
    entry = {
        "release": OLD,
        "image": "another accelerator's",
        "promoted_at": "2026-01-01",
        "operator": "somebody@else",
        "verdict": "pass",
        "attempt": 4,
    }
    one, three = world["one"], world["three"]
    one.files[str(one.paths.releases / f"{OLD}.json")] = json.dumps(entry)

    world.converge()

    found = json.loads(three.files[str(three.paths.releases / f"{OLD}.json")])
    assert (found["operator"], found["attempt"]) == ("somebody@else", 4)
    assert found["image"] == world.plan.image_of(three.host)
    assert found["env"] == world.plan.env


def test_a_new_entry_has_every_host_for_its_users_from_its_first_one_on() -> None:
    world = grown(entry=True)
    world.fleet.watched.add("three")
    joined = world["three"]
    at_first: list[int] = []
    set_map = joined._set

    def watched(key: str, value: str) -> None:
        set_map(key, value)
        if key == "live" and value == "a":
            at_first.append(len(joined.routes("a")))

    joined._set = watched  # type: ignore[method-assign]
    world.fleet.watched.discard("three")

    world.converge()

    assert world.serves(OLD)
    assert at_first == [6]


@pytest.mark.parametrize("slot", ["a", "b"])
@pytest.mark.parametrize("name", ["two", "three"], ids=["entry", "host"])
def test_a_host_that_missed_a_promotion_is_brought_level(name: str, slot: str) -> None:
    world = World("one", "two", "three", entries=2)
    behind = world[name]
    behind.there.clear()
    world.put(behind, "older0000000", slot, "2025-01-01")
    world.fleet.faults.clear()
    world.next_run(OLD)

    assert world.converge() == ""

    assert world.is_untouched()
    assert world.fleet.faults == []


def test_a_host_that_has_the_release_in_the_other_slot_is_brought_level() -> None:
    world = World("one", "two")
    behind = world["two"]
    behind.there.clear()
    world.put(behind, OLD, "b")
    world.next_run(OLD)

    world.converge()

    assert world.is_untouched()
    assert world.fleet.faults == []


@pytest.mark.parametrize("fault", ["never ready", "does not start"])
def test_a_new_host_that_does_not_get_ready_is_named_and_costs_the_others_nothing(
    fault: str,
) -> None:
    world = grown()
    world.add("four")
    world.next_run(OLD)
    world["three"].faults.add(fault)

    with pytest.raises(Refused, match=r"is live, and a host did not join: three: bentofleet-demo-"):
        world.converge()

    assert world["three"].there == {}
    assert live.read(world["three"]) is None
    assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "two", "four"}
    assert world.fleet.faults == []

    world["three"].faults.clear()
    world.next_run(OLD)
    world.converge()
    assert world.serves(OLD)


def test_a_new_host_below_its_floor_does_not_join(monkeypatch: pytest.MonkeyPatch) -> None:
    def too_slow(*_: object) -> None:
        raise floor.TooSlow("three: floor: energy does 1 items/s on its own")

    monkeypatch.setattr(floor, "check", too_slow)
    world = grown()

    with pytest.raises(Refused, match="three: floor: energy does 1 items/s"):
        world.converge()

    assert world["three"].there == {}


def test_weights_count_what_was_measured_on_each_host(monkeypatch: pytest.MonkeyPatch) -> None:
    def measured(*_: object) -> floor.Measured:
        return floor.Measured({"energy": Rate("cpu", 50, None, "1", "1")}, was_busy=False)

    monkeypatch.setattr(floor, "check", measured)
    world = grown()
    for name in ("one", "two"):
        known = floor.Measured({"energy": Rate("cpu", 100, None, "1", "1")}, was_busy=False)
        floor.record(world[name], known)

    world.converge()

    assert world["one"].weights == {"r1": 120, "r2": 120, "host:two": 240, "host:three": 120}


def test_ctrl_c_ends_a_join_and_leaves_nothing_of_it() -> None:
    world = grown()
    world["three"].faults.add("never ready")
    answers = world["three"].get

    def interrupted(port: int, path: str, timeout_s: float = 5.0) -> object:
        world.console.stopped.set()
        return answers(port, path, timeout_s)

    world["three"].get = interrupted  # type: ignore[assignment,method-assign]

    with pytest.raises(Refused, match=r"did not join: interrupted"):
        world.converge()

    assert world["three"].there == {}
    assert world.fleet.faults == []


def test_a_join_that_is_killed_anywhere_is_finished_by_the_next_run() -> None:
    done = grown()
    done.converge()
    points = done.fleet.life.spent
    assert points > 8

    for point in range(points):
        world = grown()
        world.fleet.life = Life(point)
        with pytest.raises(Killed):
            world.converge()
        world.next_run(OLD)

        world.converge()

        assert world.serves(OLD), f"killed at effect {point}"
        assert world.fleet.faults == [], f"killed at effect {point}"


def test_a_release_that_is_live_already_is_mended_and_not_walked_again() -> None:
    world = World("one", "two")
    world.next_run(OLD)
    world["two"].there.pop(f"bentofleet-demo-{OLD}-1")
    world["one"].there["stranger"] = world["one"].there[f"bentofleet-demo-{OLD}-1"]
    world["one"].map["canary"] = "500"

    assert world.converge() == ""

    world["one"].there.pop("stranger", None)
    assert world.serves(OLD)


def test_replicas_that_differ_are_replaced_one_at_a_time_over_all_hosts() -> None:
    world = World("one", "two", parallel=2)
    world.next_run(OLD)
    for machine in world.machines:
        for name, found in machine.there.items():
            changed = {**vars(found), "image_id": "another"}
            machine.there[name] = type(found)(**changed)

    world.converge()

    assert world.serves(OLD)
    assert world.fleet.faults == []
    assert world.fleet.fewest == 3
    assert all(c.image_id == "image" for m in world.machines for c in m.there.values())


def test_what_was_live_before_the_promotion_is_not_needed_for_its_end() -> None:
    world = World("one", "two", "three", entries=2)
    for name in ("three", "one"):  # the walker was killed before it came to the second entry
        for machine in world.machines if name == "three" else []:
            made = world.plan_of(NEW)
            for number in (1, 2):
                machine.ensure(made.container(machine.host, machine.paths, "b", number), [])
            machine.map["release_b"] = NEW
        world.put(world[name], NEW, "b", "2026-02-02")
    world.fleet.faults.clear()
    world.fleet.fewest = 10_000

    world.next_run(NEW)
    assert world.converge() == ""

    assert world.serves(NEW)
    assert world.fleet.faults == []
    assert world.fleet.fewest == 6


def test_a_mending_that_is_killed_anywhere_is_finished_by_the_next_run() -> None:
    def make() -> World:
        world = World("one", "two")
        world.next_run(OLD)
        for machine in world.machines:
            for name, found in machine.there.items():
                machine.there[name] = type(found)(**{**vars(found), "image_id": "another"})
        return world

    done = make()
    done.converge()
    for point in range(done.fleet.life.spent):
        world = make()
        world.fleet.life = Life(point)
        with pytest.raises(Killed):
            world.converge()
        world.next_run(OLD)

        world.converge()

        assert world.serves(OLD), f"killed at effect {point}"
        assert world.fleet.faults == [], f"killed at effect {point}"
        assert world.fleet.fewest == 3, f"killed at effect {point}"
