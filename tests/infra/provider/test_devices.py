"""What a replica is given to get at a card, and whether it works on it; on a machine in memory."""

import json
import threading
from pathlib import PurePosixPath
from typing import Any

import pytest

from infra.commands import gpu
from infra.commands.containers import Container, Running
from infra.commands.gpu import Access
from infra.host import Host, Paths
from infra.provider import devices, replicas
from infra.provider.machine import Answer, Machine
from infra.provider.plan import Plan
from service import contract

CARD = (
    "card 0000:03:00.0 0x1002 0x67df amdgpu renderD128\n"
    "node renderD128 104 660\nuser root 0 0\nkernel 6.1\nloaded\n"
)
READY = {
    "energy": {"runtime": "onnx", "device": "cpu"},
    "octagon": {"runtime": "ncnn", "device": "vulkan"},
    "wildlife": {"runtime": "ncnn", "device": "vulkan"},
}


class CardMachine(Machine):
    """A machine that tells of its card what it is told to."""

    def __init__(self, text: str = CARD, **of_host: Any) -> None:
        host = Host(
            name="rx580-1",
            address="192.0.2.11",
            connection="local",
            stack="lab",
            ports_from=21000,
            **{"accelerator": "vulkan", **of_host},
        )
        super().__init__(host, None, "podman")  # type: ignore[arg-type]
        self.text = text
        self.asked = 0

    def run(self, argv: Any, stdin: str = "", timeout_s: float = 60.0) -> str:
        self.asked += 1
        return self.text if argv == gpu.facts() else "runc false\n"


def test_a_host_with_a_card_gives_its_node_and_group() -> None:
    assert devices.access(CardMachine()) == Access(("/dev/dri/renderD128",), ("104",))


@pytest.mark.parametrize(
    "host", [{"accelerator": "cpu"}, {"software_device": True}], ids=["cpu", "software"]
)
def test_a_host_that_declares_no_card_is_not_asked(host: dict[str, Any]) -> None:
    machine = CardMachine("", **host)

    assert devices.access(machine) == gpu.NONE
    assert devices.cause(machine) == ""
    assert machine.asked == 0


def test_a_host_is_asked_once_for_all_its_replicas_and_again_for_a_cause() -> None:
    machine = CardMachine()
    devices.access(machine)
    asked = machine.asked

    assert devices.access(machine).groups == ("104",)
    assert machine.asked == asked
    machine.text = "user root 0 0\nkernel 6.1\n"
    assert "no AMD card" in devices.cause(machine)


def test_a_host_without_its_card_is_named_with_the_cause() -> None:
    with pytest.raises(devices.NoDevice) as caught:
        devices.access(CardMachine("user root 0 0\nkernel 6.1\n"))

    assert str(caught.value) == (
        "rx580-1: vulkan cannot be used: there is no AMD card on the PCI bus (got none). Look "
        "whether it sits in its slot and has power."
    )


def test_a_replica_that_works_on_the_card_has_no_fault() -> None:
    assert devices.fault(CardMachine(), READY) is None


def test_rows_may_be_answered_by_the_cpu() -> None:
    assert devices.fault(CardMachine(), {"energy": {"device": "cpu"}}) is None


@pytest.mark.parametrize("device", ["cpu", "software"])
def test_a_photo_model_elsewhere_than_on_the_card_is_named(device: str) -> None:
    ready = {**READY, "wildlife": {"runtime": "onnx", "device": device}}

    assert devices.fault(CardMachine(), ready) == (
        f"wildlife runs on {device}, and the host declares vulkan"
    )


def test_the_test_setting_wants_the_software_device_and_no_other() -> None:
    machine = CardMachine(software_device=True)
    ready = {name: {"device": "software"} for name in ("octagon", "wildlife")}

    assert devices.fault(machine, ready) is None
    assert "declares software" in str(devices.fault(machine, READY))


def test_a_host_for_the_cpu_has_no_fault() -> None:
    assert devices.fault(CardMachine(accelerator="cpu"), {"octagon": {"device": "cpu"}}) is None


def test_two_cards_are_both_given() -> None:
    text = CARD + "card 0000:04:00.0 0x1002 0x67df amdgpu renderD129\nnode renderD129 104 660\n"

    access = devices.access(CardMachine(text))

    assert access == Access(("/dev/dri/renderD128", "/dev/dri/renderD129"), ("104",))


