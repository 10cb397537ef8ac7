"""The way back to a release that is kept: ready, then all the traffic. No gate, no canary.

It goes on without hosts that do not answer or cannot start it: they get no users of the others.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from infra.connection import HostError
from infra.host import other_slot
from infra.provider import (
    keep,
    level,
    live,
    promote,
    putback,
    ready,
    replicas,
    retire,
    rolled_back,
    standing,
    traffic,
)
from infra.provider.answering import Answering
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.outcome import Unsure
from infra.provider.plan import Plan
from infra.provider.right import Right
from infra.provider.rolled_back import RolledBack

LEVEL_DRAIN_S = 5
"""Users of an entry that missed promotions are moved twice; what is long in work is cut."""


class NoWayBack(Exception):
    """Nothing was changed for users: one line."""


@dataclass
class Outcome:
    """What came of it.

    Attributes:
        moved: hosts that have it live.
        left: why each of the others has not, by its name.
        swapped_s: from the beginning until the last entry had moved.
    """

    moved: list[str] = field(default_factory=list)
    left: dict[str, str] = field(default_factory=dict)
    swapped_s: float = 0.0


class Rollback:
    """One way back on the hosts of a stack that answer, from what is live there now.

    Args:
        plan: the release to go back to, with the settings that were stored with it.
        before: what each host says is live.
        entry: the record of its promotion.
    """

    def __init__(
        self,
        plan: Plan,
        members: Members,
        before: Mapping[str, Live | None],
        entry: Mapping[str, Any],
        console: Console,
        right: Right,
    ) -> None:
        self._plan = plan
        self._members = members
        self._before = before
        self._entry = entry
        self._console = console
        self._right = right
        self._there = Answering(lambda error: console.warn(f"{error} It goes on without it."))
        self._began = time.monotonic()
        self._unready: dict[str, str] = {}
        self._started: set[str] = set()
        self.live = standing.of(before, members.entry_names)
        self.slot = other_slot(self.live.slot if self.live else None)

    def run(self) -> Outcome:
        """Makes the release live wherever it can be.

        Raises:
            NoWayBack: on no entry it can be; what was live stays.
        """
        try:
            self._there.on(self._members.machines, self._ready_on)
            entries = self._entries()
            self._refuse_stopped()
        except BaseException:
            self._undo()
            raise
        self._there.on(self._members.machines, self._mark)
        outcome = self._swap(entries)
        self._remove_unready(outcome.moved)
        self._there.on([m for m in self._members.machines if _is_in(m, outcome.moved)], self._note)
        outcome.moved = [m.host.name for m in self._members.machines if _is_in(m, outcome.moved)]
        outcome.left = {**self._unready, **self._there.silent}
        for name in outcome.moved:
            outcome.left.pop(name, None)
        return outcome

    # -- steps ----------------------------------------------------------------------------------

    def _ready_on(self, machine: Machine) -> None:
        name = machine.host.name
        try:
            self._make_room(machine)
            if machine.image_id(self._plan.image_of(machine.host)) is None:
                raise replicas.NotReady(f"{name}: has no image of release {self._plan.release}")
            self._started.add(name)
            ready.start(machine, self._plan, self.slot, self._console, self._go_on)
        except (replicas.NotReady, Unsure) as e:
            self._unready[name] = str(e)
            if not self._console.stopped.is_set():
                self._console.warn(f"{e}. It goes on without it.")

    def _make_room(self, machine: Machine) -> None:
        """Brings a host level that missed promotions; unless it serves the release already."""
        record = self._before[machine.host.name]
        if record and (record.release, record.slot) == (self._plan.release, self.slot):
            return
        is_entry = machine in self._members.entries
        level.bring(machine, self.live, is_entry=is_entry, drain_s=LEVEL_DRAIN_S)

    def _entries(self) -> list[Machine]:
        """The entries whose users find the release, on their own host or on another.

        Raises:
            NoWayBack: there is none.
        """
        self._refuse_stopped()
        hosts = self._there.of(self._members).without(self._unready)
        asked = Members(hosts.machines, self._there.of(self._members).entries, hosts.parallel)
        if not hosts.machines:
            raise NoWayBack(self._nowhere())
        try:
            ready.await_entries(asked, self._plan, self.slot, self._console)
        except Unsure as e:
            self._console.warn(f"{e}.")
        except HostError as e:
            self._console.warn(str(e))
        seeing: list[Machine] = []
        self._there.on(asked.entries, partial(self._add_seeing, seeing))
        if not seeing:
            raise NoWayBack(self._nowhere())
        return [m for m in asked.entries if m in seeing]

    def _add_seeing(self, seeing: list[Machine], machine: Machine) -> None:
        there = [s for s in machine.edge_servers() if s.slot == self.slot and s.is_up]
        if any(s.group == "users" for s in there):
            seeing.append(machine)
        else:
            name, release = machine.host.name, self._plan.release
            line = f"{name}: the edge sees no host that serves {release}"
            self._unready.setdefault(name, line)
            self._console.warn(f"{line}. What it serves now stays.")

    def _mark(self, machine: Machine) -> None:
        """Before the swap: whatever ends us after it, the next run knows what was bad."""
        if self.live is not None:
            rolled_back.add(
                machine,
                RolledBack(
                    release=self.live.release,
                    to=self._plan.release,
                    at=promote.moment(),
                    operator=machine.connection.operator(),
                ),
            )

    def _swap(self, entries: list[Machine]) -> Outcome:
        """The records of the hosts behind the entries, then the entries one after another."""
        since, outcome = promote.moment(), Outcome()
        inner = [m for m in self._members.inner if m.host.name not in self._unready]
        self._there.on(inner, lambda m: self._set_live(m, since, outcome))
        for machine in entries:
            self._there.on([machine], lambda m: self._set_live(m, since, outcome))
        if not any(_is_in(m, outcome.moved) for m in entries):
            self._there.on(self._members.machines, self._unmark)
            self._undo()
            raise NoWayBack(self._nowhere())
        outcome.swapped_s = time.monotonic() - self._began
        return outcome

    def _set_live(self, machine: Machine, since: str, outcome: Outcome) -> None:
        traffic.set_live(machine, promote.record(self._plan, machine, self.slot, since))
        outcome.moved.append(machine.host.name)

    def _note(self, machine: Machine) -> None:
        keep.returned(machine, self._plan, self._entry)

    # -- where it cannot be -----------------------------------------------------------------------

    def _undo(self) -> None:
        """Nobody was moved: what was started goes, and records say what they said."""
        self._there.on(self._members.entries, self._restore)
        self._there.on(self._members.inner, self._restore)
        self._remove(self._started)

    def _restore(self, machine: Machine) -> None:
        record = live.read(machine)
        if record is not None and record.release == self._plan.release:
            traffic.restore(machine, self._before[machine.host.name])

    def _unmark(self, machine: Machine) -> None:
        if self.live is not None:
            rolled_back.take_back(machine, self.live.release)

    def _remove_unready(self, moved: list[str]) -> None:
        self._remove({name for name in self._unready if name not in moved} & self._started)

    def _remove(self, names: set[str]) -> None:
        """Replicas that were started in a slot that is not live there."""
        chosen = [m for m in self._members.machines if m.host.name in names]
        timeout_s = replicas.CANDIDATE_STOP_TIMEOUT_S
        self._there.on(chosen, partial(putback.remove, slot=self.slot, timeout_s=timeout_s))

    def _nowhere(self) -> str:
        still = f"Release {self.live.release} stays live" if self.live else "Nothing is live"
        why = "; ".join({**self._unready, **self._there.silent}.values())
        release, stack = self._plan.release, self._plan.stack
        return (
            f"{stack}: release {release} could not be made live on any entry ({why}). {still}. "
            "Choose another one with TO=…; `make releases` lists them."
        )

    # -- the right to go on -----------------------------------------------------------------------

    def _go_on(self) -> None:
        if self._console.stopped.is_set():
            raise Unsure(self._right.why_lost)

    def _refuse_stopped(self) -> None:
        if self._right.is_ours() and not self._console.stopped.is_set():
            return
        still = f"release {self.live.release} stays live" if self.live else "nothing is live"
        raise NoWayBack(f"{self._plan.stack}: {self._right.why_lost}; {still}. Run it again.")


def finish(members: Members, drain_s: int, console: Console) -> None:
    """Ends what is live no more, when its users' requests have ended."""
    try:
        gone = retire.tidy(members, drain_s)
    except HostError as e:
        console.warn(f"{e} What is left of the other release goes with the next `make up`.")
        return
    for name, names in gone.items():
        console.say(f"{name}: {', '.join(names)} ended")


def _is_in(machine: Machine, names: list[str]) -> bool:
    return machine.host.name in names
