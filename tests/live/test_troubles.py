"""Bad releases and broken replicas on real containers: the live release keeps answering."""

import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from bentos.catalog import MODELS
from infra.commands import containers
from infra.images import manifest
from infra.provider import live
from service import contract

if TYPE_CHECKING:
    from conftest import LiveStack

pytestmark = pytest.mark.live

BAD = Path(__file__).parent / "bad"
Release = Callable[[str], None]


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
def deploy(stack: "LiveStack", tmp_path: Path) -> Iterator[Release]:
    """Makes `pulumi up` deploy the service made worse in one way."""
    machine = stack.machine()
    images = manifest.load(stack.root)
    tags = []

    def choose(kind: str) -> None:
        tag = f"localhost/bentofleet/service:bad-{kind.replace(' ', '-')}"
        recipe = tmp_path / "Containerfile"
        command = json.dumps(["python", "-m", "worse", kind])
        recipe.write_text(
            f"FROM {images['cpu'].tag}\nCOPY worse.py /opt/bentofleet/src/worse.py\nCMD {command}\n"
        )
        machine.run([machine.engine, "build", "--tag", tag, "--file", str(recipe), str(BAD)])
        tags.append(tag)
        entries: dict[str, Any] = {
            name: {"tag": i.tag, "image_id": i.image_id, "bento": i.bento, "inputs": dict(i.inputs)}
            for name, i in images.items()
        }
        entries["cpu"] |= {"tag": tag, "image_id": machine.image_id(tag)}
        (tmp_path / "images.json").write_text(json.dumps(entries))
        stack.environ[manifest.VARIABLE] = str(tmp_path / "images.json")

    yield choose
    stack.environ.pop(manifest.VARIABLE, None)
    for tag in tags:
        machine.run(containers.remove_tag(machine.engine, tag))


REFUSED = {
    "does not start": ("fail", "its log ends: planted: this release does not start)"),
    "never ready": ("fail", "energy: is being loaded; wildlife: is being loaded (waited 15 s)"),
    "wrong golden answer": ("fail", "golden answer"),
    "needs more memory than its limit": ("fail", "may need more than its memory limit of 1024"),
    "answers 500": ("fail", "success ratio: 0 is below 0.95"),
    "slow": ("fail", "latency: the 95th percentile is"),
    "leaks": ("fail", "success ratio: "),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_a_bad_release_is_refused_and_live_answers_every_request(
    kind: str, stack: "LiveStack", good: live.Live, deploy: Release
) -> None:
    outcome, words = REFUSED[kind]
    stack.change(
        slo={"latency_p95_ms": 300 if kind == "slow" else 5000},
        service={"memory_mib": 512 if kind == "leaks" else 1024},
    )
    deploy(kind)

    with stack.steady_client() as client:
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
    stack: "LiveStack", good: live.Live, deploy: Release
) -> None:
    """Golden answers and gate pass, and users meet the fault: what a canary is for."""
    stack.change(slo={"latency_p95_ms": 5000}, service={"memory_mib": 1024})
    deploy("fails on one payload only")

    done = stack.up()
    assert done.returncode == 0, done.stdout
    assert stack.post(stack.token())[0] == 200
    assert stack.post(stack.token(), change={"temperature_c": -30.0})[0] == 500
    stack.environ.pop(manifest.VARIABLE)
    assert stack.up().returncode == 0
    assert stack.post(stack.token(), change={"temperature_c": -30.0})[0] == 200


def up_replicas(stack: "LiveStack") -> int:
    now = live.read(stack.machine())
    slot = now.slot if now else ""
    return sum(s.is_up for s in stack.machine().edge_servers() if s.slot == slot)


def test_a_killed_replica_comes_back_and_no_request_is_lost(
    stack: "LiveStack", good: live.Live
) -> None:
    machine = stack.machine()
    victim = next(c for c in machine.containers() if c.role == "replica")

    with stack.steady_client() as client:
        pid = machine.run([machine.engine, "inspect", "--format", "{{.State.Pid}}", victim.name])
        os.kill(int(pid), signal.SIGKILL)
        deadline = time.monotonic() + 60
        while up_replicas(stack) < 2 and time.monotonic() < deadline:
            time.sleep(0.2)
        time.sleep(1)

    assert set(client.statuses) == {200}
    assert up_replicas(stack) == 2


def test_an_edge_that_is_started_again_comes_back_with_the_promoted_release(
    stack: "LiveStack", good: live.Live
) -> None:
    machine = stack.machine()
    before = live.read(machine)

    machine.run([machine.engine, "stop", "--time", "2", machine.edge_name])
    machine.run([machine.engine, "start", machine.edge_name])
    deadline = time.monotonic() + 30
    while stack.post(stack.token())[0] != 200 and time.monotonic() < deadline:
        time.sleep(0.2)

    assert before is not None
    assert machine.edge_live() == before.slot
    assert stack.post(stack.token())[1]["release"] == before.release


def test_the_rare_payload_is_one_that_the_model_takes() -> None:
    (column,) = [c for c in MODELS["energy"].takes.columns if c.name == "temperature_c"]  # type: ignore[union-attr]

    assert column.minimum == -30.0  # type: ignore[union-attr]
    assert contract.example_row((column,))["temperature_c"] != -30.0
