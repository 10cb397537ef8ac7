"""Runs commands on a host. Knows how, not what: command lines come from `infra.commands`."""

import getpass
import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

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


class Local:
    """This machine, without SSH: commands run as the user that runs `pulumi up`."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self.is_root = os.geteuid() == 0

    def machine_id(self) -> str:
        """This machine's own id."""
        try:
            return MACHINE_ID.read_text().strip()
        except OSError as e:
            msg = (
                f"{self.host.name}: this machine has no id ({e}). "
                "Run `systemd-machine-id-setup`, then try again."
            )
            raise HostError(msg) from e

    def paths(self) -> Paths:
        """Where the stack's things lie here."""
        if self.is_root:
            return Paths(PurePosixPath("/var/lib/bentofleet") / self.host.stack)
        return Paths(self.home() / ".local/share/bentofleet" / self.host.stack)

    def home(self) -> PurePosixPath:
        """The user's home folder."""
        return PurePosixPath(str(Path.home()))

    def has(self, program: str) -> bool:
        """Whether a program is on PATH."""
        return shutil.which(program) is not None

    def operator(self) -> str:
        """Who is running this."""
        return f"{getpass.getuser()}@{os.uname().nodename}"

    def run(
        self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Done:
        """Runs a command to its end, whatever its exit status.

        Raises:
            Unreachable: it did not end in `timeout_s`.
            HostError: there is no such program.
        """
        try:
            done = subprocess.run(
                list(argv),
                input=stdin,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                cwd=tempfile.gettempdir(),  # conmon leaves a file `oom` where it was started
                # Ctrl-C in the terminal reaches the engine and us; a half-run command helps nobody
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            msg = (
                f"{self.host.name}: `{argv[0]} {argv[1] if len(argv) > 1 else ''}` did not end "
                f"(waited {timeout_s:.0f} s). Look whether the container engine answers."
            )
            raise Unreachable(msg) from e
        except FileNotFoundError as e:
            msg = f"{self.host.name}: no such program (got {argv[0]}). Install it."
            raise HostError(msg) from e
        return Done(done.returncode, done.stdout, done.stderr)

    def local_port(self, port: int) -> int:
        """The port on this machine that leads to `port` on the host's loopback."""
        return port


Connection = Local
Opener = Callable[[Host], Connection]


def connect(host: Host) -> Connection:
    """A connection to a host.

    Raises:
        HostError: `connection: local`, but this is not the machine that was prepared.
    """
    local = Local(host)
    if host.machine_id and local.machine_id() != host.machine_id:
        msg = (
            f"{host.name}: `connection: local` means the machine that was prepared "
            f"(got another one, id {local.machine_id()[:8]}…). Run pulumi there."
        )
        raise HostError(msg)
    return local
