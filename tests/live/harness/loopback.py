"""Whole hosts on loopback addresses: own network, files, users, container store and sshd.

Each lies in name spaces of its own. It has a machine id, a user `deploy`, sudo rules, the stack's
folder, and all that a container engine keeps. On a `Network` it has a card, and is reached from
here and by the others at its address; else its network is only itself, and this machine's loopback
leads to its sshd alone.
"""

import os
import shutil
import signal
import socket
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.network import Network, listen_in
from harness.sshd import Sshd, send_signal, why_no_sshd

ROOT = Path(__file__).resolve().parents[3]
USER = "deploy"
"""A user of the host who is not root."""

STACKS = Path("/var/lib/bentofleet")
"""Over which each host puts a folder of its own. Removing it here, as the last stack does, would
take it from them too: a hidden folder in it keeps it."""

_UID = 20001
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
        self,
        name: str,
        address: str = "",
        base: Path | None = None,
        port: int | None = None,
        *,
        network: Network | None = None,
        number: int = 0,
    ) -> None:
        """Makes the host's files and name spaces, and starts its sshd.

        Args:
            address: of this machine's loopback; without meaning on a network.
            base: where its folder lies; what a run that was killed has left there is ended.
            port: of its sshd; None: one that is free.
            number: on the network.
        """
        self.name = name
        self.address = network.address(number) if network else address
        self.network = network
        self.number = number
        self.folder = (base or ROOT / "build/loopback") / name
        self._pid_file = self.folder.with_suffix(".pid")
        self._guard = STACKS / f".{self.folder.parent.name}-{name}"
        self._sweep()
        self._write_files()
        self._boot()
        self.sshd = Sshd(
            self.folder / "sshd",
            self.address,
            port=22 if network else port,
            inside=self.inside,
            listen=self._listen,
        )
        self.sshd.start()

    def _boot(self) -> None:
        self._holder = subprocess.Popen(
            ["unshare", *_SPACES, "sh", f"{self.folder}/setup", str(self.folder), self.name],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._pid_file.write_text(str(self._holder.pid))
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", f"{self.name}: it could not be made"
        if self.network:
            self.network.join(self.number, self._holder.pid)

    @property
    def inside(self) -> tuple[str, ...]:
        """Command line that starts a program in its name spaces."""
        return ("nsenter", *_SPACES, "--target", str(self._holder.pid))

    def _listen(self, address: str, port: int) -> socket.socket:
        if self.network:
            return listen_in(self._holder.pid, address, port)
        return socket.create_server((address, port), backlog=64)

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

    def die(self) -> None:
        """Its sshd ends, as if the line to it were gone; what runs on it goes on in the dark."""
        self.sshd.stop()

    def wake(self) -> None:
        """Its sshd is back."""
        self.sshd.start()

    def unplug(self) -> None:
        """From now on nothing comes from it or gets to it, and nobody is told."""
        assert self.network
        self.network.unplug(self.number)

    def plug(self) -> None:
        """Its network is back."""
        assert self.network
        self.network.plug(self.number)

    def power_off(self) -> None:
        """Everything that runs on it ends at once, and its network with it; its disk stays."""
        self.sshd.stop()
        self._kill()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def power_on(self) -> None:
        """It boots: what lay in memory is gone, and each stack's start unit has run."""
        for name in ("run", "libpod", "netns"):
            shutil.rmtree(self.folder / name)
            (self.folder / name).mkdir()
        self._boot()
        self.sshd.move_into(self.inside)
        self.sshd.start()
        for script in (self.folder / "lib").glob("*/start"):
            self.run("sh", str(STACKS / script.parent.name / "start"))

    def close(self) -> None:
        """Ends everything on it and removes it."""
        self.sshd.stop()
        if shutil.which("podman"):
            self.run("podman", "rm", "--all", "--force", "--time", "0", check=False)
        self._sweep()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _kill(self) -> None:
        if self._pid_file.exists():
            pid = int(self._pid_file.read_text())
            for member in _in_space_of(pid):
                send_signal(member, signal.SIGKILL)
            self._pid_file.unlink()

    def _sweep(self) -> None:
        self._kill()
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


def _in_space_of(pid: int) -> list[int]:
    """Every process with the mounts or the network of one, itself too; none when it has this
    machine's: its number was given away since. What runs in a container has mounts of its own."""
    spaces = _spaces(pid)
    if not spaces or spaces & _spaces(os.getpid()):
        return []
    numbers = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return [number for number in numbers if _spaces(number) & spaces]


def _spaces(pid: int) -> set[str]:
    try:
        return {str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in ("mnt", "net")}
    except OSError:
        return set()
