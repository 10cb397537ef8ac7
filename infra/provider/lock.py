"""One walk at a time: a lock on every host, whose heartbeat tells a dead walker from a slow one."""

import json
import os
import threading
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from infra.commands import files
from infra.connection import MACHINE_ID, HostError
from infra.provider.each import on_each
from infra.provider.machine import Machine
from infra.provider.resource import Refused

HEARTBEAT_S = 5.0
STALE_S = 60
"""Seconds without a heartbeat after which a walker counts as dead (release.md)."""


@dataclass(frozen=True, kw_only=True)
class Holder:
    """Who walks: enough to find the person and the process.

    Attributes:
        machine: name of the machine that walks.
        machine_id: its id, by which `pid` can be looked for there and nowhere else.
    """

    run: str
    operator: str
    machine: str
    machine_id: str
    pid: int
    started_at: str

    def is_dead(self) -> bool:
        """Whether the walker ran on this machine and its process is gone."""
        return self.machine_id == this_machine_id() and not Path(f"/proc/{self.pid}").exists()


class Lock:
    """Held on all hosts of a stack from the first step to the last; used as a context manager."""

    def __init__(self, machines: Sequence[Machine]) -> None:
        self._machines = machines
        self._done = threading.Event()
        # one for each host: the silence of one must not make the lock on another look dead
        self._threads = [
            threading.Thread(target=self._beat, args=[m], name=f"beat {m.host.name}", daemon=True)
            for m in machines
        ]
        first = machines[0].connection
        self.holder = Holder(
            run=uuid.uuid4().hex[:12],
            operator=first.operator(),
            machine=os.uname().nodename,
            machine_id=this_machine_id(),
            pid=os.getpid(),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
        )

    def __enter__(self) -> "Lock":
        taken: list[Machine] = []

        def take(machine: Machine) -> None:
            self._take(machine)
            taken.append(machine)

        first, *others = self._machines
        try:
            take(first)  # whoever has the first host's is the one who may have the others'
            on_each(take, others)
        except BaseException:
            self._leave(taken)
            raise
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        for thread in self._threads:
            thread.join()
        self._leave(self._machines)

    def is_held(self) -> bool:
        """Whether the lock is still ours on every host.

        Raises:
            HostError: a host does not answer, and on all that do it is.
        """
        silent: list[HostError] = []

        def holds(machine: Machine) -> bool:
            try:
                return self._holds(machine)
            except HostError as e:
                silent.append(e)
                return True

        if not all(on_each(holds, self._machines)):
            return False
        if silent:
            raise type(silent[0])(" ".join(str(e) for e in silent))
        return True

    def _text(self) -> str:
        return json.dumps(asdict(self.holder)) + "\n"

    def _take(self, machine: Machine) -> None:
        if self._put(machine):
            return
        holder = living_holder(machine)
        if holder is not None:
            raise Refused(held(machine, holder))
        machine.remove(machine.paths.lock)
        if not self._put(machine):
            raise Refused(held(machine, read(machine)))

    def _put(self, machine: Machine) -> bool:
        """Writes the lock where there is none; whether it is ours now."""
        text = self._text()
        argv = files.write_new(str(machine.paths.lock), len(text.encode()))
        return machine.connection.run(argv, stdin=text).status == 0

    def _holds(self, machine: Machine) -> bool:
        holder = read(machine)
        return holder is not None and holder.run == self.holder.run

    def _leave(self, machines: Sequence[Machine]) -> None:
        """A host that does not answer keeps a lock that nobody renews: it counts no longer soon."""

        def leave(machine: Machine) -> None:
            with suppress(HostError):
                if self._holds(machine):
                    machine.remove(machine.paths.lock)

        on_each(leave, machines)

    def _beat(self, machine: Machine) -> None:
        while not self._done.wait(HEARTBEAT_S):
            self._beat_on(machine)

    def _beat_on(self, machine: Machine) -> None:
        """Touches the lock; a host that misses a beat is found out by the step that needs it."""
        with suppress(HostError):
            if self._holds(machine):
                machine.write(machine.paths.lock, self._text(), "0600")


def read(machine: Machine) -> Holder | None:
    """Who holds the lock of a host; None when nobody does, or when it cannot be told."""
    text = machine.read(machine.paths.lock)
    if text is None:
        return None
    try:
        return Holder(**json.loads(text))
    except (ValueError, TypeError):
        return None


def living_holder(machine: Machine) -> "Holder | Unreadable | None":
    """Who walks on a host now; None when nobody does, or only a walker that is dead.

    Dead is a walker of this machine whose process is gone, and any whose last heartbeat is older
    than `STALE_S`. A lock that cannot be read counts as somebody's until then.
    """
    age_s = machine.connection.run(files.age_s(str(machine.paths.lock)))
    if age_s.status != 0 or abs(int(age_s.out)) >= STALE_S:  # or a clock that was set back
        return None
    holder = read(machine)
    if holder is None:
        return UNREADABLE
    return None if holder.is_dead() else holder


class Unreadable:
    """A lock that somebody has, without saying who."""


UNREADABLE = Unreadable()


def held(machine: Machine, holder: "Holder | Unreadable | None") -> str:
    """The line that names who walks on a host."""
    who = (
        f"{holder.operator} on {holder.machine}, pid {holder.pid}, since {holder.started_at}"
        if isinstance(holder, Holder)
        else "nobody that could be read"
    )
    return (
        f"{machine.host.name}: another release is being walked (got {who}). "
        f"Wait for its end; a dead one counts no longer {STALE_S} s after its last heartbeat."
    )


def this_machine_id() -> str:
    """This machine's id; empty where it has none."""
    try:
        return MACHINE_ID.read_text().strip()
    except OSError:
        return ""
