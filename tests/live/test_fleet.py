"""One service on two hosts: a canary, a bad release that only users see, a silent host."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.crowd import Crowd, example
from harness.faults import BadReleases
from harness.fleet import BY_SUDO, Fleet, Place, Site, why_no_fleet
from harness.stack import ROOT, wait_until

from infra.images import manifest

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(why_no_fleet() is not None, reason=why_no_fleet() or ""),
]

WEIGHT = 20
SITE = Site(
    name="live-fleet",
    network=2,
    places={"entry": Place(number=11), "inner": Place(number=12, entry=BY_SUDO)},
)
CANARY = {
    "canary": [{"weight": WEIGHT, "hold_s": 5}],
    "settle_s": 0,
    "min_samples": 59,
    "max_hold_s": 90,
}
RARE = example("energy", {"temperature_c": -30.0})
"""What the gate never asks: one of the bad releases fails on it alone."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two bare hosts on which a release is live; gone after the last test, whatever happened."""
    try:
        manifest.load_fresh(ROOT)
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    made = Fleet(tmp_path_factory.mktemp("fleet"), SITE)
    try:
        made.sweep()
        made.make()
        made.change(slo={"latency_p95_ms": 5000}, rollout=CANARY)
        # two cores carry both hosts, their users and the gate: one side may have a bad second
        made.change(analysis={"p95_ratio": 5})
        done = made.up()
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
    finally:
        made.close()


def users(fleet: Fleet, rare_one_in: int = 0) -> Crowd:
    """On kept and on fresh connections; one request in so many is the rare one."""
    asked = [example("energy")] * max(rare_one_in - 1, 1) + [RARE] * bool(rare_one_in)
    return Crowd(fleet.url, fleet.token(), kept=4, fresh=4, pause_s=0.05, asked=asked)


def test_users_of_the_entry_are_answered_by_both_hosts(fleet: Fleet) -> None:
    with users(fleet) as crowd:
        crowd.wait_for(lambda c: len(c.answers) >= 200)

    machine = fleet.machine()
    slot = fleet.live().slot
    servers = [s for s in machine.edge_servers() if (s.group, s.slot) == ("users", slot)]
    assert {s.name for s in servers if s.requests > 20} == {"r1", "inner"}
    assert set(crowd.statuses) == {200}


def test_a_release_goes_by_its_canary_to_both_hosts_without_losing_a_request(fleet: Fleet) -> None:
    old = fleet.output("release")
    fleet.change(service={"docs": False})

    with users(fleet) as crowd:
        done = fleet.up()
        new = fleet.output("release")
        crowd.wait_for(lambda c: c.releases[new] > 0)

    assert done.returncode == 0, done.stdout + done.stderr
    assert set(crowd.statuses) == {200}
    assert set(crowd.releases) == {old, new}
    verdict = fleet.latest_verdict()
    steps = [step["step"] for step in verdict["steps"]]
    assert steps == ["ready", "gate", "canary", "promote", "drain"]
    (canary,) = verdict["canary"]
    assert canary["result"] == "pass"
    assert canary["candidate"]["requests"] >= CANARY["min_samples"]
    assert verdict["timeline"]
    live = [fleet.live_on(host) for host in fleet.hosts.values()]
    assert [(now.release, now.slot) for now in live if now] == [(new, fleet.live().slot)] * 2


def test_a_release_that_fails_for_users_alone_is_caught_by_its_canary(
    fleet: Fleet, tmp_path: Path
) -> None:
    before, bad = fleet.live(), BadReleases(fleet, tmp_path)
    bad.deploy("fails on one payload only")
    try:
        with users(fleet, rare_one_in=10) as crowd:
            done = fleet.up()
    finally:
        bad.remove()

    assert done.returncode != 0
    assert ": fail: " in done.stdout
    verdict = fleet.latest_verdict()
    results = [(step["step"], step["result"]) for step in verdict["steps"]]
    assert results[1:3] == [("gate", "pass"), ("canary", "fail")]
    assert results[-1] == ("put back", "pass")
    assert set(crowd.statuses) <= {200, 500}
    assert crowd.statuses[500] < 0.01 * len(crowd.answers)
    assert fleet.live().release == before.release
    assert [fleet.releases_on(host) for host in fleet.hosts.values()] == [[before.release]] * 2


def test_a_host_that_goes_silent_and_comes_back_costs_no_request(fleet: Fleet) -> None:
    inner = fleet.hosts["inner"]

    def is_up() -> bool:
        slot = fleet.live().slot
        told = fleet.machine().edge_servers()
        return any(s.is_up for s in told if (s.group, s.slot, s.name) == ("users", slot, "inner"))

    with users(fleet) as crowd:
        inner.unplug()
        wait_until(lambda: not is_up(), "the entry does not see that the host is gone")
        seen = len(crowd.answers)
        crowd.wait_for(lambda c: len(c.answers) > seen + 100)
        inner.plug()
        wait_until(is_up, "the entry does not see that the host is back")

    assert crowd.lost == []
    assert set(crowd.statuses) == {200}


def test_destroy_leaves_nothing_on_either(fleet: Fleet) -> None:
    fleet.pulumi("destroy", "--yes", "--skip-preview", "-s", fleet.name)

    assert [fleet.traces_on(host) for host in fleet.hosts.values()] == [[], []]
