"""A walk killed at its steps on real containers: users notice nothing, the next run converges."""

import json
import logging
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.faults import reboot
from harness.kills import BY_NAME, POINTS, Point
from harness.stack import wait_until

from infra.commands import ports
from infra.commands.containers import RELEASE_LABEL
from infra.provider import live

if TYPE_CHECKING:
    import subprocess

    from harness.figures import Figures
    from harness.stack import LiveStack

log = logging.getLogger("soak")
pytestmark = pytest.mark.live

KILL = Path(__file__).parent / "harness/kill"
ORPHAN_STOPS_S = 60
"""Far above the heartbeat of 5 s: it also puts back, and this machine is busy."""

SHORT = [
    ("provider", "after the edge moved the traffic"),
    ("pulumi", "after the first candidate started"),
]


@pytest.fixture(scope="module")
def ready(stack: "LiveStack") -> "LiveStack":
    """The stack with a release live."""
    stack.change(slo={"latency_p95_ms": 5000}, service={"docs": True, "threads": 1})
    done = stack.make_up()
    assert done.returncode == 0, done.stdout
    return stack


@pytest.mark.parametrize(("victim", "name"), SHORT)
def test_a_walk_that_is_killed_costs_users_nothing_and_the_next_run_converges(
    victim: str, name: str, ready: "LiveStack", tmp_path: Path
) -> None:
    kill_and_converge(ready, BY_NAME[name], victim, tmp_path)


def test_a_reboot_in_the_middle_of_a_walk_brings_back_live_alone(
    ready: "LiveStack", tmp_path: Path
) -> None:
    before = ready.live()
    process = start_with_kill(ready, BY_NAME["after every candidate started"], "provider", tmp_path)
    process.communicate(timeout=120)
    assert {c.labels[RELEASE_LABEL] for c in ready.replicas()} > {before.release}

    reboot(ready)

    on = {c.labels[RELEASE_LABEL] for c in ready.replicas() if c.is_running}
    assert on == {before.release}
    assert ready.post(ready.token())[1]["release"] == before.release
    assert ready.make_up().returncode == 0
    assert_one_release_and_nothing_else(ready)


@pytest.mark.soak
def test_a_walk_killed_anywhere_puts_live_back_by_itself_and_the_next_run_converges(
    ready: "LiveStack", tmp_path: Path, figures: "Figures"
) -> None:
    tried = []
    for victim in ("provider", "pulumi"):
        for number, point in enumerate(POINTS):
            folder = tmp_path / f"{victim}-{number}"
            folder.mkdir()
            took = kill_and_converge(ready, point, victim, folder)
            tried.append({"victim": victim, "point": point.name, **took})
            figures.figures["kills"] = tried
            log.info("%s killed %s: %s", victim, point.name, took)
    for victim in ("provider", "pulumi"):
        mine = [t for t in tried if t["victim"] == victim]
        figures.promise(
            f"kills of the {victim}: points tried and converged", len(mine), at_least=10
        )
        worst = max(float(t["live_back_s"]) for t in mine)
        figures.promise(
            f"kills of the {victim}: seconds until live is back, with no second run",
            worst,
            at_most=90,
        )
    figures.promise("kills: requests lost", sum(int(t["lost"]) for t in tried), at_most=0)
    figures.promise("kills: requests", sum(int(t["requests"]) for t in tried), at_least=1000)
    figures.check()


def start_with_kill(
    stack: "LiveStack", point: Point, victim: str, folder: Path
) -> "subprocess.Popen[str]":
    """A release with other settings, whose walk is killed at a point."""
    docs = bool(stack.settings["service"]["docs"])
    stack.change(service={"docs": not docs})
    plan = {
        "victim": victim,
        "when": point.when,
        "stages": point.stages,
        "hit": str(folder / "hit"),
    }
    (folder / "kill.json").write_text(json.dumps(plan))
    return stack.start_up(
        {"BENTOFLEET_TEST_KILL": str(folder / "kill.json"), "PYTHONPATH": str(KILL)}
    )


def kill_and_converge(
    stack: "LiveStack", point: Point, victim: str, folder: Path
) -> dict[str, float]:
    """Kills a walk under users, waits until live is back by itself, then runs `make up`."""
    hit = folder / "hit"
    with stack.crowd(kept=2, fresh=2, pause_s=0.05) as crowd:
        process = start_with_kill(stack, point, victim, folder)
        wait_until(lambda: hit.exists() or process.poll() is not None, "no walk", 180)
        assert hit.exists(), f"the walk never came to this point: {process.communicate()[0]}"
        killed = time.monotonic()
        orphan_s = orphan_stops(stack) if victim == "pulumi" else 0.0
        process.communicate(timeout=120)
        wait_until(lambda: is_back(stack), f"live was not back after a kill {point.name}")
        live_back_s = time.monotonic() - killed

        done = stack.make_up()

        assert done.returncode == 0, done.stdout + done.stderr
        assert_one_release_and_nothing_else(stack)
    assert set(crowd.statuses) == {200}, crowd.lost
    return {
        "live_back_s": round(live_back_s, 1),
        "orphan_stops_s": round(orphan_s, 1),
        "requests": len(crowd.answers),
        "lost": len(crowd.lost),
    }


def orphan_stops(stack: "LiveStack") -> float:
    """Until a walker whose engine was killed has ended by itself; the seconds it took."""
    machine = stack.machine()
    return wait_until(
        lambda: machine.read(machine.paths.lock) is None, "the orphan walks on", ORPHAN_STOPS_S
    )


def is_back(stack: "LiveStack") -> bool:
    """Whether users get the release on record alone, from all its replicas."""
    machine = stack.machine()
    now = live.read(machine)
    if now is None or machine.edge_live() != now.slot:
        return False
    return stack.up_in(now.slot) == now.replicas


def assert_one_release_and_nothing_else(stack: "LiveStack") -> None:
    """One live release; no container, port or file beside what it needs."""
    machine, now = stack.machine(), stack.live()
    assert now.release == stack.output("release")
    assert {c.labels[RELEASE_LABEL] for c in stack.replicas()} == {now.release}
    assert len(machine.containers()) == now.replicas + 1
    assert all(c.is_running for c in machine.containers())
    made = {"audit.jsonl", "edge", "keys", "made.json", "releases", "start"}
    assert set(machine.names_in(machine.paths.root)) == made
    assert set(machine.names_in(machine.paths.edge)) == {"haproxy.cfg", "live.map"}
    assert set(machine.names_in(machine.paths.keys)) == {"jwks.json"}
    plan = stack.ports
    wanted = {plan.edge_metrics, plan.door, plan.direct("a"), plan.direct("b")}
    for number in range(1, now.replicas + 1):
        wanted |= {plan.replica(now.slot, number), plan.metrics(now.slot, number)}
    taken = ports.listening(machine.run(ports.tables()))
    assert taken & set(range(plan.first, plan.first + 100)) == wanted
