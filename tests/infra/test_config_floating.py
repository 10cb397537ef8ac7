"""What a stack's file may say of the address that moves between entries."""

from typing import Any

import pytest

from infra import config

ONE = {
    "name": "lab-1",
    "address": "192.0.2.11",
    "user": "deploy",
    "sudo": True,
    "entry": True,
}
TWO = {**ONE, "name": "lab-2", "address": "192.0.2.12"}
FLOATING = {"address": "192.0.2.10/24", "interface": "eth0"}


def stack(
    *hosts: dict[str, Any], floating: dict[str, Any] = FLOATING, **edge: Any
) -> dict[str, Any]:
    return {
        "kind": "local",
        "hosts": list(hosts or (ONE, TWO)),
        "edge": {"floating": floating, **edge},
    }


@pytest.mark.parametrize(
    "given",
    [
        stack(),
        stack(ONE, {**TWO, "user": "root", "sudo": False}),
        stack(ONE, TWO, {**TWO, "name": "lab-3", "address": "lab-3.example", "entry": False}),
        stack({**ONE, "address": "lab-1.example", "inner_address": "198.51.100.1"}, TWO),
        stack(
            {**ONE, "inner_address": "2001:db8::1"},
            {**TWO, "inner_address": "2001:db8::2"},
            floating={**FLOATING, "address": "2001:db8::10/64"},
            address="::",
        ),
    ],
    ids=["two with sudo", "root", "a third that is none", "a name, and an inner address", "IPv6"],
)
def test_two_entries_with_root_can_have_one(given: dict[str, Any]) -> None:
    parsed = config.parse(given)

    assert parsed.edge.floating is not None
    assert f"{parsed.edge.floating.ip}/" in given["edge"]["floating"]["address"]


AT = "bentofleet:stack.edge.floating:"
WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "one entry": (
        stack(ONE, {**TWO, "entry": False}),
        "has nowhere to move (got 1 hosts with `entry: true`). Name two, or remove it.",
    ),
    "the second is out": (
        stack(ONE, {**TWO, "out": True}),
        "has nowhere to move (got 1 hosts with `entry: true`). Name two, or remove it.",
    ),
    "without root": (
        stack(ONE, {**TWO, "sudo": False}),
        "lab-2 is worked on without root, which cannot move an address. "
        "Write `sudo: true` for it, or use a DNS name with two records.",
    ),
    "an edge at one address": (
        stack(address="192.0.2.11"),
        "the edge would not answer there (edge.address is 192.0.2.11). "
        "Write `edge.address: 0.0.0.0`.",
    ),
    "a host's own address": (
        stack(floating={**FLOATING, "address": "192.0.2.12/24"}),
        "is lab-2's own address too (got 192.0.2.12). Give one that no machine has.",
    ),
    "a host's inner address": (
        stack({**ONE, "inner_address": "192.0.2.10"}, TWO),
        "is lab-1's own address too (got 192.0.2.10). Give one that no machine has.",
    ),
    "a name": (
        stack({**ONE, "address": "lab-1.example"}, TWO),
        "lab-1 is not reached by an IPv4 address, as the floating one is (got lab-1.example). "
        "Write its `inner_address` as one.",
    ),
    "the other kind of address": (
        stack(ONE, {**TWO, "inner_address": "2001:db8::1"}),
        "lab-2 is not reached by an IPv4 address, as the floating one is (got 2001:db8::1). "
        "Write its `inner_address` as one.",
    ),
}


@pytest.mark.parametrize(("given", "expected"), WRONG.values(), ids=WRONG.keys())
def test_one_that_could_not_move_is_refused_with_one_line(
    given: dict[str, Any], expected: str
) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(given)

    assert caught.value.lines == [f"{AT} {expected}"]


@pytest.mark.parametrize("name", ["eth0; ", "a" * 16, "", "eth 0"])
def test_a_name_that_no_network_card_can_have_is_refused(name: str) -> None:
    with pytest.raises(config.ConfigError, match=r"edge\.floating\.interface"):
        config.parse(stack(floating={**FLOATING, "interface": name}))
