"""What a refresh tells of two hosts of which one does not answer: never less of the other one."""

import asyncio
from pathlib import PurePosixPath
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk

from infra.commands.containers import ROLE_LABEL, Running
from infra.connection import Local, Unreachable
from infra.host import Host
from infra.provider import edge, image, live, prepare, release, values
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.resource import ON_HOST, STATUS, Resource
from infra.provider.server import BentofleetProvider

SILENCE = "dead: `docker version` did not end (waited 30 s). Look whether the engine answers."
RELEASE = "0123456789ab"


def host(name: str) -> Host:
    return Host(
        name=name,
        address="192.0.2.1",
        connection="local",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )


class Emptied(Machine):
    """A host that answers, and whose containers, images and files somebody removed."""

    def __init__(self, name: str) -> None:
        super().__init__(host(name), Local(host(name)), "docker")

    def read(self, path: PurePosixPath) -> str | None:
        if path != self.paths.live_map:
            return None
        return live.text(Live(release=RELEASE, slot="a", replicas=1, since="today", image="x"))

    def names_in(self, folder: PurePosixPath) -> list[str]:
        return []

    def containers(self) -> list[Running]:
        return []

    def image_id(self, tag: str) -> str | None:
        return None


TYPES: dict[str, type[Resource]] = {
    "bentofleet:host:Prepare": prepare.Prepare,
    "bentofleet:host:Image": image.Image,
    "bentofleet:host:Edge": edge.Edge,
    "bentofleet:stack:Release": release.Release,
}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> BentofleetProvider:
    def open_machine(asked: Host) -> Machine:
        if asked.name == "dead":
            raise Unreachable(SILENCE)
        return Emptied(asked.name)

    def connect(asked: Host) -> Local:
        return Local(open_machine(asked).host)

    monkeypatch.setattr("infra.provider.resource.open_machine", open_machine)
    monkeypatch.setattr("infra.provider.prepare.host.connect", connect)
    monkeypatch.setattr("infra.provider.prepare.checks.shortages", lambda *_: [])
    monkeypatch.setattr(prepare, "open_machine", open_machine)
    monkeypatch.setattr(release, "open_machine", open_machine)
    return BentofleetProvider("127.0.0.1:1", {name: kind() for name, kind in TYPES.items()})


def inputs_of(kind: str, *names: str) -> dict[str, Any]:
    if kind == "bentofleet:stack:Release":
        return {
            "stack": "demo",
            "target": "local",
            "release": RELEASE,
            "images": {"cpu": "localhost/bentofleet-demo/service:cpu-0"},
            "bento": "bentofleet:0",
            "models": {"energy": "1"},
            "env": {},
            "hosts": [host(name).to_inputs() for name in names],
            "replicas": 1,
            "memory_mib": 500,
            "port": 8080,
            "gate": {"profile": "short", "runner": "here", "saturation": False},
            "slo": {"latency_p95_ms": 200, "success_ratio": 0.99, "min_rps": 20},
            "rollout": {"keep": 3, "parallel": 10, "ready_timeout_s": 60, "drain_timeout_s": 30},
            "language": "en",
            "tokens_key": None,
        }
    return {
        "host": host(names[0]).to_inputs(),
        "machine_id": None,
        "source": "localhost/bentofleet/service:cpu-0",
        "tag": "localhost/bentofleet-demo/service:cpu-0",
        "image": "localhost/bentofleet-demo/edge:0",
        "image_id": "a" * 64,
        "address": "127.0.0.1",
        "port": 8080,
        "replicas": 1,
        "jwks": "{}",
    }


def refresh(provider: BentofleetProvider, kind: str, *names: str) -> tuple[Any, list[str]]:
    """The state after a refresh, and the paths that a preview then shows as changed."""
    urn = f"urn:pulumi:demo::bentofleet::{kind}::it"
    wire = values.properties(inputs_of(kind, *names))
    inputs = asyncio.run(provider.check(sdk.CheckRequest(urn, {}, wire, b""))).inputs
    assert inputs is not None
    found = asyncio.run(provider.read(sdk.ReadRequest(urn, "it", inputs, inputs)))
    request = sdk.DiffRequest(urn, "it", found.properties, inputs, [])
    changed = asyncio.run(provider.diff(request)).detailed_diff
    return values.plain(values.known(found.properties)), sorted(changed)


PER_HOST = [kind for kind in TYPES if ":host:" in kind]


@pytest.mark.parametrize("kind", PER_HOST)
def test_a_dead_host_reads_as_unreachable_and_is_no_difference(
    provider: BentofleetProvider, kind: str
) -> None:
    state, changed = refresh(provider, kind, "dead")

    assert (state[STATUS], changed) == (f"unreachable: {SILENCE}", [])


@pytest.mark.parametrize("kind", PER_HOST)
def test_the_other_hosts_drift_is_shown_all_the_same(
    provider: BentofleetProvider, kind: str
) -> None:
    state, changed = refresh(provider, kind, "well")

    assert state[STATUS] == "answers"
    assert "removed" in " ".join(state[ON_HOST].values())
    assert changed


@pytest.mark.parametrize("names", [("dead", "well"), ("well", "dead")], ids=["first", "last"])
def test_a_release_shows_the_drift_of_every_host_that_answers(
    provider: BentofleetProvider, names: tuple[str, str]
) -> None:
    state, changed = refresh(provider, "bentofleet:stack:Release", *names)

    assert changed == ['on_host["well: replica 1"]', 'on_host["well: traffic"]']
    assert state[ON_HOST]["well: replica 1"] == "removed"
    assert state[ON_HOST]["dead: replica 1"] == "as declared"


def test_a_release_whose_hosts_are_all_dead_is_unreachable_and_no_difference(
    provider: BentofleetProvider,
) -> None:
    state, changed = refresh(provider, "bentofleet:stack:Release", "dead")

    assert (state[STATUS], changed) == (f"unreachable: {SILENCE}", [])


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"live": "a", "canary": "0"}, "as declared"),
        ({"live": "b", "canary": "0"}, "the edge sends users to slot b"),
        ({"live": "a", "canary": "500"}, "the edge sends 5.00% of the users to a candidate"),
    ],
)
def test_traffic_that_is_elsewhere_is_told(
    found: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = "".join(f"0x1 {key} {value}\n" for key, value in found.items())
    monkeypatch.setattr(Emptied, "edge_command", lambda *_: answer)
    machine = Emptied("well")
    monkeypatch.setattr(Emptied, "containers", lambda _: [running(machine.edge_name)])
    plan = Plan.from_inputs(inputs_of("bentofleet:stack:Release", "well"))

    assert release._look_at(machine, plan)["well: traffic"] == said


def running(name: str) -> Running:
    return Running(
        name=name,
        status="running",
        image_id="",
        labels={ROLE_LABEL: "edge"},
        started_at="",
        restarts=0,
    )