RELEASE = "0123456789ab"


class ServingMachine(CardMachine):
    """A machine whose replicas say that they are ready."""

    def __init__(self, models: dict[str, Any], text: str = CARD) -> None:
        super().__init__(text)
        self.models = models
        self.started: list[Container] = []

    @property
    def paths(self) -> Paths:
        return Paths(PurePosixPath("/memory"))

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        return Answer(200, {contract.RELEASE_HEADER: RELEASE}, json.dumps({"models": self.models}))

    def containers(self) -> list[Running]:
        return []

    def ensure(self, wanted: Container, there: object) -> bool:
        self.started.append(wanted)
        return True


class Quiet:
    """A console that nobody reads."""

    stopped = threading.Event()


def plan(machine: Machine) -> Plan:
    return Plan.from_inputs(plan_inputs(machine))


def plan_inputs(machine: Machine) -> dict[str, Any]:
    return {
        "stack": "lab",
        "target": "local",
        "release": RELEASE,
        "images": {"cpu": "some:cpu-1", "vulkan": "some:vulkan-1"},
        "bento": "bentofleet:1",
        "models": {"octagon": "1"},
        "env": {"BENTOFLEET_MODELS": "octagon"},
        "hosts": [machine.host.to_inputs()],
        "replicas": 2,
        "memory_mib": 1024,
        "port": 8080,
        "gate": {"profile": "short", "runner": "here", "saturation": False},
        "rollout": {
            **{"keep": 3, "parallel": 1, "ready_timeout_s": 1, "drain_timeout_s": 1},
            "floor": 0.3,
        },
        "slo": {"latency_p95_ms": 200, "success_ratio": 0.99, "min_rps": 20},
        "language": "en",
    }


def await_first(machine: ServingMachine) -> None:
    replicas.await_replica(machine, plan(machine), "a", 1, Quiet(), lambda: None)  # type: ignore[arg-type]


def test_a_replica_is_started_with_the_image_the_node_and_the_group_of_its_host() -> None:
    machine = ServingMachine({})

    replicas.start(machine, plan(machine), "a")

    assert [(c.image, c.devices, c.groups) for c in machine.started] == [
        ("some:vulkan-1", ("/dev/dri/renderD128",), ("104",)),
        ("some:vulkan-1", ("/dev/dri/renderD128",), ("104",)),
    ]
    assert machine.started[0].env == {
        "BENTOFLEET_MODELS": "octagon",
        "BENTOFLEET_ACCELERATOR": "vulkan",
    }


def test_without_a_card_no_replica_is_started() -> None:
    machine = ServingMachine({}, "user root 0 0\nkernel 6.1\n")

    with pytest.raises(replicas.NotReady, match="vulkan cannot be used: there is no AMD card"):
        replicas.start(machine, plan(machine), "a")
    assert machine.started == []


def test_a_replica_on_the_card_is_ready() -> None:
    await_first(ServingMachine({"octagon": {"device": "vulkan"}}))


def test_a_ready_replica_on_the_cpu_of_a_host_with_a_card_is_refused() -> None:
    with pytest.raises(replicas.NotReady) as caught:
        await_first(ServingMachine({"octagon": {"device": "cpu"}}))

    assert str(caught.value) == (
        f"rx580-1: bentofleet-lab-{RELEASE}-1: octagon runs on cpu, and the host declares vulkan. "
        "The host's card can be used: start it as it was declared, `make up ARGS=--refresh`"
    )


def test_the_hosts_own_cause_is_told_with_it() -> None:
    machine = ServingMachine(
        {"octagon": {"device": "cpu"}}, CARD.replace("renderD128 104", "x 104")
    )

    with pytest.raises(replicas.NotReady, match="there is no device node in /dev/dri"):
        await_first(machine)


def test_a_state_from_when_a_stack_had_one_image_is_still_read() -> None:
    machine = CardMachine(accelerator="cpu")
    older = {"image": "some:cpu-1", "accelerator": "cpu", "hosts": [machine.host.to_inputs()]}
    inputs = {**plan_inputs(machine), "images": None, **older}

    assert Plan.from_inputs(inputs).image_of(machine.host) == "some:cpu-1"
