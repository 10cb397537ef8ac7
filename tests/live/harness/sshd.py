"""An sshd of the tests' own on a loopback address; `harness.loopback` makes a whole host of one.

The tests listen, and hand each connection to a new `sshd -i`. So one port of this machine leads
into name spaces where another network lies, and a test can cut, freeze and end what it wants.
"""

import getpass
import os
import shlex
import shutil
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")

_CONFIG = """\
HostKey {folder}/host_key
PidFile none
AuthorizedKeysFile {folder}/authorized_keys
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PermitRootLogin prohibit-password
LogLevel VERBOSE
{more}
"""


def why_no_sshd() -> str | None:
    """Why no server can be started here; None: one can."""
    if SSHD is None:
        return "there is no sshd. Install openssh-server and the tests over SSH run."
    return None


class Sshd:
    """An sshd on an address of its own; `folder` gets its keys and its log."""

    def __init__(
        self,
        folder: Path,
        address: str = "127.0.0.2",
        *,
        port: int | None = None,
        inside: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        listen: Callable[[str, int], socket.socket] | None = None,
    ) -> None:
        """Makes the keys; nothing listens yet.

        Args:
            inside: command line that starts a program in the host's name spaces.
            listen: gives a socket that listens at an address and port; None: one of this machine.
            port: where it listens; None: at a port that is free now.
            env: what every session there has in its environment.
        """
        self.folder = folder
        self.address = address
        self.port = port or _free_port(address)
        self.log = folder / "sshd.log"
        self.key = folder / "client_key"
        self._inside = tuple(inside)
        self._listen = listen or _listen_here
        # bash would read the .bashrc of whoever runs the tests, unless the host has its own users
        usual = {} if inside else {"HOME": str(folder)}
        self._env = {**usual, **(env or {})}
        self._listener: socket.socket | None = None
        self._servers: list[subprocess.Popen[bytes]] = []
        self._taking = threading.Event()
        folder.mkdir(parents=True, exist_ok=True)
        new_key(self.key)
        self.allow(self.key)
        self.new_host_key()

    # -- what it is -----------------------------------------------------------------------------

    @property
    def host_key(self) -> str:
        """Its public host key, as it is pinned."""
        return " ".join((self.folder / "host_key.pub").read_text().split()[:2])

    def new_host_key(self, kind: str = "ed25519") -> None:
        """Makes another host key: the next connection meets it."""
        new_key(self.folder / "host_key", kind)

    def allow(self, *keys: Path) -> None:
        """Lets in who has one of these keys, and nobody else."""
        lines = [key.with_name(f"{key.name}.pub").read_text() for key in keys]
        (self.folder / "authorized_keys").write_text("".join(lines))

    def fields(self, **changes: Any) -> dict[str, Any]:
        """The host's entry in a stack's file, as far as SSH goes."""
        return {
            "address": self.address,
            "connection": "ssh",
            "user": getpass.getuser(),
            "port": self.port,
            "key": str(self.key),
            "host_key": self.host_key,
            "connect_timeout_s": 3,
            "boot_timeout_s": 1,
            **changes,
        }

    @property
    def logins(self) -> int:
        """How often somebody was let in."""
        return self.log.read_text(errors="replace").count("Accepted publickey")

    # -- what becomes of it ---------------------------------------------------------------------

    def start(self, config: str = "") -> None:
        """Listens from now on, with more lines of sshd_config."""
        pairs = " ".join(f"{name}={shlex.quote(value)}" for name, value in self._env.items())
        more = "\n".join([config, f"SetEnv {pairs}" if pairs else ""])
        path = self.folder / "sshd_config"
        path.write_text(_CONFIG.format(folder=self.folder, more=more))
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # where it locks itself in before the log-in
        self.log.touch()
        self._listener = self._listen(self.address, self.port)
        self._taking.set()
        threading.Thread(target=self._take, args=[self._listener], daemon=True).start()

    def _take(self, listener: socket.socket) -> None:
        assert SSHD is not None
        config = str(self.folder / "sshd_config")
        with suppress(OSError), self.log.open("ab") as log:  # it ends when it listens no more
            while True:
                line, _ = listener.accept()
                with line:
                    self._taking.wait()
                    server = subprocess.Popen(
                        [*self._inside, SSHD, "-i", "-e", "-f", config],
                        stdin=line,
                        stdout=line,
                        stderr=log,
                        start_new_session=True,
                    )
                self._servers.append(server)

    def move_into(self, inside: Sequence[str]) -> None:
        """From now on programs are started by another command line: the host has booted anew."""
        self._inside = tuple(inside)

    def sessions(self) -> list[int]:
        """The processes that serve its lines; what they started is not among them."""
        for server in self._servers:
            server.poll()
        heads = [server.pid for server in self._servers if server.returncode is None]
        below = [pid for head in heads for pid in descendants(head)]
        return [pid for pid in [*heads, *below] if _name(pid).startswith("sshd")]

    def cut(self) -> None:
        """Cuts every line without a word; new ones are taken."""
        for pid in self.sessions():
            send_signal(pid, signal.SIGKILL)

    def freeze(self) -> None:
        """From now on it is silent: the kernel takes connections, and nobody speaks."""
        self._taking.clear()
        for pid in self.sessions():
            send_signal(pid, signal.SIGSTOP)

    def stop(self) -> None:
        """Ends it and every line; its address refuses connections then."""
        if self._listener is not None:
            with suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for more
            self._listener.close()
            self._listener = None
            self._taking.set()
        self.cut()
        for server in self._servers:
            server.wait()
        self._servers.clear()


def new_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    """Makes a key pair, in place of the one that may be there."""
    for old in (path, path.with_name(f"{path.name}.pub")):
        old.unlink(missing_ok=True)
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)]
    subprocess.run(argv, check=True)


def descendants(pid: int) -> list[int]:
    """Every process below one."""
    children: dict[int, list[int]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended since the folder was read
            parent = int(path.read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(path.parent.name))
    found, todo = [], [pid]
    while todo:
        below = children.get(todo.pop(), [])
        found += below
        todo += below
    return found


def send_signal(pid: int, number: int) -> None:
    """Sends a signal to a process, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def _listen_here(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=64)


def _free_port(address: str) -> int:
    with socket.create_server((address, 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""
