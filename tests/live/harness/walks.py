"""A stack in memory on which a release is live, and the walk of another."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.memory import MemoryMachine
from harness.plans import REPLICAS, plan
from harness.stand_ins import Held, Quiet
from harness.users import Life, MemoryFleet
from infra import config_edge
from infra.commands import haproxy, weights
from infra.commands.fleet import Fleet, Peer
from infra.host import Host
from infra.provider import live, traffic
from infra.provider.converge import converge
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import CanaryStep, Plan
from infra.provider.record import Record
from infra.provider.walk import Walk

OLD = "0ld000000000"
NEW = "new000000000"
NEWER = "newer0000000"

FIGURES: dict[str, Any] = json.loads(
    (Path(__file__).parents[2] / "infra/provider/gate_figures.json").read_text()
)
"""Of a gate that passes."""


class World:
    """Hosts on which OLD is live in slot a, and a walk that brings NEW.

    Args:
        hosts: their names; the first is an entry.
        entries: how many of them, from the first on.
        was: what is live; None: nothing.
        parallel: hosts that are worked on at a time.
    """

    def __init__(
        self,
        *hosts: str,
        entries: int = 1,
        was: str | None = OLD,
        parallel: int = 1,
        canary: tuple[float, ...] = (),
    ) -> None:
        names = hosts or ("one", "two")
        self.machines = [MemoryMachine(_host(name, i < entries)) for i, name in enumerate(names)]
        self.fleet = MemoryFleet(self.machines)
        self.console, self.lock = Quiet(), Held(self.machines)
        self.parallel, self.canary = parallel, canary
        self.plan = self.plan_of(NEW)
        self.was = Live(release=OLD, slot="a", replicas=REPLICAS, since="2026-01-01", image="old")
        for machine in self.machines:
            self.configure(machine)
            if was is not None:
                self.put(machine, was, "a")
        self._record: Record | None = None
        self.fleet.watched = {m.host.name for m in self.fleet.entries} if was else set()
        self.fleet.life = Life()
        self.fleet.log.clear()

    def plan_of(self, release: str) -> Plan:
        """A release on all of its hosts."""
        hosts = [m.host for m in self.machines]
        return plan(hosts, release, parallel=self.parallel, canary=_canary(self.canary))

    def configure(self, machine: MemoryMachine) -> None:
        """Gives a host its edge, as the resource Edge does."""
        peers = [m.host for m in self.machines if m != machine]
        fleet = Fleet(
            machine.host.name,
            machine.host.entry,
            tuple(Peer(h.name, h.address, h.entry) for h in peers),
            "0.0.0.0" if peers else None,  # noqa: S104 - nothing listens
        )
        text = haproxy.config(config_edge.Edge(), machine.host.ports, REPLICAS, fleet)
        machine.files[str(machine.paths.config)] = text
        if machine.host.entry and peers:
            shares = dict.fromkeys((m.host.name for m in self.machines), weights.BEST)
            traffic.set_weights(machine, shares)

    def put(self, machine: MemoryMachine, release: str, slot: str, since: str = "") -> None:
        """Makes a release live on a host, with its replicas."""
        made = plan((m.host for m in self.machines), release)
        for number in range(1, REPLICAS + 1):
            container = made.container(machine.host, machine.paths, slot, number)
            machine.ensure(container, [])
            machine.there[container.name] = _older(machine, container.name)
        now = Live(
            release=release,
            slot=slot,
            replicas=REPLICAS,
            since=since or self.was.since,
            image=made.image_of(machine.host),
        )
        traffic.set_live(machine, now)

    def add(self, name: str, *, entry: bool = False) -> MemoryMachine:
        """A host that joins the stack, with its edge; nothing is live there."""
        machine = MemoryMachine(_host(name, entry))
        machine.fleet = self.fleet
        self.machines.append(machine)
        self.fleet.machines.append(machine)
        for each in self.machines:
            weighed = dict(each.weights)
            self.configure(each)
            each.weights = weighed
            each.files.pop(str(each.paths.weights), None) if each is machine else None
        self.plan = self.plan_of(self.plan.release)
        return machine

    def configure_without(self, name: str) -> None:
        """A host is no part of the stack any more: the other edges have been told."""
        gone = self[name]
        self.fleet.machines.remove(gone)
        gone.fleet = MemoryFleet([gone])
        gone.fleet.watched = {"somebody"}
        gone.fleet.faults = self.fleet.faults
        gone.in_work.update(("a", number) for number in range(1, REPLICAS + 1))

    def __getitem__(self, name: str) -> MemoryMachine:
        return next(m for m in self.machines if m.host.name == name)

    @property
    def record(self) -> Record:
        """Of the latest attempt."""
        if self._record is None:
            self._record = Record(self.plan, self.console)  # type: ignore[arg-type]
        return self._record

    def walk(self) -> Walk:
        """Walks, whatever is live."""
        machines: Sequence[Machine] = self.machines
        walk = Walk(self.plan, machines, self.console, self.lock, self.record)  # type: ignore[arg-type]
        walk.run()
        return walk

    def converge(self) -> str:
        """What `pulumi up` does with the release."""
        return converge(self.plan, self.machines, self.console, self.lock)  # type: ignore[arg-type]

    def next_run(self, release: str = NEW) -> None:
        """Whoever was killed is gone, and another process takes over."""
        self.fleet.life, self.fleet.dies = Life(), None
        self.console = Quiet()
        self.plan = self.plan_of(release)

    def serves(self, release: str) -> bool:
        """Whether every host has that release in one slot, also after a restart, and nothing else.

        The users of every entry come to every replica, and to nothing else.
        """
        slots = {m.map["live"] for m in self.machines}
        everywhere = len(self.machines) * REPLICAS
        return (
            self.releases() == [{release}] * len(self.machines)
            and len(slots) == 1
            and all(
                (now := live.read(m)) is not None
                and (now.release, {now.slot}) == (release, slots)
                and len(m.up(now.slot)) == REPLICAS
                for m in self.machines
            )
            and all(
                e.share == 0 and len(e.routes(e.map["live"])) == everywhere
                for e in self.fleet.entries
            )
        )

    def releases(self) -> list[set[str]]:
        """What runs, or has run, on each host."""
        return [{c.labels["bentofleet.release"] for c in m.there.values()} for m in self.machines]

    def verdict(self) -> dict[str, Any]:
        """Of the attempt that `walk` made."""
        text = (self.record.folder / "verdict.json").read_text()
        verdict: dict[str, Any] = json.loads(text)
        return verdict

    def steps(self) -> list[str]:
        """The steps in the verdict."""
        return [step["step"] for step in self.verdict()["steps"]]

    def is_untouched(self) -> bool:
        """Whether OLD is live everywhere and alone."""
        return self.serves(OLD) and all(m.map["live"] == "a" for m in self.machines)


def _canary(weights_percent: tuple[float, ...]) -> tuple[CanaryStep, ...]:
    return tuple(CanaryStep(weight_percent=weight, hold_s=1) for weight in weights_percent)


def _host(name: str, entry: bool) -> Host:
    return Host(
        name=name,
        address=f"{name}.example",
        connection="local",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
        entry=entry,
    )


def _older(machine: MemoryMachine, name: str) -> Any:
    """A replica that an earlier run has started."""
    found = machine.there[name]
    return type(found)(**{**vars(found), "status": "running", "started_at": "2026-01-01"})
