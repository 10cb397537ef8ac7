"""`make status` and `make logs` over several hosts, of which one is dead and one is out."""

import sys
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from harness.walks import OLD, World

from infra import config, config_edge, logs, status
from infra.commands.containers import ROLE_LABEL
from infra.connection import Done, Unreachable
from infra.host import Host
from infra.provider import traffic

LINES = status._lines
"""What a host is told of, before the tests put something short in its place."""


def host(name: str, *, out: bool = False, entry: bool = False) -> Host:
    return Host(
        name=name,
        address=f"{name}.example",
        connection="ssh",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
        out=out,
        entry=entry,
    )


SETTINGS = config.parse(
    {
        "kind": "local",
        "hosts": [{"name": "one", "address": "192.0.2.11", "connection": "local"}],
    }
)
HOSTS = [host("one"), host("dead"), host("away", out=True), host("two")]


class Printing:
    """A machine whose containers print their own names."""

    engine = "podman"

    def __init__(self, name: str) -> None:
        self.connection = self
        self.name = name

    def containers(self) -> list[Any]:
        return [SimpleNamespace(name=f"{self.name}-edge")]

    def run(self, argv: list[str]) -> Done:
        return Done(0, "a line\n", "and another\n")


def open_machine(asked: Host) -> Any:
    assert not asked.out
    if asked.name == "dead":
        raise Unreachable("dead: does not answer.")
    return Printing(asked.name)


@pytest.fixture(autouse=True)
def stack(monkeypatch: pytest.MonkeyPatch) -> None:
    for command in (status, logs):
        monkeypatch.setattr(command.stack_file, "all_hosts", lambda _: (SETTINGS, HOSTS))
        monkeypatch.setattr(command, "open_machine", open_machine)
    monkeypatch.setattr(status, "_lines", lambda machine: (["it serves"], True))
    monkeypatch.setattr(sys, "argv", ["it"])


def test_status_tells_of_every_host_in_their_order_and_ends_with_one(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert status.main() == 1

    assert capsys.readouterr().out.splitlines() == [
        "it serves",
        "dead: does not answer.",
        "away: out; nobody looked",
        "it serves",
    ]


def test_a_host_that_is_out_is_no_fault(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(status.stack_file, "all_hosts", lambda _: (SETTINGS, [HOSTS[0], HOSTS[2]]))

    assert status.main() == 0


def test_status_tells_which_entry_has_the_floating_address(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    entries = [host("one", entry=True), host("two", entry=True)]
    edge = config_edge.Edge.model_validate(
        {"floating": {"address": "192.0.2.10/24", "interface": "eth0"}}
    )
    settings = SETTINGS.model_copy(update={"edge": edge})
    monkeypatch.setattr(status.stack_file, "all_hosts", lambda _: (settings, entries))
    monkeypatch.setattr(
        status.floating, "is_held", lambda machine, ip: machine.name == "two" and ip == "192.0.2.10"
    )

    assert status.main() == 0

    assert capsys.readouterr().out.splitlines() == [
        "it serves",
        "it serves",
        "  the floating address 192.0.2.10 is here",
    ]


@pytest.mark.parametrize(
    ("share", "weight", "is_well"), [(0.0, "100 %", True), (0.05, "95 %", False)]
)
def test_status_tells_the_share_that_is_left_to_live(
    share: float, weight: str, is_well: bool
) -> None:
    (machine,) = World("one").machines
    replica = next(iter(machine.there.values()))
    labels = {**replica.labels, ROLE_LABEL: "edge"}
    machine.there[machine.edge_name] = replace(replica, name=machine.edge_name, labels=labels)
    traffic.set_canary(machine, share)

    lines, found = LINES(machine)  # type: ignore[arg-type]

    assert f"release {OLD}, weight {weight}, live since" in lines[0]
    assert found is is_well


def test_logs_name_the_dead_host_and_show_the_others_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert logs.main() == 1

    told = capsys.readouterr()
    assert told.err == "dead: does not answer.\n"
    assert told.out.splitlines() == [
        "one: one-edge a line",
        "one: one-edge and another",
        "two: two-edge a line",
        "two: two-edge and another",
    ]


def test_logs_of_one_host_need_no_name_before_each_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["it", "--host", "two"])

    assert logs.main() == 0

    assert capsys.readouterr().out.splitlines() == ["two-edge a line", "two-edge and another"]


def test_a_host_that_is_not_there_is_told_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["it", "--host", "three"])

    assert logs.main() == 1

    assert capsys.readouterr().err == (
        "--host: no such host (got three). Use one of: one, dead, away, two.\n"
    )
