"""Hosts that leave a stack: told from those that are out or renamed, in nobody's way."""

from typing import Any

import pytest
from harness.console import KeptConsole
from harness.memory import MemoryMachine
from harness.walks import World

from infra.host import Host
from infra.provider import live, machine, release

SLOS = {"latency_p95_ms": 200, "success_ratio": 0.99, "min_rps": 20}


def host(name: str, machine_id: str) -> dict[str, Any]:
    made = Host(
        name=name,
        address=f"{name}.example",
        connection="ssh",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )
    return {**made.to_inputs(), "machine_id": machine_id}


def release_on(*hosts: dict[str, Any], out: tuple[str, ...] = ()) -> dict[str, Any]:
    return {"hosts": list(hosts), "out": list(out), "rollout": {"drain_timeout_s": 1}}


ONE, TWO = host("one", "1" * 32), host("two", "2" * 32)


@pytest.mark.parametrize(
    ("now", "gone"),
    [
        (release_on(ONE, TWO), []),
        (release_on(ONE), ["two"]),
        (release_on(ONE, out=("two",)), []),
        (release_on(ONE, host("second", "2" * 32)), []),
        (release_on(ONE, host("second", "3" * 32)), ["two"]),
    ],
    ids=["stays", "removed", "out", "renamed", "replaced by another"],
)
def test_which_hosts_have_left(now: dict[str, Any], gone: list[str]) -> None:
    assert [h.name for h in release._gone(release_on(ONE, TWO), now)] == gone


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    """Three hosts that serve, as they are opened by their names; a lock that is free."""
    made = World("one", "two", "three")

    def opener(asked: Host) -> MemoryMachine:
        found = made[asked.name]
        found.answer()
        return found

    monkeypatch.setattr(release, "open_machine", opener)
    monkeypatch.setattr(release, "Lock", Lock)
    monkeypatch.setattr(machine.wait_until, "__defaults__", (0.001,))
    return made


def test_a_host_that_leaves_ends_its_requests_and_then_its_replicas_and_forgets(
    world: World,
) -> None:
    two = world["two"]
    two.files[str(two.paths.releases / "0ld.json")] = "{}"
    world.configure_without("two")  # the entries' edges know it no more

    release.leave([two.host], 1, KeptConsole())

    assert two.there == {}
    assert live.read(two) is None
    assert two.names_in(two.paths.releases) == []
    assert world.fleet.faults == []
    assert {m.host.name for m, _ in world["one"].routes("a")} == {"one", "three"}


def test_a_dead_host_that_leaves_is_named_and_the_others_are_cleaned(world: World) -> None:
    two, three = world["two"], world["three"]
    world.configure_without("two")
    world.configure_without("three")
    two.dead = True
    console = KeptConsole()

    release.leave([two.host, three.host], 1, console)

    assert three.there == {}
    assert len(two.there) == 2
    assert console.warned == ["two: does not answer. Its replicas were not ended."]


def test_a_whole_stack_that_is_destroyed_leaves_no_replica(world: World) -> None:
    world.fleet.watched.clear()

    release.leave([m.host for m in world.machines], 1, KeptConsole())

    assert [m.there for m in world.machines] == [{}, {}, {}]


def test_a_host_that_was_given_up_is_not_even_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOFLEET_FORGET", "dead")
    monkeypatch.setattr(release, "open_machine", lambda _: pytest.fail("it was asked"))
    console = KeptConsole()

    release.leave([Host.from_inputs(host("dead", ""))], 1, console)

    assert console.warned == []


class Lock:
    def __init__(self, machines: Any) -> None:
        assert machines

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        return None
