"""The release on simulated hosts, and what the page makes of its times."""

import json

import pytest

from benchmarks import __main__ as command
from benchmarks import figures, fleet, plan, report
from benchmarks.simulated import Pace
from infra.connection import HostError
from infra.provider import live

AT_ONCE = Pace(command_s=0, start_s=0)


def test_the_walk_makes_a_release_live_on_every_simulated_host(monkeypatch):
    made = []

    def kept(hosts, pace, fleet_of=fleet.fleet):
        made.extend(fleet_of(hosts, pace))
        return made

    monkeypatch.setattr(fleet, "fleet", kept)
    assert fleet.release(3, AT_ONCE) > 0
    now = [live.read(machine) for machine in made]
    assert [(n.release, n.slot) for n in now] == [("1" * 12, "b")] * 3
    assert [machine.edge_live() for machine in made] == ["b"] * 3
    assert [machine.simulated.releases() for machine in made] == [{"1" * 12}] * 3


def test_a_command_that_no_simulated_host_knows_is_named():
    (machine,) = fleet.fleet(1, AT_ONCE)
    with pytest.raises(HostError, match=r"host-01: simulated: no such command \(got podman push x"):
        machine.run(["podman", "push", "x"])


def test_the_large_fleet_is_compared_with_the_small_one_of_the_same_round(document):
    assert figures.fleet(document) == 2.25
    page = report.render(document)
    assert (
        "| a release on 20 hosts: at most 2.5 x its time on 2, after the barrier | 2.25 x" in page
    )
    assert "each command takes 50 ms and each replica is ready after 2 s" in page
    assert "| 20 | 9.0 | 8.0 to 12.0 |" in page


def test_figures_from_before_there_were_fleets_are_not_measured(document):
    del document["fleet"]
    assert figures.fleet(document) is None
    assert "A release on many hosts\n" not in report.render(document)


def test_the_fleet_alone_is_measured_beside_the_figures_that_are_there(
    document, tmp_path, monkeypatch
):
    was = document.pop("fleet")
    monkeypatch.setattr(command.fleet, "measured", lambda rounds: was | {"rounds": rounds})
    (tmp_path / command.JSON_FILE).write_text(json.dumps(document))
    assert command.main(["--fleet", "--quick", "--out", str(tmp_path)]) == 0
    written = json.loads((tmp_path / command.JSON_FILE).read_text())
    assert written == document | {"fleet": was | {"rounds": plan.QUICK.fleet_rounds}}
