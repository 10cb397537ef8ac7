"""A host over SSH: one connection for all that this process does there."""

from collections.abc import Coroutine, Sequence
from pathlib import PurePosixPath
from typing import Any, TypeVar

from infra.commands import remote
from infra.connection import base, line
from infra.connection.base import COMMAND_TIMEOUT_S, Done, HostError, Unreachable
from infra.connection.refusals import Door, KeptOut, Silent
from infra.host import Host, Paths

T = TypeVar("T")


class Ssh:
    """A host over SSH: commands run as its user, or as root where `sudo` says so."""

    def __init__(self, host: Host) -> None:
        self.host = host
        self._line = line.to(door(host))
        self._facts: remote.Facts | None = None

    def opened(self) -> "Ssh":
        """Itself, after we were let in and may do what the host's entry says.

        Raises:
            HostError: we are not let in, or sudo does not let us.
            Unreachable: the host does not answer.
        """
        self._known()
        return self

    @property
    def is_root(self) -> bool:
        """Whether commands act as root."""
        return self._known().is_root

    def machine_id(self) -> str:
        """The machine's own id."""
        found = self._known().machine_id
        if not found:
            raise HostError(base.no_machine_id(self.host, "/etc/machine-id is empty"))
        return found

    def paths(self) -> Paths:
        """Where the stack's things lie there."""
        return base.paths(self.host, self.is_root, self.home())

    def home(self) -> PurePosixPath:
        """The home folder of the user that commands act as."""
        return self._known().home

    def has(self, program: str) -> bool:
        """Whether a program is on PATH there."""
        return self.run(remote.has(program)).status == 0

    def operator(self) -> str:
        """Who is running this, here."""
        return base.operator()

    def run(
        self,
        argv: Sequence[str],
        stdin: str | bytes = "",
        timeout_s: float = COMMAND_TIMEOUT_S,
    ) -> Done:
        """Runs a command to its end, whatever its exit status.

        Raises:
            Unreachable: it did not end in `timeout_s`, the line was cut meanwhile, or the host
                does not answer.
            HostError: there is no such program, or the host lets us do nothing.
        """
        command = remote.line(argv, self.host.sudo, timeout_s)
        try:
            left = self._wait(self._line.run(command, base.to_bytes(stdin), timeout_s))
        except TimeoutError as e:
            raise Unreachable(base.no_end(self.host, argv, timeout_s)) from e
        except line.Cut as e:
            msg = (
                f"{self.host.name}: the line was cut while `{argv[0]}` ran ({e}). "
                "Run the same command again: it goes on from what is there."
            )
            raise Unreachable(msg) from e
        done = Done(left.status, _text(left.out), _text(left.err))
        if remote.is_missing(argv[0], done.status, done.err):
            raise HostError(base.no_program(self.host, argv))
        return done

    def local_port(self, port: int) -> int:
        """The port on this machine's loopback that leads to `port` on the host's."""
        return self._wait(self._line.local_port(port))

    def reverse_port(self, local_port: int) -> int:
        """The port on the host's loopback that leads to `local_port` on this machine's."""
        return self._wait(self._line.reverse_port(local_port))

    def openings(self) -> int:
        """How often the connection was opened by now."""
        return self._line.opened

    def close(self) -> None:
        """Ends the connection, for everybody in this process; the next use opens it again."""
        self._wait(self._line.close())

    def _known(self) -> remote.Facts:
        if self._facts is None:
            done = self.run(remote.facts())
            try:
                self._facts = remote.parse_facts(done.out if done.status == 0 else "")
            except ValueError as e:
                raise HostError(self._no_facts(done)) from e
        return self._facts

    def _no_facts(self, done: Done) -> str:
        name, user = self.host.name, self.host.user
        lines = (done.err.strip() or done.out.strip()).splitlines()
        said = lines[-1][:200] if lines else "no message"
        if self.host.sudo:
            return (
                f"{name}: {user} may not use sudo without a password ({said}). Add the line "
                f"`{user} ALL=(ALL) NOPASSWD: ALL` with `sudo visudo`, or write `sudo: false`."
            )
        return (
            f"{name}: {user} cannot run commands ({said}). "
            "Give this user a login shell that prints nothing by itself."
        )

    def _wait(self, work: Coroutine[Any, Any, T]) -> T:
        """Does the line's work; what keeps us out gets the host's name."""
        try:
            return line.wait(work)
        except Silent as e:
            raise Unreachable(f"{self.host.name}: {e}") from e
        except KeptOut as e:
            raise HostError(f"{self.host.name}: {e}") from e
        except line.Forbidden as e:
            msg = (
                f"{self.host.name}: its sshd does not allow that ({e}). Set "
                "`AllowTcpForwarding yes` and `MaxSessions 10` in its sshd_config."
            )
            raise HostError(msg) from e


def door(host: Host) -> Door:
    """Where the host is entered and as whom."""
    jump = host.jump
    via = None
    if jump is not None:
        via = Door(
            address=jump.address,
            port=jump.port,
            user=jump.user,
            key=jump.key or host.key,
            host_key=jump.host_key,
            connect_timeout_s=host.connect_timeout_s,
            boot_timeout_s=host.boot_timeout_s,
        )
    return Door(
        address=host.address,
        port=host.port,
        user=host.user,
        key=host.key,
        host_key=host.host_key,
        connect_timeout_s=host.connect_timeout_s,
        boot_timeout_s=host.boot_timeout_s,
        via=via,
    )


def _text(output: bytes) -> str:
    return output.decode(errors="replace")
