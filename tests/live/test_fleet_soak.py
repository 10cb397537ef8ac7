"""Three hosts under users: many releases by their canaries, and what goes wrong in one."""

import logging
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.crowd import Crowd, example
from harness.faults import BadReleases
from harness.figures import percentile_ms
from harness.fleet import BY_SUDO, Fleet, Place, Site, why_no_fleet
from harness.stack import ROOT, provider_of, wait_until
from harness.ups import going_on

from infra.images import manifest

if TYPE_CHECKING:
    from harness.figures import Figures

pytestmark = [
    pytest.mark.live,
    pytest.mark.soak,
    pytest.mark.skipif(why_no_fleet() is not None, reason=why_no_fleet() or ""),
]
log = logging.getLogger("soak")

USERS, RELEASES, REQUESTS = 16, 8, 20_000
WEIGHT = 10
BACK_S = 60
STALE_S = 90
"""The watcher's minute without a heartbeat, and its own rounds."""

SITE = Site(
    name="live-three",
    network=5,
    places={
        "one": Place(number=11, entry={"entry": True}),
        "two": Place(number=12, entry={**BY_SUDO, "entry": True}),
        "three": Place(number=13),
    },
)
CANARY = {
    "canary": [{"weight": WEIGHT, "hold_s": 5}],
    "settle_s": 1,
    "min_samples": 100,
    "max_hold_s": 120,
}
RARE = example("energy", {"temperature_c": -30.0})
BAD = {
    "does not start": "ready",
    "never ready": "ready",
    "wrong golden answer": "ready",
    "answers 500": "gate",
    "fails on one payload only": "canary",
    "slower by": "canary",
}
"""Kind of bad release -> the step that must catch it."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three bare hosts on which a release is live; gone after the last test."""
    try:
        manifest.load_fresh(ROOT)
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    made = Fleet(tmp_path_factory.mktemp("three"), SITE)
    try:
        made.sweep()
        made.make()
        made.change(slo={"latency_p95_ms": 5000}, rollout={**CANARY, "ready_timeout_s": 30})
        made.change(analysis={"p95_ratio": 2.5})
        done = made.up()
        assert done.returncode == 0, done.stdout + done.stderr
        yield made
        made.pulumi("destroy", "--yes", "--skip-preview", "-s", made.name)
    finally:
        made.close()


def users(fleet: Fleet, each: int = 4, rare_one_in: int = 0) -> Crowd:
    asked = [example("energy")] * max(rare_one_in - 1, 1) + [RARE] * bool(rare_one_in)
    return Crowd(fleet.url, fleet.token(), kept=each, fresh=each, pause_s=0.15, asked=asked)


def other_release(fleet: Fleet) -> None:
    fleet.change(service={"docs": not fleet.settings["service"].get("docs", True)})


def is_alone(fleet: Fleet, release: str) -> bool:
    """Whether both entries give their users that release alone."""
    for name in ("one", "two"):
        found = fleet.on(fleet.hosts[name]).edge_map()
        if found["canary"] != "0" or found[f"release_{found['live']}"] != release:
            return False
    return True


