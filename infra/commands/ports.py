"""Which TCP ports are taken on a host, read from Linux's own tables."""

TABLES = ("/proc/net/tcp", "/proc/net/tcp6")
LISTENING = "0A"


def tables() -> list[str]:
    """Prints the tables of TCP sockets; a host without IPv6 has only one."""
    return ["sh", "-c", f"cat {' '.join(TABLES)} 2>/dev/null || true"]


def listening(text: str) -> set[int]:
    """Ports that something listens on, from what `tables` printed.

    Source: Linux Documentation/networking/proc_net_tcp.rst: second word is the local address and
    port in hex, fourth the state, 0A meaning LISTEN.
    """
    ports = set()
    for line in text.splitlines():
        words = line.split()
        if len(words) > 3 and words[3] == LISTENING:
            ports.add(int(words[1].rpartition(":")[2], 16))
    return ports
