"""A stack's file: what it may say, and the one line for each thing it may not."""

from typing import Any

import pytest

from infra import config

HOST = {"name": "lab-1", "address": "192.0.2.11", "connection": "local"}


def stack(**changes: Any) -> dict[str, Any]:
    return {"kind": "local", "hosts": [HOST], **changes}


def test_a_stack_of_one_host_takes_every_default() -> None:
    parsed = config.parse(stack())

    assert parsed.service.replicas == 2
    assert parsed.service.models == ["energy", "wildlife"]
    assert parsed.slo.latency_p95_ms == 200


def test_a_stack_does_not_change_after_it_was_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.parse(stack()).slo.min_rps = 1


WRONG = {
    "not a mapping": (
        ["a"],
        "bentofleet:stack: must be a mapping (got list). See docs/configuration.md.",
    ),
    "nothing at all": (
        None,
        "bentofleet:stack: must be a mapping (got NoneType). See docs/configuration.md.",
    ),
    "no kind": (
        {"hosts": [HOST]},
        "bentofleet:stack.kind: is missing. Add it; docs/configuration.md says what it takes.",
    ),
    "an unknown kind": (
        stack(kind="gcp"),
        "bentofleet:stack.kind: input should be 'local' (got 'gcp').",
    ),
    "no hosts": (
        {"kind": "local"},
        "bentofleet:stack.hosts: is missing. Add it; docs/configuration.md says what it takes.",
    ),
    "an empty list of hosts": (
        stack(hosts=[]),
        "bentofleet:stack.hosts: list should have at least 1 item after validation, not 0 "
        "(got []).",
    ),
    "a misspelt key": (
        stack(slos={}),
        "bentofleet:stack.slos: no such key. Remove it, or look in docs/configuration.md for its "
        "name.",
    ),
    "a misspelt key deep down": (
        stack(hosts=[{**HOST, "adress": "x"}]),
        "bentofleet:stack.hosts.0.adress: no such key. Remove it, or look in "
        "docs/configuration.md for its name.",
    ),
    "a port out of range": (
        stack(edge={"port": 99999}),
        "bentofleet:stack.edge.port: input should be less than or equal to 65535 (got 99999).",
    ),
    "a privileged port": (
        stack(edge={"port": 80}),
        "bentofleet:stack.edge.port: input should be greater than or equal to 1024 (got 80).",
    ),
    "a port in the range of the replicas": (
        stack(edge={"port": 21050}),
        "bentofleet:stack.edge.port: lies in the range of edge.ports_from (got 21050). "
        "Choose one outside 21000-21099.",
    ),
    "text for a number": (
        stack(service={"replicas": "two"}),
        "bentofleet:stack.service.replicas: input should be a valid integer, unable to parse "
        "string as an integer (got 'two').",
    ),
    "no replica": (
        stack(service={"replicas": 0}),
        "bentofleet:stack.service.replicas: input should be greater than or equal to 1 (got 0).",
    ),
    "a success ratio in percent": (
        stack(slo={"success_ratio": 99.5}),
        "bentofleet:stack.slo.success_ratio: input should be less than or equal to 1 (got 99.5).",
    ),
    "two hosts of one name": (
        stack(hosts=[HOST, HOST]),
        "bentofleet:stack.hosts: two hosts have one name (got lab-1). Give each its own.",
    ),
    "two hosts that are this machine": (
        stack(hosts=[HOST, {**HOST, "name": "lab-2"}]),
        "bentofleet:stack.hosts: more than one host is this machine. "
        "Keep one with `connection: local`.",
    ),
    "a name that no container can have": (
        stack(hosts=[{**HOST, "name": "Lab 1"}]),
        "bentofleet:stack.hosts.0.name: string should match pattern '^[a-z][a-z0-9-]{0,29}$' "
        "(got 'Lab 1').",
    ),
    "a model that nobody trained": (
        stack(service={"models": ["energy", "weather"]}),
        "bentofleet:stack.service.models: no such model (got weather). "
        "Use one of: energy, wildlife.",
    ),
    "a model named twice": (
        stack(service={"models": ["energy", "energy"]}),
        "bentofleet:stack.service.models: a model is named twice. Name each once.",
    ),
    "an unknown gate profile": (
        stack(gate={"profile": "huge"}),
        "bentofleet:stack.gate.profile: input should be 'release' or 'short' (got 'huge').",
    ),
}


@pytest.mark.parametrize(("raw", "line"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_stack_gets_its_one_line(raw: object, line: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(raw)

    assert caught.value.lines == [line]


def test_all_faults_of_a_stack_are_named_at_once() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(stack(edge={"port": 1}, slo={"min_rps": 0}, colour="red"))

    assert [line.split(":")[1].split(" ")[0] for line in caught.value.lines] == [
        "stack.edge.port",
        "stack.slo.min_rps",
        "stack.colour",
    ]


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(stack(hosts=[{**HOST, "name": "x" * 500}]))

    assert len(caught.value.lines[0]) < 200
