"""A host's ports and paths."""

from pathlib import PurePosixPath

import pytest

from infra.config import MAX_REPLICAS
from infra.host import SLOTS, Host, Jump, Paths, Ports, other_slot


def test_no_two_uses_share_a_port_and_all_lie_in_the_range() -> None:
    ports = Ports(21000)
    numbers = range(1, MAX_REPLICAS + 1)
    used = [
        *(ports.replica(s, n) for s in SLOTS for n in numbers),
        *(ports.metrics(s, n) for s in SLOTS for n in numbers),
        *(ports.direct(s) for s in SLOTS),
        ports.edge_metrics,
        ports.door,
    ]

    assert len(set(used)) == len(used)
    assert min(used) == 21000
    assert max(used) < 21100


@pytest.mark.parametrize("number", [0, MAX_REPLICAS + 1])
def test_a_replica_beyond_the_range_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="replica number: must be 1 to 16"):
        Ports(21000).replica("a", number)


@pytest.mark.parametrize(("live", "candidate"), [(None, "a"), ("a", "b"), ("b", "a")])
def test_a_candidate_takes_the_slot_that_live_has_not(live: str | None, candidate: str) -> None:
    assert other_slot(live) == candidate


def test_everything_on_a_host_lies_below_the_stacks_folder() -> None:
    paths = Paths(PurePosixPath("/var/lib/bentofleet/demo"))
    properties = [n for n in vars(Paths) if isinstance(getattr(Paths, n), property)]

    assert len(properties) >= 8
    assert all(getattr(paths, n).is_relative_to(paths.root) for n in properties)


def test_a_host_comes_back_from_its_inputs_as_it_was() -> None:
    host = Host(
        name="here",
        address="127.0.0.1",
        connection="local",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )

    assert Host.from_inputs(host.to_inputs()) == host


def test_a_host_over_ssh_comes_back_as_it_was_too() -> None:
    host = Host(
        name="lab-1",
        address="192.0.2.11",
        connection="ssh",
        accelerator="vulkan",
        stack="demo",
        ports_from=21000,
        user="deploy",
        port=2222,
        key="~/.ssh/lab",
        host_key="ssh-ed25519 AAAA",
        jump=Jump(address="192.0.2.1", user="ops", host_key="ssh-ed25519 BBBB"),
        sudo=True,
        connect_timeout_s=3,
        boot_timeout_s=60,
        software_device=True,
        engine="podman",
        out=True,
    )

    assert Host.from_inputs(host.to_inputs()) == host
    assert None not in host.to_inputs()["jump"].values()  # Pulumi drops what has no value


def test_what_an_older_state_does_not_tell_of_a_host_is_the_default() -> None:
    older = {"name": "here", "address": "127.0.0.1", "connection": "local", "accelerator": "cpu"}

    host = Host.from_inputs({**older, "stack": "demo", "ports_from": 21000, "gone": 1})

    assert (host.port, host.sudo, host.out, host.engine) == (22, False, False, "auto")
