"""One release on a host without a card and one that is declared to have a card, over SSH.

No machine of the tests has a card: software stands in for it, as the stack's file allows.
"""

import json
import urllib.request
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from harness.crowd import post
from harness.fleet import BY_SUDO, Fleet, Place, Site, why_no_fleet
from harness.loopback import LoopbackHost
from harness.stack import ROOT
from prometheus_client.parser import text_string_to_metric_families

from infra import release
from infra.images import manifest
from service import contract
from service.contract import metrics

pytestmark = [
    pytest.mark.live,
    pytest.mark.soak,
    pytest.mark.skipif(why_no_fleet() is not None, reason=why_no_fleet() or ""),
]

CARD = {"accelerator": "vulkan", "software_device": True}
SITE = Site(
    name="live-mixed",
    network=3,
    places={"plain": Place(number=11), "card": Place(number=12, entry={**BY_SUDO, **CARD})},
)
ACCELERATORS = {"plain": "cpu", "card": "vulkan"}
DEVICES = {
    "plain": {"energy": ("onnx", "cpu"), "octagon": ("onnx", "cpu")},
    "card": {"energy": ("onnx", "cpu"), "octagon": ("ncnn", "software")},
}
"""Host -> model -> runtime and device: rows stay on the processor, also beside a card."""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Two bare hosts and a stack on them; gone after the last test, whatever happened."""
    try:
        manifest.load_fresh(ROOT, {"edge", *ACCELERATORS.values()})
    except ValueError as e:
        pytest.fail(f"{e} (`make test` does that first)")
    made = Fleet(tmp_path_factory.mktemp("mixed"), SITE)
    made.settings |= {
        "service": {"models": ["energy", "octagon"], "replicas": 1},
        # in software a photo takes two cores half a second, and its deadline is three
        "slo": {"latency_p95_ms": 5000, "min_rps": 0.6, "success_ratio": 0.9},
        "rollout": {
            "canary": [],
            "keep": 1,
            "drain_timeout_s": 20,
            "ready_timeout_s": 180,
            "floor": 0.05,
        },
    }
    try:
        made.sweep()
        made.make()
        yield made
    finally:
        made.close()


def images_on(host: LoopbackHost) -> dict[str, str]:
    """Every image that a host's engine has: name -> id."""
    told = json.loads(host.run("podman", "images", "--format", "json"))
    return {name: image["Id"] for image in told for name in image.get("Names") or [image["Id"]]}


def containers_on(host: LoopbackHost) -> dict[str, str]:
    """Every container of a host: id -> the image that it was started from."""
    lines = host.run("podman", "ps", "--all", "--no-trunc", "--format", "{{.ID}} {{.Image}}")
    return dict(line.split() for line in lines.splitlines())


def sent(fleet: Fleet, image: str) -> dict[str, str]:
    """What a host's engine has to call one of the built images: name -> id."""
    built = manifest.load(ROOT)[image]
    return {release.stack_tag(fleet.name, built.tag): built.image_id}


def door_of(fleet: Fleet, host: LoopbackHost) -> str:
    """The live replica of a host itself, past every edge: its address from here, over SSH."""
    port = fleet.on(host).connection.local_port(fleet.ports.replica(slot_of(fleet, host), 1))
    return f"http://127.0.0.1:{port}"


def slot_of(fleet: Fleet, host: LoopbackHost) -> str:
    """The slot that is live on a host."""
    now = fleet.live_on(host)
    assert now is not None
    return now.slot


def models_at(door: str, token: str) -> dict[str, tuple[str, str]]:
    """What a replica tells of its models: name -> runtime and device."""
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{door}{contract.MODELS}", headers={"Authorization": f"Bearer {token}"}
    )
    with urllib.request.urlopen(request, timeout=15) as reply:  # noqa: S310 - loopback
        told: list[dict[str, Any]] = json.load(reply)["models"]
    return {model["name"]: (model["runtime"], model["device"]) for model in told}


def runs_on(fleet: Fleet, host: LoopbackHost) -> Counter[tuple[str, str, str]]:
    """How often the live replica has run each model: model, runtime and device -> runs."""
    port = fleet.ports.metrics(slot_of(fleet, host), 1)
    page = fleet.on(host).get(port, contract.METRICS).text
    return Counter(
        {
            (s.labels["model"], s.labels["runtime"], s.labels["device"]): int(s.value)
            for family in text_string_to_metric_families(page)
            for s in family.samples
            if s.name == f"{metrics.INFERENCE_DURATION.name}_count"
        }
    )


def test_one_release_is_tried_on_both_hosts_and_serves_from_both(fleet: Fleet) -> None:
    done = fleet.up()

    assert done.returncode == 0, done.stdout + done.stderr
    verdict = fleet.latest_verdict()
    assert (verdict["verdict"], verdict["accelerator"]) == ("pass", "cpu, vulkan")
    now = fleet.output("release")
    live = [fleet.live_on(host) for host in fleet.hosts.values()]
    assert [each.release for each in live if each] == [now, now]
    status, body = fleet.ask(fleet.hosts["plain"], fleet.token(), "octagon")
    assert (status, body["release"]) == (200, now)


def test_each_host_was_sent_the_image_of_its_accelerator_and_no_other(fleet: Fleet) -> None:
    for name, host in fleet.hosts.items():
        service, edge = sent(fleet, ACCELERATORS[name]), sent(fleet, "edge")

        assert images_on(host) == {**service, **edge}
        assert sorted(containers_on(host).values()) == sorted({**service, **edge})


def test_each_host_works_on_its_own_device_and_tells_so(fleet: Fleet) -> None:
    token, now = fleet.token(), fleet.output("release")
    for name, host in fleet.hosts.items():
        wanted, door = DEVICES[name], door_of(fleet, host)
        before = runs_on(fleet, host)

        answers = [post(door, token, model) for model in wanted]

        assert [(status, body["release"]) for status, body in answers] == [(200, now)] * 2
        assert models_at(door, token) == wanted
        once = {(model, *where): 1 for model, where in wanted.items()}
        assert runs_on(fleet, host) - before == once
        assert set(before) == set(once)  # the gate's requests, too


def test_a_second_run_changes_nothing(fleet: Fleet) -> None:
    before = [containers_on(host) for host in fleet.hosts.values()]

    done = fleet.up("--expect-no-changes")
    refreshed = fleet.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, done.stdout
    assert refreshed.returncode == 0, refreshed.stdout
    assert [containers_on(host) for host in fleet.hosts.values()] == before


def test_a_card_that_is_out_for_a_while_makes_no_other_release(fleet: Fleet) -> None:
    before = [containers_on(host) for host in fleet.hosts.values()]
    now = fleet.output("release")

    fleet.list_hosts(card={"out": True})
    without = fleet.up()
    alone = fleet.output("release")
    fleet.list_hosts()
    again = fleet.up()

    assert without.returncode == 0, without.stdout
    assert again.returncode == 0, again.stdout
    assert [alone, fleet.output("release")] == [now, now]
    assert [containers_on(host) for host in fleet.hosts.values()] == before


def test_destroy_leaves_nothing_on_either(fleet: Fleet) -> None:
    fleet.pulumi("destroy", "--yes", "--skip-preview", "-s", fleet.name)

    for host in fleet.hosts.values():
        assert fleet.traces_on(host) == []
        assert images_on(host) == {}
