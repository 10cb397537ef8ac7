"""Which TCP ports are taken on a host, read from Linux's own tables."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from infra.commands.containers import NUMBER_LABEL, SLOT_LABEL, Running
from infra.config_edge import PORTS
from infra.host import SLOTS, Ports

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"
LOOPBACK = "127.0.0.1"
COUNT = PORTS
"""Loopback ports of a stack on a host."""

Address = IPv4Address | IPv6Address
Socket = tuple[Address, int]


def tables() -> list[str]:
    """Prints the tables of TCP sockets; a host without IPv6 has only one."""
    return ["sh", "-c", f"cat {' '.join(TABLES)} 2>/dev/null || true"]


def listening(text: str) -> set[int]:
    """Ports that something listens on, at whatever address, from what `tables` printed."""
    return {port for _, port in sockets(text)}


def sockets(text: str) -> set[Socket]:
    """Addresses and ports that something listens on, from what `tables` printed.

    Source: Linux Documentation/networking/proc_net_tcp.rst: second word is the local address and
    port in hex, fourth the state, 0A meaning LISTEN.
    """
    found = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == LISTENING:
            address, _, port = words[1].rpartition(":")
            found.add((_address(address), int(port, 16)))
    return found


def _address(text: str) -> Address:
    """An address as the kernel prints it: words of 32 bits, each with its bytes turned round."""
    words = [bytes.fromhex(text[at : at + 8])[::-1] for at in range(0, len(text), 8)]
    address = ip_address(b"".join(words))
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def taken(found: Iterable[Socket], address: str, ports: Iterable[int]) -> set[int]:
    """Which of `ports` cannot be listened on at `address`.

    A socket on all addresses is in the way of every other, and the other way round.
    """
    at, wanted = ip_address(address), set(ports)
    return {
        port
        for other, port in found
        if port in wanted and (other == at or other.is_unspecified or at.is_unspecified)
    }


def of_containers(there: Iterable[Running], ports: Ports) -> set[int]:
    """The loopback ports that a stack's own containers hold."""
    held: set[int] = set()
    for container in there:
        slot, number = (container.labels.get(label, "") for label in (SLOT_LABEL, NUMBER_LABEL))
        if slot in SLOTS and number.isdigit():
            held |= {ports.replica(slot, int(number)), ports.metrics(slot, int(number))}
    return held
