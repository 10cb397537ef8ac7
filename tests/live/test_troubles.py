"""Bad releases and broken replicas on real containers: the live release keeps answering."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness.faults import BadReleases, kill_replicas, restart_edge

from bentos.catalog import MODELS
from infra.provider import live
from service import contract

if TYPE_CHECKING:
    from harness.stack import LiveStack

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def good(stack: "LiveStack") -> live.Live:
    """A release that is live before the bad ones come."""
    stack.change(service={"docs": True, "threads": 1}, slo={"latency_p95_ms": 2000})
    stack.change(rollout={"ready_timeout_s": 15})
    done = stack.up()
    assert done.returncode == 0, done.stdout
    now = live.read(stack.machine())
    assert now is not None
    return now


@pytest.fixture
def bad(stack: "LiveStack", tmp_path: Path) -> Iterator[BadReleases]:
    """Releases that are worse in one way."""
    releases = BadReleases(stack, tmp_path)
    yield releases
    releases.remove()


REFUSED = {
    "does not start": ("fail", "its log ends: planted: this release does not start)"),
    "never ready": ("fail", "energy: is being loaded"),
    "wrong golden answer": ("fail", "golden answer"),
    "needs more memory than its limit": ("fail", "may need more than its memory limit of 1024"),
    "answers 500": ("fail", "success ratio: 0 is below 0.9"),
    "slow": ("fail", "latency: the 95th percentile is"),
    "leaks": ("fail", "success ratio: "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_release_is_refused_and_live_answers_every_request(
    kind: str, stack: "LiveStack", good: live.Live, bad: BadReleases
) -> None:
    outcome, words = REFUSED[kind]
    stack.change(
        slo={"latency_p95_ms": 300 if kind == "slow" else 5000},
        service={"memory_mib": 512 if kind == "leaks" else 1024},
    )
    bad.deploy(kind)

    with stack.crowd() as client:
        done = stack.up()

    errors = {e.strip() for e in done.stdout.splitlines() if e.strip().startswith("error: release")}
    (line,) = errors
    assert done.returncode != 0
    assert f": {outcome}: " in line
    assert words in line
    assert f"{good.release} stays live" in line
    assert "Traceback" not in done.stdout
    assert set(client.statuses) == {200}
    assert set(client.releases) == {good.release}
    assert live.read(stack.machine()) == good
    assert stack.latest_verdict()["verdict"] == outcome


def test_a_release_that_fails_on_rare_payloads_only_is_not_caught_without_a_canary(
    stack: "LiveStack", good: live.Live, bad: BadReleases
) -> None:
    """Golden answers and gate pass, and users meet the fault: what a canary is for."""
    stack.change(slo={"latency_p95_ms": 5000}, service={"memory_mib": 1024})
    bad.deploy("fails on one payload only")

    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert stack.post(stack.token())[0] == 200
    assert stack.post(stack.token(), change={"temperature_c": -30.0})[0] == 500
    bad.undo()
    assert stack.up().returncode == 0
    assert stack.post(stack.token(), change={"temperature_c": -30.0})[0] == 200


def test_a_killed_replica_comes_back_and_no_request_is_lost(
    stack: "LiveStack", good: live.Live
) -> None:
    with stack.crowd() as crowd:
        kill_replicas(stack, 1)

    assert set(crowd.statuses) == {200}


def test_when_all_replicas_are_killed_users_are_told_to_come_back_and_all_return(
    stack: "LiveStack", good: live.Live
) -> None:
    with stack.crowd() as crowd:
        kill_replicas(stack, good.replicas)
        crowd.wait_for(lambda c: c.answers[-1].status == 200)

    assert crowd.lost == []
    assert set(crowd.statuses) <= {200, 502, 503}
    assert crowd.answers[-1].status == 200


def test_an_edge_that_is_started_again_comes_back_with_the_promoted_release(
    stack: "LiveStack", good: live.Live
) -> None:
    before = stack.live()

    restart_edge(stack)

    assert stack.machine().edge_live() == before.slot
    assert stack.post(stack.token())[1]["release"] == before.release


def test_the_rare_payload_is_one_that_the_model_takes() -> None:
    (column,) = [c for c in MODELS["energy"].takes.columns if c.name == "temperature_c"]  # type: ignore[union-attr]

    assert column.minimum == -30.0  # type: ignore[union-attr]
    assert contract.example_row((column,))["temperature_c"] != -30.0