def test_many_releases_lose_no_request_of_many_users(fleet: Fleet, figures: "Figures") -> None:
    with users(fleet, USERS) as crowd:
        for _ in range(RELEASES):
            other_release(fleet)
            done = fleet.up()
            assert done.returncode == 0, done.stdout + done.stderr
            log.info("released; %s", dict(crowd.statuses))
        crowd.wait_for(lambda c: len(c.answers) >= REQUESTS, timeout_s=600)

    not_2xx = sum(n for status, n in crowd.statuses.items() if status not in (0, 200))
    figures.figures["fleet"] = {"releases": RELEASES, "p99_ms": percentile_ms(crowd.answers, 0.99)}
    figures.promise("three hosts: requests", len(crowd.answers), at_least=REQUESTS)
    figures.promise("three hosts: requests lost", len(crowd.lost), at_most=0)
    figures.promise("three hosts: answers that are not 2xx", not_2xx, at_most=0)
    figures.check()


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_release_troubles_few_and_is_gone_soon(
    kind: str, fleet: Fleet, tmp_path: Path, figures: "Figures"
) -> None:
    before, bad = fleet.live().release, BadReleases(fleet, tmp_path)
    with users(fleet, USERS, rare_one_in=10) as crowd:
        crowd.wait_for(lambda c: len(c.answers) >= 500)
        three_times = 3 * max(percentile_ms(crowd.answers, 0.95), 20)
        bad.deploy(f"{kind} {three_times:.0f} ms" if kind == "slower by" else kind)
        try:
            done = fleet.up()
        finally:
            bad.remove()

    assert done.returncode != 0
    steps = [(step["step"], step["result"]) for step in fleet.latest_verdict()["steps"]]
    assert [step for step, result in steps if result != "pass"] == [BAD[kind]]
    of_it = [a for a in crowd.answers if a.release not in ("", before) or a.status == 500]
    back_s = max((a.at for a in of_it), default=0) - min((a.at for a in of_it), default=0)
    errors = sum(a.status != 200 for a in crowd.answers) / len(crowd.answers)
    figures.promise(f"{kind}: share of users' requests that failed", errors, at_most=0.01)
    figures.promise(f"{kind}: seconds from its first answer to its last", back_s, at_most=BACK_S)
    assert is_alone(fleet, before)
    figures.check()


def test_with_live_dead_in_a_canary_users_get_503_and_no_more_of_the_candidate(
    fleet: Fleet,
) -> None:
    before = fleet.live()
    fleet.change(rollout={"canary": [{"weight": WEIGHT, "hold_s": 60}]})
    other_release(fleet)
    with users(fleet, USERS) as crowd, going_on(fleet) as up:
        up.wait_for_step("canary")
        wait_until(lambda: fleet.machine().edge_map()["canary"] != "0", "no share was given")
        killed = time.time()
        for host in fleet.hosts.values():
            host.run("podman", "stop", "--time", "0", f"bentofleet-{fleet.name}-{before.release}-1")
        up.end()
    other_release(fleet)
    fleet.change(rollout=CANARY)

    after = [a for a in crowd.answers if a.at > killed + 1]
    of_live = sum(a.release == before.release for a in after)
    of_candidate = sum(a.release not in ("", before.release) for a in after)
    assert up.failed
    assert {a.status for a in after} <= {200, 503}
    assert of_live + sum(a.status == 503 for a in after) > 0
    assert of_candidate <= 2 * WEIGHT / 100 * len(after) + 10
    done = fleet.up("--refresh")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_walker_killed_in_a_canary_leaves_all_users_with_live_without_a_second_run(
    fleet: Fleet, figures: "Figures"
) -> None:
    before = fleet.live()
    fleet.change(rollout={"canary": [{"weight": WEIGHT, "hold_s": 60}]})
    other_release(fleet)
    with users(fleet) as crowd, going_on(fleet) as up:
        up.wait_for_step("canary")
        wait_until(lambda: fleet.machine().edge_map()["canary"] != "0", "no share was given")
        os.kill(provider_of(up.process.pid), signal.SIGKILL)
        up.kill()
        took = wait_until(lambda: is_alone(fleet, before.release), "not back", STALE_S)
    figures.promise("three hosts: a dead walker's users are back, seconds", took, at_most=STALE_S)
    other_release(fleet)
    fleet.change(rollout=CANARY)

    assert set(crowd.statuses) == {200}
    done = fleet.make_up()
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("step", ["ready", "gate", "canary", "drain"])
def test_a_host_that_loses_its_power_in_a_step_leaves_users_with_one_release(
    step: str, fleet: Fleet
) -> None:
    other_release(fleet)
    three = fleet.hosts["three"]
    with users(fleet) as crowd, going_on(fleet) as up:
        up.wait_for_step(step)
        three.power_off()
        up.end()
        crowd.wait_for(lambda c: c.answers[-1].status == 200)
    three.power_on()
    done = fleet.make_up()

    assert set(crowd.statuses) <= {200, 503}
    assert crowd.lost == []
    assert done.returncode == 0, done.stdout + done.stderr
    assert len({now.release for h in fleet.hosts.values() if (now := fleet.live_on(h))}) == 1
