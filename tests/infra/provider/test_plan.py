"""The plan of a release, from what the program declares to what the walk reads."""

from typing import Any

import pytest

from infra.host import Host
from infra.provider.plan import CanaryStep, Plan
from loadtests.analysis import Limits

ANALYSIS = {
    "error_ratio_above_live": 0.01,
    "p95_ratio": 2,
    "answer_shift": 0.25,
    "prometheus": {"url": "http://192.0.2.20:9090", "token_file": "", "timeout_s": 5},
    "queries": [{"name": "orders", "query": "up", "at_least": 1, "at_most": None}],
}


def inputs(**changes: Any) -> dict[str, Any]:
    hosts = [
        Host(
            name=name,
            address=f"{name}.example",
            connection="ssh",
            accelerator="cpu",
            stack="demo",
            ports_from=21000,
            entry=name == "two",
        ).to_inputs()
        for name in ("one", "two")
    ]
    rollout = {"keep": 3, "parallel": 10, "ready_timeout_s": 60, "drain_timeout_s": 30}
    return {
        "stack": "demo",
        "target": "local",
        "release": "0" * 12,
        "images": {"cpu": "localhost/bentofleet-demo/service:cpu-0"},
        "bento": "bentofleet:0",
        "models": {"energy": "1"},
        "env": {},
        "hosts": hosts,
        "replicas": 1,
        "memory_mib": 500,
        "port": 8080,
        "gate": {"profile": "short", "runner": "here", "saturation": False},
        "slo": {"latency_p95_ms": 200, "success_ratio": 0.99, "min_rps": 20},
        "rollout": {**rollout, **changes.pop("rollout", {})},
        "language": "en",
        "tokens_key": None,
        **changes,
    }


def test_a_canary_and_its_analysis_are_read() -> None:
    rollout = {
        "canary": [{"weight": 5, "hold_s": 60}, {"weight": 50, "hold_s": 90}],
        "settle_s": 5,
        "min_samples": 500,
        "max_hold_s": 600,
    }

    plan = Plan.from_inputs(inputs(rollout=rollout, analysis=ANALYSIS))

    assert plan.canary == (
        CanaryStep(weight_percent=5, hold_s=60),
        CanaryStep(weight_percent=50, hold_s=90),
    )
    assert (plan.settle_s, plan.min_samples, plan.max_hold_s) == (5, 500, 600)
    assert plan.analysis == Limits(error_ratio_above_live=0.01, p95_ratio=2, answer_shift=0.25)
    assert plan.prometheus is not None
    assert (plan.prometheus.url, plan.prometheus.timeout_s) == ("http://192.0.2.20:9090", 5)
    (query,) = plan.queries
    assert (query.name, query.at_least, query.at_most) == ("orders", 1, None)


@pytest.mark.parametrize("analysis", [{}, {"analysis": {"prometheus": None, "queries": []}}])
def test_a_state_from_before_there_were_canaries_has_none(analysis: dict[str, Any]) -> None:
    plan = Plan.from_inputs(inputs(**analysis))

    assert plan.canary == ()
    assert (plan.prometheus, plan.queries) == (None, ())


def test_entries_are_those_that_say_so_and_else_the_first_host() -> None:
    given = inputs()

    assert [host.name for host in Plan.from_inputs(given).entries] == ["two"]
    for host in given["hosts"]:
        host.pop("entry")
    assert [host.name for host in Plan.from_inputs(given).entries] == ["one"]
