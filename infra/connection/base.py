"""What every connection to a host can do, and how one fails."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Protocol

from infra.host import Host, Paths

COMMAND_TIMEOUT_S = 60.0
MACHINE_ID = Path("/etc/machine-id")


class HostError(Exception):
    """A host did not do what it was asked: one line, `where: what is wrong. What to do.`"""


class Unreachable(HostError):
    """A host, or its container engine, does not answer."""


@dataclass(frozen=True)
class Done:
    """What a command left: its exit status and what it printed."""

    status: int
    out: str
    err: str


class Connection(Protocol):
    """One host: commands run there, and ports lead there and back. Safe to use from threads."""

    host: Host

    @property
    def is_root(self) -> bool:
        """Whether commands act as root, by being root or by sudo."""

    def run(
        self,
        argv: Sequence[str],
        stdin: str | bytes = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Done:
        """Runs a command to its end, whatever its exit status; output that is no text is mended.

        Raises:
            Unreachable: it did not end in `timeout_s`, or the host does not answer.
            HostError: there is no such program, or the host lets us do nothing.
        """

    def machine_id(self) -> str:
        """The machine's own id."""

    def paths(self) -> Paths:
        """Where the stack's things lie there."""

    def home(self) -> PurePosixPath:
        """The home folder of the user that commands act as."""

    def has(self, program: str) -> bool:
        """Whether a program is on PATH there."""

    def operator(self) -> str:
        """Who is running this, here."""

    def local_port(self, port: int) -> int:
        """The port on this machine's loopback that leads to `port` on the host's."""

    def reverse_port(self, local_port: int) -> int:
        """The port on the host's loopback that leads to `local_port` on this machine's."""

    def openings(self) -> int:
        """How often it was opened by now: more than before means that it was cut meanwhile."""

    def close(self) -> None:
        """Ends it; the next use opens it again."""


def operator() -> str:
    """Who is running this, on which machine."""
    return f"{getpass.getuser()}@{os.uname().nodename}"


def paths(host: Host, is_root: bool, home: PurePosixPath) -> Paths:
    """Where a stack's things lie on a host: root's and a user's differ."""
    if is_root:
        return Paths(PurePosixPath("/var/lib/bentofleet") / host.stack)
    return Paths(home / ".local/share/bentofleet" / host.stack)


def to_bytes(stdin: str | bytes) -> bytes:
    """What a command reads, as it goes over the line."""
    return stdin.encode() if isinstance(stdin, str) else stdin


def no_end(host: Host, argv: Sequence[str], timeout_s: float) -> str:
    """The line for a command that did not end."""
    return (
        f"{host.name}: `{argv[0]} {argv[1] if len(argv) > 1 else ''}` did not end "
        f"(waited {timeout_s:.0f} s). Look whether the container engine answers."
    )


def no_program(host: Host, argv: Sequence[str]) -> str:
    """The line for a program that is not there."""
    return f"{host.name}: no such program (got {argv[0]}). Install it."


def no_machine_id(host: Host, reason: object) -> str:
    """The line for a machine without an id."""
    return (
        f"{host.name}: this machine has no id ({reason}). "
        "Run `systemd-machine-id-setup`, then try again."
    )
