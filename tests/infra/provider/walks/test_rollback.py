"""The way back on hosts in memory: users are served throughout, and the next `pulumi up` agrees."""

import json
from pathlib import Path
from typing import Any

import pytest
from harness.walks import NEW, OLD, World

from infra import pin, rollback, stack_file, unpin
from infra.config import parse
from infra.connection import Unreachable
from infra.host import Host
from infra.provider import answering, history, keep, live, lock, rolled_back
from infra.provider.plan import Plan
from infra.provider.resource import Refused

FILE = "config:\n  bentofleet:stack:\n    kind: local\n"


class Site:
    """A stack on which NEW has come in OLD's place, and the commands that a person types."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, *hosts: str) -> None:
        self.world = World(*hosts, entries=min(2, len(hosts)))
        for machine in self.world.machines:
            keep.remember(machine, self.world.plan_of(OLD), self.world.record)
        self.world.converge()
        self.file = folder / "Pulumi.demo.yaml"
        self.file.write_text(FILE)
        monkeypatch.setattr(stack_file, "ROOT", folder)
        monkeypatch.setattr(stack_file, "hosts", self._hosts)
        monkeypatch.setattr(answering, "open_machine", self._open)
        monkeypatch.setattr(lock, "living_holder", lambda machine: self.holder)
        monkeypatch.setattr(lock.Lock, "_put", lambda self, machine: True)
        monkeypatch.setattr(lock.Lock, "_holds", lambda self, machine: True)
        self.holder: lock.Holder | None = None

    def _hosts(self, stack: str) -> Any:
        raw = stack_file.parse_yaml(self.file.read_text())["config"]["bentofleet:stack"]
        entries = [
            {"name": m.host.name, "address": f"192.0.2.{i}", "user": "deploy"}
            for i, m in enumerate(self.world.machines, 1)
        ]
        pinned = (raw.pop("rollout", None) or {}).get("pin")
        made = parse({**raw, "hosts": entries})
        rollout = made.rollout.model_copy(update={"pin": pinned})  # ids in memory are no hex digits
        settings = made.model_copy(update={"rollout": rollout})
        return settings, [m.host for m in self.world.machines]

    def _open(self, host: Host) -> Any:
        machine = self.world[host.name]
        if machine.dead:
            raise Unreachable(f"{host.name}: does not answer.")
        return machine

    def kept(self, release: str) -> Plan:
        """The plan that the program makes of what the hosts keep."""
        made = self.world.plan_of(release)
        stored = history.read(self.world.machines[0]).of(release)
        assert stored is not None
        assert stored.stored is not None
        assert dict(stored.stored.env) == made.env
        return made


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    return Site(tmp_path, monkeypatch, "one", "two", "three")


def test_the_release_before_is_live_again_and_pinned_while_users_are_served(site: Site) -> None:
    site.world.fleet.faults.clear()

    assert rollback.main([]) == 0

    assert site.world.serves(OLD)
    assert site.world.fleet.faults == []
    assert "pin: 0ld000000000" in site.file.read_text()
    for machine in site.world.machines:
        assert list(rolled_back.read(machine)) == [NEW]


def test_the_next_up_with_the_pin_changes_nothing_and_without_it_is_a_walk(site: Site) -> None:
    rollback.main([])
    site.world.next_run(OLD)
    site.world.plan = site.kept(OLD)
    before = [dict(m.files) for m in site.world.machines]
    site.world.fleet.log.clear()

    assert site.world.converge() == ""
    assert site.world.fleet.log == []
    assert [dict(m.files) for m in site.world.machines] == before

    site.world.next_run(NEW)
    with pytest.raises(Refused) as caught:
        site.world.converge()
    assert str(caught.value).startswith(f"one, two, three: release {NEW} was rolled back there (at")
    assert site.world.serves(OLD)

    assert unpin.main([]) == 0
    assert site.file.read_text() == FILE
    assert site.world.converge().endswith("verdict.json")
    assert site.world.serves(NEW)


@pytest.mark.parametrize("dead", ["one", "two", "three"])
def test_it_goes_on_without_a_dead_host_and_names_it(
    site: Site, dead: str, capsys: pytest.CaptureFixture[str]
) -> None:
    site.world[dead].dead = True

    assert rollback.main([]) == 0

    told = capsys.readouterr()
    assert f"{dead}: does not answer. It goes on without it." in told.err
    assert f"Not there: {dead}" in told.out
    for machine in site.world.machines:
        if machine.host.name != dead:
            now = live.read(machine)
            assert now is not None
            assert now.release == OLD


def test_where_the_release_cannot_start_anywhere_what_is_live_stays(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    for machine in site.world.machines:
        machine.faults.add("does not start")

    assert rollback.main([]) == 1

    assert "could not be made live on any entry" in capsys.readouterr().err
    assert site.world.serves(NEW)
    assert site.file.read_text() == FILE
    assert [rolled_back.read(m) for m in site.world.machines] == [{}, {}, {}]


def test_a_host_that_cannot_start_it_is_left_out(site: Site) -> None:
    site.world["three"].faults.add("does not start")

    assert rollback.main([]) == 0

    assert [live.read(m).release for m in site.world.machines] == [OLD, OLD, NEW]  # type: ignore[union-attr]


def test_a_way_back_that_was_broken_off_is_pinned_and_goes_no_further(site: Site) -> None:
    rollback.main([])
    pin.write("demo", None)

    assert rollback.main([]) == 0

    assert site.world.serves(OLD)
    assert "pin: 0ld000000000" in site.file.read_text()
    assert rollback.main([]) == 1  # and once more: there is none before it


def test_what_was_rolled_back_is_not_gone_back_to(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    rollback.main([])

    assert rollback.main(["--to", NEW]) == 1

    assert f"TO: release {NEW} was itself rolled back at" in capsys.readouterr().err
    assert site.world.serves(OLD)


def test_a_walk_in_progress_is_named_with_the_way_out(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.holder = lock.Holder(
        run="1", operator="ann", machine="desk", machine_id="x", pid=7, started_at="now"
    )

    assert rollback.main([]) == 1

    told = capsys.readouterr().err
    assert "another release is being walked (got ann on desk, pid 7, since now)" in told
    assert "Ctrl-C where it runs, or `kill 7` on desk." in told
    assert site.world.serves(NEW)


def test_the_audit_log_tells_of_the_walk_and_the_way_back(site: Site) -> None:
    rollback.main([])
    unpin.main([])

    machine = site.world.machines[0]
    lines = machine.files[str(machine.paths.audit)].splitlines()
    events = [json.loads(line)["event"] for line in lines]
    assert events == [
        *("walk began", "step", "step", "promoted", "step", "walk ended"),
        *("rollback", "pin", "unpin"),
    ]
    assert json.loads(lines[6])["release"] == OLD
    assert json.loads(lines[6])["was"] == NEW
