"""The edge's container, HAProxy's runtime commands, and how to read its answers."""

import csv
import io
from dataclasses import dataclass

from infra.commands.containers import ROLE_LABEL, STACK_LABEL, Container
from infra.host import SLOTS

FOLDER = "/etc/bentofleet/edge"
"""Where the edge's folder is mounted in its container."""

LIVE_MAP = f"{FOLDER}/live.map"
CERTIFICATE = f"{FOLDER}/tls/edge.pem"
"""The private key, then the certificate and its chain."""

SOCKET = "/run/haproxy/admin.sock"
CONTROL = ("socat", "-t", "10", "STDIO", f"UNIX-CONNECT:{SOCKET}")
"""Inside the container: sends standard input to the runtime API and prints the answer."""

WORKERS = ("socat", "-t", "10", "STDIO", "UNIX-CONNECT:/run/haproxy/master.sock")
"""Inside the container: the same for HAProxy's master, which knows its workers."""

MEMORY_MIB = 1536
"""Room for all connections that HAProxy may have, and a reload's second worker."""


def server(number: int) -> str:
    """HAProxy's name of a replica."""
    return f"r{number}"


def show_workers() -> str:
    """Command for the master whose answer `parse_workers` reads."""
    return "show proc\n"


def parse_workers(text: str) -> set[int]:
    """Process ids of the workers that take new connections, from `show proc`."""
    rows = (line.split() for line in text.partition("# old workers")[0].splitlines())
    return {int(row[0]) for row in rows if len(row) > 2 and row[1] == "worker"}


def set_live(slot: str | None) -> str:
    """Runtime command that moves all new requests to `slot` at once."""
    return f"set map {LIVE_MAP} live {slot or 'none'}\n"


def show_live() -> str:
    """Runtime command whose answer `parse_live` reads."""
    return f"show map {LIVE_MAP}\n"


def parse_live(text: str) -> str | None:
    """The slot that is live in the running edge, from `show map`."""
    for line in text.splitlines():
        words = line.split()
        if len(words) == 3 and words[1] == "live":
            return words[2] if words[2] in SLOTS else None
    return None


def set_state(slot: str, number: int, state: str) -> str:
    """Runtime command that sets one replica to `ready`, `drain` or `maint`."""
    return f"set server slot_{slot}/{server(number)} state {state}\n"


def show_stat() -> str:
    """Runtime command whose answer `parse_stat` reads."""
    return "show stat\n"


@dataclass(frozen=True)
class Server:
    """One replica as the edge sees it.

    Attributes:
        status: HAProxy's word: UP, DOWN, MAINT, DRAIN, `UP 1/2`...
        sessions: requests in work or waiting for it now.
        check: what the last health check found.
        requests: taken since the edge was started or reloaded.
    """

    slot: str
    number: int
    status: str
    sessions: int
    check: str
    requests: int = 0

    @property
    def is_up(self) -> bool:
        """Whether it takes requests."""
        return self.status.startswith("UP")


def parse_stat(text: str) -> list[Server]:
    """The replicas of both slots, from `show stat`."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    return [
        Server(
            slot=row["pxname"].removeprefix("slot_"),
            number=int(row["svname"][1:]),
            status=row["status"],
            sessions=int(row["scur"] or 0) + int(row["qcur"] or 0),
            check=" ".join(filter(None, (row.get("check_status"), row.get("check_desc")))),
            requests=int(row.get("stot") or 0),
        )
        for row in rows
        if (row.get("pxname") or "").startswith("slot_") and (row["svname"] or "").startswith("r")
    ]


def container(
    *, name: str, stack: str, image: str, folder: str, groups: tuple[str, ...] = ()
) -> Container:
    """The edge's container: on the host's network, its configuration mounted read-only.

    Args:
        groups: that may read the certificate's key, beside the image's own.
    """
    return Container(
        name=name,
        image=image,
        labels={STACK_LABEL: stack, ROLE_LABEL: "edge"},
        memory_mib=MEMORY_MIB,
        mounts={folder: FOLDER},
        groups=groups,
        tmpfs={"/run/haproxy": 1},
        host_network=True,
    )
