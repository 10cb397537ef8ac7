"""The users of a stack whose hosts live in memory: whether they are served, at any time."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from infra.commands.containers import NUMBER_LABEL, RELEASE_LABEL, SLOT_LABEL, Running
from infra.host import SLOTS

if TYPE_CHECKING:
    from harness.memory import MemoryMachine


class Killed(BaseException):
    """What `kill -9` is to a process: nothing that it would do afterwards happens."""


class Life:
    """How many effects on hosts a process has before it is killed; None: it is not."""

    def __init__(self, effects: int | None = None) -> None:
        self.left = effects
        self.spent = 0

    def spend(self) -> None:
        """One effect.

        Raises:
            Killed: it had no more.
        """
        if self.left is not None and self.spent >= self.left:
            raise Killed
        self.spent += 1


class MemoryFleet:
    """Hosts that see each other, and what was wrong for their users at any time.

    Attributes:
        faults: what users met; empty where all were served.
        watched: the entries whose users are looked at.
        log: what was done to the hosts, in order, for instance `one: live b`.
        fewest: least number of replicas that the users of any of them could come to.
        dies: a host, and the number of the effect on hosts at which it dies, if it is its own.
    """

    def __init__(self, machines: Sequence["MemoryMachine"], life: Life | None = None) -> None:
        self.machines = list(machines)
        self.life = life or Life()
        self.faults: list[str] = []
        self.watched: set[str] = set()
        self.log: list[str] = []
        self.dies: tuple[str, int] | None = None
        self.fewest = 10_000
        self.may_have: Callable[[str, float], bool] = lambda release, share: True
        for machine in self.machines:
            machine.fleet = self

    @property
    def entries(self) -> list["MemoryMachine"]:
        """The hosts that take the users' traffic."""
        return [m for m in self.machines if m.host.entry]

    def before_effect(self, machine: "MemoryMachine") -> None:
        """Looks at the users, and at whether process and host still live."""
        self.look()
        self.life.spend()
        if self.dies == (machine.host.name, self.life.spent):
            machine.dead = True
        machine.answer()

    def route(self) -> None:
        """Each replica that users can come to has a request in work."""
        for entry in self.entries:
            if entry.dead:
                continue
            for slot in self._slots(entry):
                for machine, replica in entry.routes(slot):
                    machine.in_work.add((slot, number_of(replica)))

    def look(self) -> None:
        """Whether the users of every watched entry are served, by what they may be served by."""
        self.route()
        for entry in self.entries:
            if entry.host.name not in self.watched or entry.dead:
                continue
            slot = entry.map["live"]
            there = entry.routes(slot) if slot in SLOTS else []
            self.fewest = min(self.fewest, len(there))
            if not there:
                self.faults.append(f"{entry.host.name}: its users get 503")
            for slot in self._slots(entry):
                share = 1 - entry.share if slot == entry.map["live"] else entry.share
                for release in {c.labels[RELEASE_LABEL] for _, c in entry.routes(slot)}:
                    if not self.may_have(release, share):
                        self.faults.append(f"{entry.host.name}: {share:.0%} get {release}")

    def _slots(self, entry: "MemoryMachine") -> list[str]:
        """Where users of an entry are sent to now."""
        now = entry.map["live"]
        if now not in SLOTS:
            return []
        other = [slot for slot in SLOTS if slot != now]
        return [now, *(other if entry.share else [])]

    def ended(self, machine: "MemoryMachine", gone: Running) -> None:
        """A replica has ended."""
        place = (str(gone.labels[SLOT_LABEL]), number_of(gone))
        self.cut(machine, {place}, f"{gone.name} ended")
        machine.in_work.discard(place)

    def cut(self, machine: "MemoryMachine", places: set[tuple[str, int]], what: str) -> None:
        """Replicas take no more requests: they must not have had one in work."""
        if machine.in_work & places and self.watched:
            self.faults.append(f"{machine.host.name}: {what} with a request in work")


def number_of(container: Running) -> int:
    """Which replica of its host it is."""
    return int(container.labels[NUMBER_LABEL])
