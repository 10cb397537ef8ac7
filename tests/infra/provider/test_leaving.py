"""Hosts that leave a stack: told from those that are out or renamed, in nobody's way."""

from typing import Any

import pytest
from harness.console import KeptConsole

from infra.connection import Unreachable
from infra.host import Host
from infra.provider import release

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


def test_a_dead_host_that_leaves_is_named_and_the_others_are_cleaned(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cleared: list[str] = []
    monkeypatch.setattr(release, "open_machine", opener)
    monkeypatch.setattr(release, "Lock", Lock)
    monkeypatch.setattr(release, "_clear", lambda machine, *_: cleared.append(machine))
    console = KeptConsole()

    hosts = [Host.from_inputs(given) for given in (ONE, host("dead", ""), TWO)]
    release.leave(hosts, 1, console)

    assert sorted(cleared) == ["one", "two"]
    assert console.warned == ["dead: does not answer. Its replicas were not ended."]


def test_a_host_that_was_given_up_is_not_even_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BENTOFLEET_FORGET", "dead")
    monkeypatch.setattr(release, "open_machine", opener)
    console = KeptConsole()

    release.leave([Host.from_inputs(host("dead", ""))], 1, console)

    assert console.warned == []


def opener(asked: Host) -> Any:
    if asked.name == "dead":
        raise Unreachable("dead: does not answer.")
    return asked.name


class Lock:
    def __init__(self, machines: Any) -> None:
        assert machines

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        return None
