"""This machine as a host, without SSH."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from infra.connection import base
from infra.connection.base import COMMAND_TIMEOUT_S, MACHINE_ID, Done, HostError, Unreachable
from infra.host import Host, Paths


class Local:
    """This machine, without SSH: commands run as the user that runs `pulumi up`."""

    def __init__(self, host: Host) -> None:
        self.host = host

    @property
    def is_root(self) -> bool:
        """Whether that user is root."""
        return os.geteuid() == 0

    def machine_id(self) -> str:
        """This machine's own id."""
        try:
            return MACHINE_ID.read_text().strip()
        except OSError as e:
            raise HostError(base.no_machine_id(self.host, e)) from e

    def paths(self) -> Paths:
        """Where the stack's things lie here."""
        return base.paths(self.host, self.is_root, self.home())

    def home(self) -> PurePosixPath:
        """The user's home folder."""
        return PurePosixPath(str(Path.home()))

    def has(self, program: str) -> bool:
        """Whether a program is on PATH."""
        return shutil.which(program) is not None

    def operator(self) -> str:
        """Who is running this."""
        return base.operator()

    def run(
        self,
        argv: Sequence[str],
        stdin: str | bytes = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Done:
        """Runs a command to its end, whatever its exit status.

        Raises:
            Unreachable: it did not end in `timeout_s`.
            HostError: there is no such program.
        """
        try:
            done = subprocess.run(
                list(argv),
                input=base.to_bytes(stdin),
                capture_output=True,
                timeout=timeout_s,
                cwd=tempfile.gettempdir(),  # conmon leaves a file `oom` where it was started
                # Ctrl-C in the terminal reaches the engine and us; a half-run command helps nobody
                start_new_session=True,
                check=False,
            )
        except subprocess.TimeoutExpired as e:
            raise Unreachable(base.no_end(self.host, argv, timeout_s)) from e
        except FileNotFoundError as e:
            raise HostError(base.no_program(self.host, argv)) from e
        out, err = done.stdout.decode(errors="replace"), done.stderr.decode(errors="replace")
        return Done(done.returncode, out, err)

    def local_port(self, port: int) -> int:
        """The port itself: the host's loopback is ours."""
        return port

    def reverse_port(self, local_port: int) -> int:
        """The port itself."""
        return local_port

    def openings(self) -> int:
        """Never: nothing lies in between that could be cut."""
        return 0

    def close(self) -> None:
        """Nothing is open."""
