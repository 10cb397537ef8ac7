"""The hosts of a stack that are worked on together, and those among them that are entries."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar

from infra.provider import live
from infra.provider.each import on_each
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import Plan

T = TypeVar("T")


@dataclass(frozen=True)
class Members:
    """Machines in the order of the stack's file.

    Attributes:
        entries: those that take the users' traffic.
        parallel: how many are worked on at a time where that is work for them.
    """

    machines: tuple[Machine, ...]
    entries: tuple[Machine, ...]
    parallel: int

    @staticmethod
    def of(plan: Plan, machines: Sequence[Machine]) -> "Members":
        """The machines by their parts in the plan."""
        names = {host.name for host in plan.entries}
        entries = tuple(m for m in machines if m.host.name in names)
        return Members(tuple(machines), entries, plan.parallel)

    def without(self, names: Collection[str]) -> "Members":
        """The others."""
        machines = tuple(m for m in self.machines if m.host.name not in names)
        entries = tuple(m for m in self.entries if m.host.name not in names)
        return Members(machines, entries, self.parallel)

    @property
    def inner(self) -> tuple[Machine, ...]:
        """The hosts that only entries send requests to."""
        return tuple(m for m in self.machines if m not in self.entries)

    @property
    def entry_names(self) -> frozenset[str]:
        """What the entries are called."""
        return frozenset(m.host.name for m in self.entries)

    def records(self) -> dict[str, Live | None]:
        """What each host says is live, by its name."""
        found = on_each(live.read, self.machines)
        return {m.host.name: record for m, record in zip(self.machines, found, strict=True)}

    def on_all(
        self, work: Callable[[Machine], T], machines: Sequence[Machine] | None = None
    ) -> list[T]:
        """Works on every machine, or on some, at most `parallel` at a time (see `on_each`)."""
        return on_each(work, self.machines if machines is None else machines, self.parallel)
