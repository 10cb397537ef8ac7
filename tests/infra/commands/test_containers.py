"""Command lines for the container engine, compared whole."""

import dataclasses
import json

import pytest

from infra.commands import containers
from infra.commands.containers import Container

CONTAINER = Container(
    name="bentofleet-demo-abc-1",
    image="localhost/bentofleet-demo/service:cpu-1",
    labels={"bentofleet.stack": "demo"},
    memory_mib=512,
    env={"A": "1"},
    ports={21000: 3000},
    mounts={"/var/lib/keys": "/etc/keys"},
    tmpfs={"/scratch": 64},
)


def test_a_container_runs_without_privileges_on_a_read_only_root() -> None:
    assert containers.run("podman", CONTAINER) == [
        *("podman", "run", "--detach", "--name", "bentofleet-demo-abc-1"),
        *("--label", f"bentofleet.spec={CONTAINER.spec}", "--label", "bentofleet.stack=demo"),
        *("--restart", "on-failure", "--no-healthcheck", "--read-only", "--cap-drop", "ALL"),
        *("--security-opt", "no-new-privileges", "--pids-limit", "512", "--memory", "512m"),
        *("--tmpfs", "/scratch:rw,nosuid,nodev,noexec,size=64m,mode=1777"),
        *("--publish", "127.0.0.1:21000:3000", "--volume", "/var/lib/keys:/etc/keys:ro,z"),
        *("--env", "A=1", "--log-driver", "k8s-file", "--log-opt", "max-size=10m"),
        "localhost/bentofleet-demo/service:cpu-1",
    ]


def test_a_card_is_passed_in_without_any_privilege() -> None:
    card = dataclasses.replace(CONTAINER, devices=("/dev/dri/renderD128",), groups=("104",))
    argv = containers.run("podman", card)

    start = argv.index("--device")
    assert argv[start : start + 4] == ["--device", "/dev/dri/renderD128", "--group-add", "104"]
    assert "--privileged" not in argv
    assert {"ALL", "no-new-privileges", "--read-only"} <= set(argv)


def test_docker_gets_its_own_log_driver_with_rotation() -> None:
    argv = containers.run("docker", CONTAINER)

    start = argv.index("--log-driver")
    assert argv[start : start + 6] == [
        *("--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3"),
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"image": "other"},
        {"memory_mib": 513},
        {"env": {"A": "2"}},
        {"ports": {21001: 3000}},
        {"mounts": {}},
        {"labels": {"bentofleet.stack": "other"}},
        {"host_network": True},
        {"devices": ("/dev/dri/renderD128",)},
        {"groups": ("104",)},
        {"capabilities": ("NET_RAW",)},
        {"user": "0:0"},
        {"entrypoint": "keepalived"},
        {"stop_signal": "SIGTERM"},
    ],
    ids=lambda c: next(iter(c)),
)
def test_any_other_setting_is_another_spec(change: dict[str, object]) -> None:
    assert dataclasses.replace(CONTAINER, **change).spec != CONTAINER.spec


def test_settings_in_another_order_are_the_same_spec() -> None:
    one = dataclasses.replace(CONTAINER, env={"A": "1", "B": "2"})
    other = dataclasses.replace(CONTAINER, env={"B": "2", "A": "1"})

    assert one.spec == other.spec


def test_another_name_is_the_same_spec() -> None:
    assert dataclasses.replace(CONTAINER, name="x").spec == CONTAINER.spec


PODMAN = {
    "Name": "edge",
    "Image": "abc",
    "Config": {"Labels": {"bentofleet.role": "edge"}},
    "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
    "RestartCount": 2,
}
DOCKER = {**PODMAN, "Name": "/edge", "Image": "sha256:abc", "RestartCount": 2}


@pytest.mark.parametrize("item", [PODMAN, DOCKER], ids=["podman", "docker"])
def test_both_engines_answers_read_the_same(item: dict[str, object]) -> None:
    (found,) = containers.parse_inspect(json.dumps([item]))

    assert (found.name, found.image_id, found.role) == ("edge", "abc", "edge")
    assert found.is_running
    assert found.restarts == 2


def started(**change: object) -> containers.Running:
    """What the engine says of CONTAINER, with something changed afterwards."""
    facts: dict[str, object] = {
        "name": CONTAINER.name,
        "status": "running",
        "image_id": "abc",
        "labels": {containers.SPEC_LABEL: CONTAINER.spec},
        "started_at": "",
        "restarts": 0,
        "memory_mib": 512,
        "env": {"A": "1", "PATH": "/usr/bin"},
    }
    return containers.Running(**(facts | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({}, None),
        ({"labels": {}}, "started with other settings"),
        ({"memory_mib": 300}, "has another memory limit (300 MiB)"),
        ({"is_log_bounded": False}, "has a log without a bound"),
        ({"env": {"A": "2"}}, "has other settings (A)"),
        ({"env": {}}, "has other settings (A)"),
        ({"memory_mib": None, "env": None}, None),
    ],
)
def test_what_was_changed_after_the_start_is_named(
    change: dict[str, object], words: str | None
) -> None:
    assert started(**change).differs_from(CONTAINER) == words


@pytest.mark.parametrize(
    ("complaint", "is_gone"),
    [
        ("Error: inspecting object: no such container 7350\n", True),
        ("Error response from daemon: No such container: x\nError: No such object: y\n", True),
        ("Error: no such container 7350\nError: the store is locked\n", False),
        ("", False),
    ],
)
def test_a_container_that_went_is_told_from_an_engine_that_is_ill(
    complaint: str, is_gone: bool
) -> None:
    assert containers.is_gone(complaint) == is_gone


def test_a_container_without_labels_has_no_role_and_no_spec() -> None:
    item = {**PODMAN, "Config": {"Labels": None}}
    (found,) = containers.parse_inspect(json.dumps([item]))

    assert (found.role, found.spec) == ("", "")
