"""Photos by Vulkan through the whole path: in software, for no machine of the tests has a card."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from harness import doors
from harness.fleet import why_no_fleet
from harness.loopback import LoopbackHost
from harness.network import Network
from harness.stack import ROOT, LiveStack, wait_until

from infra import stack_file
from infra.connection import line
from infra.host import Ports
from infra.images import engine as engines
from infra.images import manifest
from infra.provider.machine import Machine, open_machine
from service import contract

pytestmark = pytest.mark.live
OVER_SSH = pytest.mark.skipif(why_no_fleet() is not None, reason=why_no_fleet() or "")

MOST_BYTES = 650 * 1024 * 1024
NAME, PORT, PORTS_FROM, NETWORK = "live-vulkan", 18643, 24200, 4


class CardStack(LiveStack):
    """A stack whose only host is declared to have a card: this machine, or one over SSH."""

    def __init__(self, folder: Path, host: LoopbackHost | None) -> None:
        super().__init__(folder, NAME)
        self.host = host
        self.url = f"http://{host.address if host else '127.0.0.1'}:{PORT}"
        self.ports = Ports(PORTS_FROM)
        self.settings |= {
            "edge": {"port": PORT, "ports_from": PORTS_FROM},
            # a photo takes two cores half a second, and its deadline is three
            "service": {"models": ["octagon"], "replicas": 1},
            "slo": {"latency_p95_ms": 5000, "min_rps": 0.6, "success_ratio": 0.9},
            "rollout": {"canary": [], "keep": 1, "drain_timeout_s": 20, "ready_timeout_s": 180},
        }
        if host is None:
            self.settings["edge"]["address"] = "127.0.0.1"
        self.declares(software_device=True)

    def declares(self, **settings: Any) -> None:
        """What its host says of itself."""
        here = {"name": "here", "address": "127.0.0.1", "connection": "local"}
        entry = self.host.entry() if self.host else here
        self.settings["hosts"] = [{**entry, "accelerator": "vulkan", **settings}]

    def machine(self) -> Machine:
        """Its host as the provider sees it."""
        self._write()
        (host,) = stack_file.all_hosts(self.name)[1]
        return open_machine(host)


@pytest.fixture(
    scope="module", params=["here", pytest.param("over SSH", marks=[pytest.mark.soak, OVER_SSH])]
)
def vulkan(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[CardStack]:
    """The stack, destroyed after the last test, whatever happened."""
    try:
        manifest.load_fresh(ROOT, {"edge", "vulkan"})
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    network = None if request.param == "here" else Network(NETWORK)
    host = LoopbackHost("here", network=network, number=11) if network else None
    stack = CardStack(tmp_path_factory.mktemp("vulkan"), host)
    if host is None:
        stack.sweep()
    stack.make()
    yield stack
    stack.run("pulumi", "destroy", "--yes", "--skip-preview", "-s", stack.name)
    stack.file.unlink(missing_ok=True)
    if host is not None and network is not None:
        line.close_all()
        host.close()
        network.close()


@contextlib.contextmanager
def without_the_setting(stack: CardStack) -> Iterator[None]:
    """The stack as it would stand in production, on this machine that has no card."""
    stack.declares()
    stack.change()
    yield
    stack.declares(software_device=True)
    stack.change()


def test_without_a_card_nothing_is_started_and_the_cause_is_told(vulkan: CardStack) -> None:
    with without_the_setting(vulkan):
        done = vulkan.up()

    assert done.returncode != 0
    assert "here: vulkan cannot be used: there is no AMD card on the PCI bus" in done.stdout
    assert vulkan.replicas() == []
    assert vulkan.latest_verdict()["verdict"] == "fail"


def test_the_software_device_serves_where_the_test_setting_allows_it(vulkan: CardStack) -> None:
    done = vulkan.up()

    assert done.returncode == 0, done.stdout + done.stderr
    verdict = vulkan.latest_verdict()
    assert (verdict["verdict"], verdict["accelerator"]) == ("pass", "vulkan")
    assert "service:vulkan-" in verdict["image"]
    status, body = vulkan.post(vulkan.token(), "octagon")
    assert (status, body["release"]) == (200, vulkan.output("release"))


def test_each_model_tells_where_it_runs(vulkan: CardStack) -> None:
    port = vulkan.ports.replica(vulkan.live().slot, 1)
    models = vulkan.machine().get(port, contract.READYZ).json()["models"]

    found = {name: (told["runtime"], told["device"]) for name, told in models.items()}
    assert found == {"octagon": ("ncnn", "software")}


def test_a_second_run_changes_nothing(vulkan: CardStack) -> None:
    before = vulkan.replicas()

    done = vulkan.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, done.stdout
    assert vulkan.replicas() == before


def test_the_setting_taken_away_is_refused_and_the_release_goes_on(vulkan: CardStack) -> None:
    with without_the_setting(vulkan):
        done = vulkan.up()

    assert done.returncode != 0
    assert "vulkan cannot be used" in done.stdout
    assert vulkan.post(vulkan.token(), "octagon")[0] == 200


def test_the_image_is_small_enough_and_its_shared_layers_are_those_of_the_other() -> None:
    engine, images = engines.find(), manifest.load(ROOT)
    told = {
        name: json.loads(engine.ask("image", "inspect", images[name].tag).stdout)[0]
        for name in ("cpu", "vulkan")
    }

    assert told["vulkan"]["Size"] <= MOST_BYTES
    layers = {name: image["RootFS"]["Layers"] for name, image in told.items()}
    shared = set(layers["cpu"]) & set(layers["vulkan"])
    assert len(shared) == len(layers["cpu"])


@contextlib.contextmanager
def alone(*options: str) -> Iterator[str]:
    """The image alone, without any device; its address."""
    engine, tag, name = engines.find(), manifest.load(ROOT)["vulkan"].tag, f"{NAME}-alone"
    port = doors.free_port()
    engine.ask("rm", "--force", name)  # of a run that was killed
    where = ("--detach", "--name", name, "--publish", f"127.0.0.1:{port}:3000")
    done = engine.ask("run", *where, "--env", f"{contract.ENV_AUTH}=off", *options, tag)
    assert done.returncode == 0, done.stderr
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        engine.ask("rm", "--force", name)


def test_the_image_alone_is_not_ready_without_a_card_and_says_why() -> None:
    with alone("--env", f"{contract.ENV_MODELS}=energy,octagon") as url:
        said: list[str] = []

        def told() -> bool:
            said[:] = doors.reasons(url)
            return any("no device" in reason for reason in said)

        wait_until(told, "the image alone gave no reason")

    (reason,) = said  # the table model is ready: it needs no card
    assert reason.startswith("octagon: vulkan: no device to run on: no device node in /dev/dri")
