"""Whole hosts on loopback addresses: own network, files, users, container store and sshd.

Each lies in name spaces of its own. It has a machine id, a user `deploy`, sudo rules, the stack's
folder, and all that a container engine keeps; its network is only itself. From here it is reached
at its address: the port of its sshd, and those that `lead` names.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import threading
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.sshd import Sshd, send_signal, why_no_sshd

ROOT = Path(__file__).resolve().parents[3]
USER = "deploy"
"""A user of the host who is not root."""

STACKS = Path("/var/lib/bentofleet")
"""Over which each host puts a folder of its own. Removing it here, as the last stack does, would
take it from them too: a hidden folder in it keeps it."""

_UID = 20001
_CLONE_NEWNET = 0x40000000
_SPACES = ("--mount", "--uts", "--net")

_SETUP = """\
#!/bin/sh
# In new name spaces: puts the host's own files over this machine's.
set -eu
folder=$1 name=$2
hostname "$name"
mkdir -p /var/lib/bentofleet /var/lib/containers /run/containers /run/libpod /run/netns \\
    /etc/containers
mount --make-rprivate /
over() { mount --bind "$folder/$1" "$2"; }
over machine-id /etc/machine-id
over passwd /etc/passwd
over shadow /etc/shadow
over lib /var/lib/bentofleet
over storage /var/lib/containers
over run /run/containers
over libpod /run/libpod
over netns /run/netns
over containers /etc/containers
if [ -d /etc/sudoers.d ]; then over sudoers.d /etc/sudoers.d; fi
mount -t tmpfs tmpfs /dev/shm
ip link set lo up
echo ready
exec sleep infinity
"""
"""Podman counts its locks in /dev/shm: two stores that shared it would take each other's."""


