"""`make unlock`, and before `make up`: the lock that a killed `pulumi` has left on the state.

Reads the locks of a local folder as state; any other backend is left to `pulumi` itself.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from infra import complaints, stack_file
from infra.config import ConfigError
from infra.connection import HostError, Unreachable
from infra.host import Host
from infra.provider import audit
from infra.provider.each import on_each
from infra.provider.lock import STALE_S, held, living_holder
from infra.provider.machine import Machine, open_machine

PROJECT = "bentofleet"
WAIT_S = STALE_S + 15
CANCEL_TIMEOUT_S = 60


class Locked(Exception):
    """The stack cannot be used: one line with who has it or what is in the way, and the cure."""


@dataclass(frozen=True)
class StateLock:
    """A lock file of Pulumi's: who runs it where."""

    pid: int
    user: str
    host: str
    since: str

    def is_dead(self) -> bool:
        """Whether it names this machine and its process is gone."""
        return self.host == os.uname().nodename and not Path(f"/proc/{self.pid}").exists()

    def told(self) -> str:
        """Who holds it, for a message."""
        return f"{self.user} on {self.host}, pid {self.pid}, since {self.since}"


def locks(backend: str, stack: str) -> list[StateLock]:
    """The locks on a stack whose state lies in a local folder; none for any other backend."""
    state = _folder(backend)
    if state is None:
        return []
    folder = state / ".pulumi/locks/organization" / PROJECT / stack
    return [lock for path in sorted(folder.glob("*.json")) if (lock := _read(path)) is not None]


def _read(path: Path) -> StateLock | None:
    """A lock file; None when it went away just now or is no lock."""
    try:
        told = json.loads(path.read_text())
        return StateLock(
            int(told["pid"]), told["username"], told["hostname"], str(told["timestamp"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def refuse_unwritable(backend: str) -> None:
    """Passes when a state that lies in a local folder may be written to, or is no such folder.

    Raises:
        Locked: this user may not write there, as after a run with sudo.
    """
    state = _folder(backend)
    if state is None or not state.exists():
        return
    folders = [state, *(path for path in state.rglob("*") if path.is_dir())]
    for folder in folders:
        if not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            said = "Permission denied"
            raise Locked(
                f"state: {folder} cannot be written to ({said}). "
                f"{complaints.folder_cure(str(state), said)}"
            )


def _folder(backend: str) -> Path | None:
    url = urlsplit(backend)
    return Path(unquote(url.path)) if url.scheme == "file" else None


def clear_dead(
    found: Sequence[StateLock],
    machines: Sequence[Machine],
    cancel: Callable[[], None],
    say: Callable[[str], None],
    wait_s: float = WAIT_S,
) -> None:
    """Clears the locks if their processes died on this machine and no host is being walked.

    A provider that outlived its `pulumi` puts back by itself within its heartbeat: that is waited
    for.

    Raises:
        Locked: a process lives, it is another machine's, or a host is still being walked.
    """
    for lock in found:
        if not lock.is_dead():
            msg = (
                f"state: the stack is locked (got {lock.told()}). Wait for its end, or, if you "
                "know that it is dead, run `make unlock`."
            )
            raise Locked(msg)
    end = time.monotonic() + wait_s
    for machine in machines:
        while (holder := living_holder(machine)) is not None:
            if time.monotonic() >= end:
                raise Locked(held(machine, holder))
            say(f"{machine.host.name}: waiting for the walk of a killed run to put back")
            time.sleep(min(2.0, wait_s))
    cancel()
    say(f"state: the lock of a dead run was cleared ({'; '.join(k.told() for k in found)})")


def main() -> int:
    """Clears what may be cleared; exit 1 with one line when the stack is somebody else's."""
    parser = argparse.ArgumentParser(prog="python -m infra.unlock", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--if-dead", action="store_true", help="only the lock of a dead run")
    args = parser.parse_args()
    backend = os.environ.get("PULUMI_BACKEND_URL", "")
    found = locks(backend, args.stack)
    try:
        refuse_unwritable(backend)
        if not args.if_dead:
            _cancel(args.stack)
            audit.here(args.stack, audit.UNLOCK)
            _say(f"state: unlocked ({'; '.join(k.told() for k in found) or 'no lock was found'})")
        elif found:
            _, hosts = stack_file.hosts(args.stack)
            machines = on_each(_opened, hosts)
            there = [machine for machine in machines if machine is not None]
            clear_dead(found, there, lambda: _cancel(args.stack), _say)
            audit.here(args.stack, audit.UNLOCK, dead=[lock.told() for lock in found])
    except (Locked, ConfigError, HostError) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


def _opened(host: Host) -> Machine | None:
    """The host's machine; None where it does not answer, and so shows no heartbeat."""
    try:
        return open_machine(host)
    except Unreachable as e:
        _say(f"{e} Nobody looked whether it is being walked.")
        return None


def _cancel(stack: str) -> None:
    argv = ["pulumi", "cancel", "--yes", "--stack", stack, "--non-interactive"]
    try:
        done = subprocess.run(
            argv,
            capture_output=True,
            text=True,
            cwd=stack_file.ROOT,
            timeout=CANCEL_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as e:
        msg = "pulumi: is not on PATH. Run `make setup`."
        raise Locked(msg) from e
    except subprocess.TimeoutExpired as e:
        raise Locked(_not_cancelled(f"no answer in {CANCEL_TIMEOUT_S} s")) from e
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or ["no message"]
        raise Locked(_not_cancelled(lines[-1]))


def _not_cancelled(reason: str) -> str:
    return (
        f"state: `pulumi cancel` failed ({reason}). Check that PULUMI_BACKEND_URL in .env "
        "answers, then run `make unlock`."
    )


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")


if __name__ == "__main__":
    sys.exit(main())
