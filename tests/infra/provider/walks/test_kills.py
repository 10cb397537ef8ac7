"""A walk that is killed between any two effects on hosts: users are served, the next run converges.

Every point is tried: the walk of a whole stack in memory takes some hundredths of a second.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from harness.stand_ins import Trial
from harness.users import Killed, Life
from harness.walks import NEW, NEWER, OLD, REPLICAS, World

from infra.commands import edge
from infra.provider import each, live
from infra.provider.outcome import StepFailed

STACKS: dict[str, Callable[[], World]] = {
    "one host": lambda: World("one", canary=(5, 50)),
    "an entry and a host behind it": lambda: World(canary=(5, 50)),
    "two entries and a host": lambda: World("one", "two", "three", entries=2, canary=(5, 50)),
}


class OneAfterAnother:
    """A pool in which hosts are worked on in their order: a point is the same one each time."""

    def __init__(self, at_once: int) -> None:
        assert at_once > 0

    def __enter__(self) -> "OneAfterAnother":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, work: Callable[[Any], Any], hosts: Sequence[Any]) -> Iterator[Any]:
        return map(work, hosts)


@pytest.fixture(autouse=True)
def in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(each, "ThreadPoolExecutor", OneAfterAnother)


ALL = pytest.mark.parametrize("make", STACKS.values(), ids=STACKS)
FEW = ("one host", "two entries and a host")
EVERY = pytest.mark.parametrize("make", [STACKS[name] for name in FEW], ids=FEW)


def effects(make: Callable[[], World], run: Callable[[World], object]) -> int:
    """How many effects on hosts a run has that is not killed."""
    world = make()
    run(world)
    return world.fleet.life.spent


def killed(world: World, point: int, run: Callable[[World], object]) -> World:
    """A world in which a run was killed before its effect number `point`."""
    world.fleet.life = Life(point)
    with pytest.raises(Killed):
        run(world)
    world.next_run()
    return world


def killed_walks(make: Callable[[], World], trial: Trial) -> Iterator[tuple[World, str]]:
    """The same, for every effect of a walk."""
    points = effects(make, World.walk)
    assert points > 10
    for point in range(points):
        trial.allowed = 0.0
        world = make()
        world.fleet.may_have = lambda release, share: release == OLD or share <= trial.allowed
        yield killed(world, point, World.walk), f"killed at effect {point} of {points}"
        world.fleet.look()
        assert world.fleet.faults == [], f"killed at effect {point} of {points}"


def capacity(world: World) -> int:
    """The replicas that users of an entry come to where nothing is wrong."""
    return len(world.machines) * REPLICAS


@ALL
def test_users_never_notice_and_the_next_run_converges(
    make: Callable[[], World], trial: Trial
) -> None:
    for world, when in killed_walks(make, trial):
        world.fleet.may_have = lambda *_: True

        world.converge()

        assert world.serves(NEW), when
        assert world.fleet.fewest == capacity(world), when


@EVERY
def test_without_a_next_run_the_watchers_leave_each_entry_with_one_release(
    make: Callable[[], World], trial: Trial
) -> None:
    for world, when in killed_walks(make, trial):
        moved = set()
        for machine in world.machines:
            machine.put_back_by_watcher()
        for entry in world.fleet.entries:
            on_disk = live.read(entry)
            assert on_disk is not None
            assert entry.share == 0, when
            got = {c.labels["bentofleet.release"] for _, c in entry.routes(entry.map["live"])}
            assert got == {on_disk.release}, when
            moved.add(on_disk.release)
        assert moved == {OLD} or trial.allowed == 1.0, f"{when}: live before its verdict"

        world.converge()

        assert world.serves(NEW), when


@EVERY
def test_another_release_can_be_walked_next(make: Callable[[], World], trial: Trial) -> None:
    for world, when in killed_walks(make, trial):
        world.next_run(NEWER)
        world.fleet.may_have = lambda *_: True

        world.converge()

        assert world.serves(NEWER), when
        assert world.fleet.fewest == capacity(world), when


@EVERY
def test_the_release_that_was_live_can_be_asked_for_again(
    make: Callable[[], World], trial: Trial
) -> None:
    for world, when in killed_walks(make, trial):
        world.next_run(OLD)
        world.fleet.may_have = lambda *_: True

        world.converge()

        assert world.serves(OLD), when


@EVERY
def test_a_host_that_reboots_after_the_kill_comes_back_with_one_release_and_converges(
    make: Callable[[], World], trial: Trial
) -> None:
    for name in [m.host.name for m in make().machines]:
        for world, when in killed_walks(make, trial):
            world[name].reboot()
            world.fleet.look()

            world.converge()

            assert world.serves(NEW), f"{when}, {name} rebooted"


@EVERY
def test_a_run_that_is_killed_again_while_it_converges_is_no_worse(
    make: Callable[[], World], trial: Trial
) -> None:
    for number, (world, when) in enumerate(killed_walks(make, trial)):
        world.fleet.may_have = lambda *_: True
        world.fleet.life = Life((number * 7) % 40)
        try:
            world.converge()
        except Killed:
            world.next_run()

            world.converge()

        assert world.serves(NEW), when
        assert world.fleet.fewest == capacity(world), when


def test_a_first_release_that_is_killed_anywhere_converges() -> None:
    def make() -> World:
        return World("one", "two", "three", entries=2, was=None)

    for point in range(effects(make, World.walk)):
        world = killed(make(), point, World.walk)

        world.converge()

        assert world.serves(NEW), f"killed at effect {point}"


def refused(world: World) -> None:
    """A walk whose canary fails at its second weight."""
    with pytest.raises(Exception, match="worse"):
        world.walk()


@EVERY
def test_a_walk_that_is_killed_while_it_puts_back_is_put_back_by_the_next_run(
    make: Callable[[], World], trial: Trial
) -> None:
    trial.ends = {50: StepFailed("worse")}
    for point in range(effects(make, refused)):
        world = killed(make(), point, refused)
        for machine in world.machines:
            machine.put_back_by_watcher()
        assert {e.map["live"] for e in world.fleet.entries} == {"a"}
        assert {e.map[edge.CANARY] for e in world.fleet.entries} == {"0"}
        world.next_run(OLD)

        world.converge()

        assert world.is_untouched(), f"killed at effect {point}"
        assert world.fleet.faults == [], f"killed at effect {point}"
        assert world.fleet.fewest == capacity(world), f"killed at effect {point}"


def test_the_share_of_a_killed_canary_is_taken_back_before_anything_else(trial: Trial) -> None:
    world = STACKS["two entries and a host"]()

    def dies() -> None:
        world.fleet.life = Life(0)
        raise Killed

    trial.meanwhile = dies
    with pytest.raises(Killed):
        world.walk()
    assert [e.share for e in world.fleet.entries] == [0.05, 0.05]
    trial.meanwhile = lambda: None
    world.next_run(NEWER)
    world.fleet.log.clear()

    world.converge()

    assert world.fleet.log[:2] == ["one: canary 0", "two: canary 0"]
    assert world.serves(NEWER)