def why_no_host() -> str | None:
    """Why no host can be made here; None: one can."""
    if missing := why_no_sshd():
        return missing
    if os.geteuid() != 0:
        return "hosts with name spaces of their own are made by root only"
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return "there is no unshare, nsenter or ip. Install util-linux and iproute2."
    argv = ["unshare", *_SPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    done = subprocess.run(argv, capture_output=True, check=False)
    return "this machine lets nobody make name spaces" if done.returncode else None


class LoopbackHost:
    """A host of its own on a loopback address."""

    def __init__(
        self, name: str, address: str, base: Path | None = None, port: int | None = None
    ) -> None:
        """Makes the host's files and name spaces, and starts its sshd.

        Args:
            port: of its sshd; None: one that is free.
            base: where its folder lies; what a run that was killed has left there is ended.
        """
        self.name = name
        self.address = address
        self.folder = (base or ROOT / "build/loopback") / name
        self._pid_file = self.folder.with_suffix(".pid")
        self._relays: list[socket.socket] = []
        self._guard = STACKS / f".{name}"
        self._sweep()
        self._write_files()
        self._holder = subprocess.Popen(
            ["unshare", *_SPACES, "sh", f"{self.folder}/setup", str(self.folder), name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._pid_file.write_text(str(self._holder.pid))
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"{name}: it could not be made"
        self.inside = ("nsenter", *_SPACES, "--target", str(self._holder.pid))
        self.sshd = Sshd(self.folder / "sshd", address, port=port, inside=self.inside)
        self.sshd.start()

    @property
    def machine_id(self) -> str:
        """What stands in its /etc/machine-id."""
        return (self.folder / "machine-id").read_text().strip()

    def entry(self, **changes: Any) -> dict[str, Any]:
        """Its entry in a stack's file."""
        return {"name": self.name, **self.sshd.fields(), **changes}

    def run(self, *argv: str, check: bool = True) -> str:
        """Runs a command on the host without SSH, as root; what it printed."""
        environ = {**os.environ, "HOME": str(self.folder / "root")}
        done = subprocess.run(
            [*self.inside, *argv], capture_output=True, text=True, env=environ, check=False
        )
        assert done.returncode == 0 or not check, done.stdout + done.stderr
        return done.stdout

    def on_disk(self, path: str) -> Path:
        """Where a file below /var/lib/bentofleet of the host really lies."""
        return self.folder / "lib" / Path(path).relative_to(STACKS)

    def allow_sudo(self, is_allowed: bool) -> None:
        """Whether the user `deploy` may do everything without a password."""
        rule = self.folder / "sudoers.d" / USER
        rule.unlink(missing_ok=True)
        if is_allowed:
            rule.write_text(f"{USER} ALL=(ALL) NOPASSWD: ALL\n")
            rule.chmod(0o440)

    def lead(self, port: int) -> None:
        """From now on the port is reached at the host's address from here, as clients reach it."""
        listener = socket.create_server((self.address, port), backlog=128)
        self._relays.append(listener)
        threading.Thread(target=self._relay, args=[listener, port], daemon=True).start()

    def _relay(self, listener: socket.socket, port: int) -> None:
        with suppress(OSError):  # it ends when it listens no more
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self._carry, args=[client, port], daemon=True).start()

    def _carry(self, client: socket.socket, port: int) -> None:
        """Carries one connection; its thread moves into the host's network."""
        with client, suppress(OSError):
            _enter_network_of(self._holder.pid)
            with socket.create_connection(("127.0.0.1", port), timeout=5) as there:
                there.settimeout(None)
                back = threading.Thread(target=_pour, args=[there, client], daemon=True)
                back.start()
                _pour(client, there)
                back.join()

    def die(self) -> None:
        """Its sshd ends, as if the line to it were gone; what runs on it goes on in the dark."""
        self.sshd.stop()

    def wake(self) -> None:
        """Its sshd is back."""
        self.sshd.start()

    def close(self) -> None:
        """Ends everything on it and removes it."""
        self.sshd.stop()
        for listener in self._relays:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        if shutil.which("podman"):
            self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
        self._sweep()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _sweep(self) -> None:
        if self._pid_file.exists():
            pid = int(self._pid_file.read_text())
            for member in _in_space_of(pid):
                send_signal(member, signal.SIGKILL)
            self._pid_file.unlink()
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):  # there was none, or other stacks are still there
            self._guard.rmdir()
            STACKS.rmdir()

    def _write_files(self) -> None:
        folder = self.folder
        self._guard.mkdir(parents=True, exist_ok=True)
        for name in ("lib", "storage", "run", "libpod", "netns", "sudoers.d", "home", "root"):
            (folder / name).mkdir(parents=True)
        _write_engine_settings(folder / "containers")
        (folder / "machine-id").write_text(os.urandom(16).hex() + "\n")
        (folder / "setup").write_text(_SETUP)
        home = folder / "home"
        os.chown(home, _UID, _UID)
        user = f"{USER}:x:{_UID}:{_UID}::{home}:/bin/sh\n"
        # root's own settings are this machine's; bash would read them before each command
        usual = Path("/etc/passwd").read_text().splitlines(keepends=True)
        others = [line for line in usual if not line.startswith("root:")]
        root = f"root:x:0:0::{folder}/root:/bin/sh\n"
        (folder / "passwd").write_text("".join([root, *others, user]))
        secret = f"{USER}:*:20000:0:99999:7:::\n"
        (folder / "shadow").touch(0o600)
        (folder / "shadow").write_text(Path("/etc/shadow").read_text() + secret)


def _write_engine_settings(folder: Path) -> None:
    """This machine's own, and what the engine needs where there is no systemd: for sudo, too."""
    usual = Path("/etc/containers")
    if usual.is_dir():
        shutil.copytree(usual, folder)
    folder.mkdir(exist_ok=True)
    given = os.environ.get("CONTAINERS_CONF")  # set-up's (`tools/setup/containers.sh`)
    if given and Path(given).exists():
        shutil.copy(given, folder / "containers.conf")


def _enter_network_of(pid: int) -> None:
    """Moves the calling thread, and no other, into the network of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as space:
        if libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _pour(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            target.sendall(chunk)
    with suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _in_space_of(pid: int) -> list[int]:
    """Every process with the mounts of one, itself too; none when those are this machine's."""
    space = _mounts(pid)
    if space is None or space == _mounts(os.getpid()):  # its number was given away since
        return []
    numbers = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [number for number in numbers if _mounts(number) == space]


def _mounts(pid: int) -> str | None:
    try:
        return str(Path(f"/proc/{pid}/ns/mnt").readlink())
    except OSError:
        return None
