"""The audit log: what was done to a stack, when, by whom and from where. Never a secret.

It lies on each host and in reports/<stack>/audit.jsonl, a line of JSON for each event. Free text,
such as what a container printed, has no place in it.
"""

import json
import os
import queue
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from infra.connection import HostError
from infra.connection.base import operator
from infra.provider import record
from infra.provider.console import Console
from infra.provider.machine import Machine

NAME = "audit.jsonl"
MOST_BYTES = 1 << 20
"""At this size a log begins anew; the one before it is kept beside it, as `audit.jsonl.1`."""

CLOSE_S = 5.0
"""So long the hosts' logs are waited for in the end: a host that is silent gets no more time."""

WALK_BEGAN = "walk began"
STEP = "step"
PROMOTED = "promoted"
PUT_BACK = "put back"
WALK_ENDED = "walk ended"
ROLLBACK = "rollback"
PIN = "pin"
UNPIN = "unpin"
UNLOCK = "unlock"
HOURS = "hours overridden"

Value = str | int | float | bool | None | Sequence[str]


def line(stack: str, event: str, now: datetime, facts: Mapping[str, Value]) -> str:
    """One event as it stands in a log; facts that are None are left out."""
    entry = {
        "time": now.isoformat(timespec="milliseconds"),
        "event": event,
        "stack": stack,
        "operator": operator(),
        "machine": os.uname().nodename,
        **{key: value for key, value in facts.items() if value is not None},
    }
    return json.dumps(entry, ensure_ascii=False)


def path(stack: str) -> Path:
    """The log in the repository."""
    return record.REPORTS / stack / NAME


def overridden(machines: Sequence[Machine], stack: str, console: Console) -> None:
    """Writes down that somebody changes a stack outside its hours."""
    with Audit(stack, machines, console) as log:
        log.note(HOURS)


def here(stack: str, event: str, **facts: Value) -> None:
    """Writes down what touches no host."""
    append_here(path(stack), line(stack, event, datetime.now(UTC), facts))


class Audit:
    """Writes events to all hosts and here; used as a context manager.

    Hosts are written to beside the work, each in its own order: the silence of one holds up
    nothing that users wait for.
    """

    def __init__(self, stack: str, machines: Sequence[Machine], console: Console) -> None:
        self._stack = stack
        self._console = console
        self._hosts = [_HostLog(machine) for machine in machines]
        self._why: OSError | None = None

    def __enter__(self) -> "Audit":
        for host in self._hosts:
            host.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        failed = [f"{host.name}: {why}" for host in self._hosts if (why := host.finish())]
        if self._why is not None:
            failed.append(f"{path(self._stack)}: {self._why.strerror}")
        for why in failed:
            self._console.warn(f"audit log: not all of it was written ({why.rstrip('.')}).")

    def note(self, event: str, **facts: Value) -> None:
        """Writes an event down; does not wait for the hosts."""
        text = line(self._stack, event, datetime.now(UTC), facts)
        try:
            append_here(path(self._stack), text)
        except OSError as e:
            self._why = e
        for host in self._hosts:
            host.lines.put(text)


class _HostLog(threading.Thread):
    """Writes one host's lines, until it fails once."""

    def __init__(self, machine: Machine) -> None:
        super().__init__(name=f"audit {machine.host.name}", daemon=True)
        self.lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._machine = machine
        self._why: str | None = None

    def run(self) -> None:
        while (text := self.lines.get()) is not None:
            if self._why is not None:
                continue
            try:
                self._machine.append(self._machine.paths.audit, text, MOST_BYTES)
            except HostError as e:
                self._why = str(e)

    def finish(self) -> str | None:
        """Why something was not written; None: all was."""
        self.lines.put(None)
        self.join(CLOSE_S)
        return "no answer" if self.is_alive() else self._why


def append_here(log: Path, text: str) -> None:
    """Adds a line to a log on this machine."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size >= MOST_BYTES:
        log.replace(log.with_name(f"{log.name}.1"))
    with log.open("a", encoding="utf-8") as file:
        file.write(f"{text}\n")
