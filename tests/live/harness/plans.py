"""The plan of a release on hosts in memory: one that is small, and asks for little."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from infra.host import Host
from infra.provider.plan import Plan
from loadtests.slo import Slo

REPLICAS = 2


def plan(hosts: Iterable[Host], release: str, **changes: Any) -> Plan:
    """A release of one model without canary; `changes` as in `dataclasses.replace`."""
    made = Plan(
        stack="demo",
        target="local",
        release=release,
        images={"cpu": f"localhost/bentofleet-demo/service:{release}"},
        bento="bentofleet:1",
        models={"energy": "1"},
        env={},
        hosts=tuple(hosts),
        replicas=REPLICAS,
        memory_mib=512,
        port=8080,
        profile="short",
        runner="here",
        saturation=False,
        slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20),
        keep=3,
        parallel=1,
        ready_timeout_s=1,
        drain_timeout_s=1,
        language="en",
        tokens_key=None,
    )
    return replace(made, **changes)
