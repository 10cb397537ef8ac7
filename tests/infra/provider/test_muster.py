"""All hosts are asked before any is touched: each that cannot be worked on has its line."""

from types import SimpleNamespace
from typing import Any

import pytest

from infra.connection import HostError, Unreachable
from infra.host import Host
from infra.provider import muster
from infra.provider.resource import Refused


def host(name: str) -> Host:
    return Host(
        name=name,
        address=f"{name}.example",
        connection="ssh",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> dict[str, str | Exception]:
    """Host -> its machine's id, or what is raised on connecting."""
    answers: dict[str, str | Exception] = {}

    def connect(asked: Host) -> Any:
        answer = answers[asked.name]
        if isinstance(answer, Exception):
            raise answer
        return SimpleNamespace(machine_id=lambda: answer)

    monkeypatch.setattr(muster, "connect", connect)
    return answers


def test_hosts_that_can_be_worked_on_have_no_line(told: dict[str, str | Exception]) -> None:
    told.update(one="1" * 32, two="2" * 32)

    assert muster.faults(muster.ask([host("one"), host("two")])) == []


def test_every_host_that_cannot_be_worked_on_is_named(told: dict[str, str | Exception]) -> None:
    told.update(one=Unreachable("one: is dead."), two="2" * 32, three=HostError("three: no."))

    lines = muster.faults(muster.ask([host("one"), host("two"), host("three")]))

    assert lines == ["one: is dead.", "three: no."]


def test_two_entries_that_lead_to_one_machine_are_refused(told: dict[str, str | Exception]) -> None:
    told.update(one="1" * 32, two="2" * 32, again="1" * 32)

    (line,) = muster.faults(muster.ask([host("one"), host("two"), host("again")]))

    assert line.startswith("again: is the same machine as one (id 11111111…). Remove one of them")


def test_a_new_host_that_cannot_be_prepared_is_named_beside_the_dead_ones(
    told: dict[str, str | Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    told.update(one=Unreachable("one: is dead."), two="2" * 32, three="3" * 32)

    def refuse_new(asked: Host, wanted: dict[str, Any]) -> None:
        assert wanted == needs[asked.name]
        if asked.name == "two":
            raise Refused("two: its clock is off.\ntwo: port 8080 is taken.")

    monkeypatch.setattr(muster.prepare, "refuse_new", refuse_new)
    entry = {"address": "127.0.0.1", "ports": {"edge.port": 8080}}
    other = {"address": "127.0.0.1", "ports": {"edge.inner_ports_from": 8444}}
    needs = {"one": entry, "two": entry, "three": other}

    lines = muster.faults(muster.ask([host("one"), host("two"), host("three")], needs))

    assert lines == ["one: is dead.", "two: its clock is off.\ntwo: port 8080 is taken."]
