"""A network of the tests' own: hosts in name spaces, and this machine, on one Ethernet segment.

Its switch lies in a network name space of its own, so that no rule or setting of this machine
touches it, and all of it goes with that name space. The addresses are of 198.18.0.0/15, which is
kept for tests and never routed (RFC 2544).
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

from harness.sshd import send_signal

ROOT = Path(__file__).resolve().parents[3]
BASE = ROOT / "build/loopback"
HERE, MOST = 1, 250
"""This machine's number in each network, and the highest that a host can have."""

_CLONE_NEWNET = 0x40000000
_SETUP = """\
set -eu
ip link set lo up
ip link add switch type bridge
ip link set switch up
echo ready
exec sleep infinity
"""


def why_no_network() -> str | None:
    """Why no network can be made here; None: one can."""
    if os.geteuid() != 0:
        return "networks with name spaces of their own are made by root only"
    if not all(map(shutil.which, ("unshare", "nsenter", "ip"))):
        return "there is no unshare, nsenter or ip. Install util-linux and iproute2."
    tried = "ip link add switch type bridge && ip link add one type veth peer name two"
    argv = ["unshare", "--net", "sh", "-c", tried]
    done = subprocess.run(argv, capture_output=True, check=False)
    return "this machine lets nobody make bridges and veth pairs" if done.returncode else None


class Network:
    """A segment with this machine on it; hosts are plugged in and out."""

    def __init__(self, number: int) -> None:
        """Makes it; one of the same number, left by a run that was killed, is ended before.

        Args:
            number: 0 to 255; no two networks that are there at a time share one.
        """
        self.number = number
        self.here = self.address(HERE)
        self._pid_file = BASE / f"network-{number}.pid"
        self._card = f"bentofleet{number}"
        self._ports: dict[int, str] = {}
        self._sweep()
        BASE.mkdir(parents=True, exist_ok=True)
        self._holder = subprocess.Popen(
            ["unshare", "--net", "sh", "-c", _SETUP],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        self._pid_file.write_text(str(self._holder.pid))
        assert self._holder.stdout is not None
        assert self._holder.stdout.readline() == b"ready\n", "no switch could be made"
        self._plug_in(HERE, "here", self._card)
        _ip("address", "add", f"{self.here}/24", "dev", self._card)
        _ip("link", "set", self._card, "up")

    def address(self, number: int) -> str:
        """The address of a host, by its number here."""
        return f"198.18.{self.number}.{number}"

    def join(self, number: int, pid: int) -> None:
        """Plugs the name space of a process in; its card is called eth0."""
        inside = ("nsenter", "--net", "--target", str(pid))
        self._plug_in(number, f"host{number}", "eth0", "netns", str(pid))
        _ip("address", "add", f"{self.address(number)}/24", "dev", "eth0", inside=inside)
        _ip("link", "set", "eth0", "up", inside=inside)

    def _plug_in(self, number: int, port: str, card: str, *where: str) -> None:
        """A cable from a port of the switch to a card with a hardware address that stays."""
        hardware = f"02:00:c6:12:{self.number:02x}:{number:02x}"
        cable = ("type", "veth", "peer", "name", port, "netns", str(self._holder.pid))
        _ip("link", "add", card, "address", hardware, *where, *cable)
        inside = self._inside()
        _ip("link", "set", port, "master", "switch", inside=inside)
        _ip("link", "set", port, "up", inside=inside)
        self._ports[number] = port

    def unplug(self, number: int) -> None:
        """From now on what is sent to a host, or by it, is lost without a word."""
        _ip("link", "set", self._ports[number], "down", inside=self._inside())

    def plug(self, number: int) -> None:
        """Its cable is in again."""
        _ip("link", "set", self._ports[number], "up", inside=self._inside())

    def close(self) -> None:
        """Ends it, and every card on it."""
        self._sweep()
        self._holder.wait()
        assert self._holder.stdout is not None
        self._holder.stdout.close()

    def _inside(self) -> tuple[str, ...]:
        return ("nsenter", "--net", "--target", str(self._holder.pid))

    def _sweep(self) -> None:
        if self._pid_file.exists():
            pid = int(self._pid_file.read_text())
            if _command(pid) == ["sleep", "infinity"]:  # else its number was given away since
                send_signal(pid, signal.SIGKILL)
            self._pid_file.unlink()
        # it would go with the switch, but a little later
        subprocess.run(["ip", "link", "delete", self._card], capture_output=True, check=False)


def listen_in(pid: int, address: str, port: int) -> socket.socket:
    """A socket that listens in the network of a process, for whoever runs here to take from."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        try:
            _enter_network_of(pid)
            made.append(socket.create_server((address, port), backlog=64))
        except OSError as e:
            made.append(e)

    thread = threading.Thread(target=make)  # the thread stays in that network: it ends at once
    thread.start()
    thread.join()
    (found,) = made
    if isinstance(found, OSError):
        raise found
    return found


def _enter_network_of(pid: int) -> None:
    """Moves the calling thread, and no other, into the network of a process."""
    libc = ctypes.CDLL(None, use_errno=True)
    with Path(f"/proc/{pid}/ns/net").open() as space:
        if libc.setns(space.fileno(), _CLONE_NEWNET) != 0:
            raise OSError(ctypes.get_errno(), "setns")


def _ip(*words: str, inside: tuple[str, ...] = ()) -> None:
    done = subprocess.run([*inside, "ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"ip {' '.join(words)}: {done.stderr.strip()}"


def _command(pid: int) -> list[str]:
    with suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")[:-1]
    return []
