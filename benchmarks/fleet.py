"""How long a release takes on many hosts beside few: the real walk and lock, simulated hosts.

Each command takes the same time, and each replica gets ready after the same time. No load test and
no canary: they take as long on one host as on many.
"""

import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.measure import say
from benchmarks.plan import FEW, MANY
from benchmarks.simulated import Pace, SimulatedMachine
from infra.config_rollout import Rollout
from infra.host import Host
from infra.provider import gate, record
from infra.provider.lock import Lock
from infra.provider.plan import Plan
from infra.provider.walk import Walk
from loadtests import slo
from loadtests.figures import SCHEMA_VERSION

PACE = Pace(command_s=0.05, start_s=2.0)
REPLICAS = 2
_OLD, _NEW = "0" * 12, "1" * 12
_SLO = slo.Slo(latency_p95_ms=1000, success_ratio=0.9, min_rps=20)


class Quiet:
    """A console that nobody reads."""

    def __init__(self) -> None:
        self.stopped = threading.Event()

    def say(self, line: str, passing: bool = False) -> None:
        """Nobody is told."""

    warn = say

    def engine_answers(self) -> bool:
        """There is no engine that could be gone."""
        return True


class _Record(record.Record):
    """Its page is the same for any number of hosts, and is not made."""

    def _write_page(self) -> None:
        pass


def measured(rounds: int, pace: Pace = PACE) -> dict[str, Any]:
    """The walks' times in seconds, `rounds` of each size by turns."""
    found: dict[str, list[float]] = {str(FEW): [], str(MANY): []}
    for number in range(1, rounds + 1):
        for hosts in (FEW, MANY):
            found[str(hosts)].append(round(release(hosts, pace), 3))
        few, many = found[str(FEW)][-1], found[str(MANY)][-1]
        say(
            f"a release on simulated hosts, round {number} of {rounds}, after the barrier: "
            f"{FEW} hosts {few:.1f} s, {MANY} hosts {many:.1f} s"
        )
    return {
        "command_s": pace.command_s,
        "start_s": pace.start_s,
        "parallel": Rollout().parallel,
        "hosts": found,
    }


def release(hosts: int, pace: Pace) -> float:
    """Walks a second release in; the seconds from the barrier, the first host's being ready, on.

    Raises:
        ValueError: it did not become live on every host.
    """
    machines = fleet(hosts, pace)
    with tempfile.TemporaryDirectory(prefix="bentofleet-bench-") as folder, _no_load(Path(folder)):
        _walk(machines, _OLD)
        for machine in machines:
            machine.simulated.replica_started = None
        _walk(machines, _NEW)
        ended = time.monotonic()
    barrier = min(m.simulated.replica_started or ended for m in machines[1:])
    return ended - barrier


def fleet(hosts: int, pace: Pace) -> list[SimulatedMachine]:
    """Hosts of one stack on which nothing is live; the first is the entry."""
    machines = [
        SimulatedMachine(
            Host(
                name=f"host-{number:02d}",
                address=f"198.18.0.{number}",
                connection="ssh",
                accelerator="cpu",
                stack="bench",
                ports_from=21000,
                machine_id=f"host-{number:02d}",
                entry=number == 1,
            ),
            REPLICAS,
            pace,
        )
        for number in range(1, hosts + 1)
    ]
    for machine in machines:
        own = machine.simulated.edge
        own.others = [m.simulated.edge for m in machines if m is not machine]
        machine.write(machine.paths.config, own.config())
    return machines


def _walk(machines: list[SimulatedMachine], release: str) -> None:
    plan, console = _plan(machines, release), Quiet()
    with Lock(machines) as lock:
        Walk(plan, machines, console, lock, _Record(plan, console)).run()  # type: ignore[arg-type]
    behind = [m.host.name for m in machines if m.simulated.releases() != {release}]
    if behind:
        raise ValueError(f"{release} did not become live on {', '.join(behind)}")


def _plan(machines: list[SimulatedMachine], release: str) -> Plan:
    rollout = Rollout()
    return Plan(
        stack="bench",
        target="local",
        release=release,
        images={"cpu": f"localhost/bentofleet-bench/service:{release}"},
        bento=f"bentofleet:{release}",
        models={"energy": "1"},
        env={},
        hosts=tuple(m.host for m in machines),
        replicas=REPLICAS,
        memory_mib=512,
        port=8080,
        profile="short",
        runner="here",
        saturation=False,
        slo=_SLO,
        keep=rollout.keep,
        parallel=rollout.parallel,
        ready_timeout_s=rollout.ready_timeout_s,
        drain_timeout_s=rollout.drain_timeout_s,
        language="en",
        tokens_key=None,
        floor=rollout.floor,
    )


@contextmanager
def _no_load(folder: Path) -> Iterator[None]:
    """While this lasts a gate takes no time and is passed, and reports go to `folder`."""
    instead = {"ROOT": folder, "REPORTS": folder / "reports"}
    kept, run = {name: vars(record)[name] for name in instead}, gate.run
    vars(record).update(instead)
    gate.run = lambda *_: _passed()
    try:
        yield
    finally:
        vars(record).update(kept)
        gate.run = run


def _passed() -> dict[str, Any]:
    """Figures of a load test that keeps every promise."""
    times = {"p50": 1.0, "p95": 2.0, "p99": 3.0}
    counts = {"requests": 1500, "failures": 0, "unanswered": 0, "rps": 30.0, "error_ratio": 0.0}
    one = {**counts, "latency_ms": times}
    return {
        **one,
        "schema_version": SCHEMA_VERSION,
        "plan": {"models": ["energy"], "rate_rps": 30.0, "steady_s": 50},
        "models": {"energy": one},
        "steady_s": 50.0,
        "offered_rps": 30.0,
        "lag_ms": times,
        "client_cpu_ratio": 0.1,
    }
