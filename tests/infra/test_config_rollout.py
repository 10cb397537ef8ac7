"""What a stack's file may say of canary, analysis, hours and entries, and the line for the rest."""

from typing import Any

import pytest

from infra import config

HOST = {"name": "lab-1", "address": "192.0.2.11", "user": "deploy", "sudo": True}
OTHER = {"name": "lab-2", "address": "192.0.2.12", "user": "deploy", "sudo": True}
FLOATING = {"address": "192.0.2.10/24", "interface": "eth0"}
QUERY = {"name": "refunds", "query": "sum(refunds)"}
PROMETHEUS = {"url": "http://192.0.2.20:9090"}


def stack(*hosts: dict[str, Any], **sections: Any) -> dict[str, Any]:
    return {"kind": "local", "hosts": list(hosts or (HOST,)), **sections}


def rollout(**values: Any) -> dict[str, Any]:
    return stack(rollout=values)


def queries(*given: dict[str, Any]) -> dict[str, Any]:
    return stack(analysis={"prometheus": PROMETHEUS, "queries": list(given)})


def test_a_candidate_gets_five_then_fifty_percent_by_default() -> None:
    assert [(s.weight, s.hold_s) for s in config.parse(stack()).rollout.canary] == [
        (5, 60),
        (50, 60),
    ]


def test_a_stack_can_do_without_a_canary() -> None:
    assert config.parse(rollout(canary=[])).rollout.canary == []


def test_hours_may_go_over_midnight_in_a_zone_of_their_own() -> None:
    given = {"start": "22:00", "end": "06:00", "timezone": "Europe/Madrid", "days": ["mon", "tue"]}

    hours = config.parse(rollout(hours=given)).rollout.hours

    assert hours is not None
    assert hours.model_dump() == given


def test_a_query_may_have_a_bound_or_be_compared_with_live() -> None:
    parsed = config.parse(
        queries(
            QUERY | {"at_most": 3.0},
            {"name": "sold", "query": 'x{release="{release}"}', "ratio_to_live_at_least": 0.9},
        )
    )

    assert [query.compares for query in parsed.analysis.queries] == [False, True]


def test_the_ports_between_hosts_are_two() -> None:
    assert list(config.parse(stack()).edge.inner_ports.values()) == [8444, 8445]


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "weights that fall": (
        rollout(canary=[{"weight": 50, "hold_s": 10}, {"weight": 5, "hold_s": 10}]),
        ".rollout.canary: a weight is not above the one before (got 5 after 50). "
        "Let the weights rise.",
    ),
    "a weight of everything": (
        rollout(canary=[{"weight": 100}]),
        ".rollout.canary.0.weight: is too large (got 100). Give a whole number from 1 to 99.",
    ),
    "a step that never ends": (
        rollout(canary=[{"weight": 5, "hold_s": 90}], max_hold_s=60),
        ".rollout.max_hold_s: is shorter than a step of the canary (got 60). Give at least 90.",
    ),
    "hours without length": (
        rollout(hours={"start": "22:00", "end": "22:00"}),
        ".rollout.hours: begin and end together (got 22:00). "
        "Give another `end`, or remove `hours`.",
    ),
    "no such time zone": (
        rollout(hours={"start": "22:00", "end": "06:00", "timezone": "Mars/Base"}),
        ".rollout.hours.timezone: is no time zone (got 'Mars/Base'). "
        "Write it as in Europe/Madrid, or UTC.",
    ),
    "queries to nobody": (
        stack(analysis={"queries": [QUERY | {"at_most": 1.0}]}),
        ".analysis.prometheus: is missing beside `queries` (got none). "
        "Name where they are asked, or remove them.",
    ),
    "a query without a bound": (
        queries(QUERY),
        ".analysis.queries: refunds: has no bound (got none). "
        "Give `at_most`, `at_least` or a `ratio_to_live_…`.",
    ),
    "a comparison of nothing": (
        queries(QUERY | {"ratio_to_live_at_most": 1.1}),
        ".analysis.queries: refunds: is compared with live, and does not name {release}. "
        "Put it into the query.",
    ),
    "two queries of one name": (
        queries(QUERY | {"at_most": 1.0}, QUERY | {"at_least": 1.0}),
        ".analysis.queries: two have one name (got refunds). Give each its own.",
    ),
    "a password for Prometheus": (
        stack(analysis={"prometheus": {"url": "http://me:secret@192.0.2.20:9090"}}),
        ".analysis.prometheus.url: holds a user or password (not shown). "
        "Put a token into a file, `token_file`.",
    ),
    "no entry takes part": (
        stack(HOST | {"entry": True, "out": True}, OTHER),
        ".hosts: every entry is out (got lab-1). Write `entry: true` for a host that takes part.",
    ),
    "an address with one place to be": (
        stack(HOST | {"entry": True}, OTHER, edge={"floating": FLOATING}),
        ".edge.floating: has nowhere to move (got 1 hosts with `entry: true`). "
        "Name two, or remove it.",
    ),
    "an address without root": (
        stack(
            HOST | {"entry": True, "sudo": False},
            OTHER | {"entry": True},
            edge={"floating": FLOATING},
        ),
        ".edge.floating: lab-1 is worked on without root, which cannot move an address. "
        "Write `sudo: true` for it, or use a DNS name with two records.",
    ),
    "an address without prefix": (
        stack(edge={"floating": {**FLOATING, "address": "192.0.2.10"}}),
        ".edge.floating.address: is no IP address with its prefix (got '192.0.2.10'). "
        "Write it as in 192.0.2.10/24.",
    ),
    "ports between hosts that users have": (
        stack(edge={"port": 8445}),
        ".edge.port: is one of the ports between hosts too (got 8445). "
        "Give another, or another `edge.inner_ports_from`.",
    ),
    "ports between hosts among the inner ones": (
        stack(edge={"inner_ports_from": 21050}),
        ".edge.inner_ports_from: lies in the range of edge.ports_from (got 21050). "
        "Choose one outside 21000-21099.",
    ),
}


@pytest.mark.parametrize("given", WRONG)
def test_what_is_wrong_gets_its_line(given: str) -> None:
    raw, line = WRONG[given]

    with pytest.raises(config.ConfigError) as refused:
        config.parse(raw)

    assert refused.value.lines[0] == f"bentofleet:stack{line}"


def test_a_password_is_shown_in_no_line() -> None:
    raw, _ = WRONG["a password for Prometheus"]

    with pytest.raises(config.ConfigError) as refused:
        config.parse(raw)

    assert "secret" not in str(refused.value)
