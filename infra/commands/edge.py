"""HAProxy's configuration, its runtime commands, and how to read its answers."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from string import Template

from infra.commands.containers import ROLE_LABEL, STACK_LABEL, Container
from infra.host import SLOTS, Ports

FOLDER = "/etc/bentofleet/edge"
"""Where the edge's folder is mounted in its container."""

CONFIG = f"{FOLDER}/haproxy.cfg"
LIVE_MAP = f"{FOLDER}/live.map"
SOCKET = "/run/haproxy/admin.sock"
CONTROL = ("socat", "-t", "10", "STDIO", f"UNIX-CONNECT:{SOCKET}")
"""Inside the container: sends standard input to the runtime API and prints the answer."""

BODY_BUFFER = 262_144
"""Bytes of a request that the edge can send again to another replica (release.md: 256 KiB)."""

MAX_CONNECTIONS = 2000
"""Each holds two buffers at most: 2000 x 2 x 256 KiB = 1 GiB in the worst case."""

MEMORY_MIB = 1536
"""Room for `MAX_CONNECTIONS` and a reload's second worker."""

_PROBLEM = '{"type":"about:blank","title":"%s","status":%d,"detail":"%s"}'


def _problem(status: int, title: str, detail: str) -> str:
    body = (_PROBLEM % (title, status, detail)).replace("\\", "\\\\").replace('"', '\\"')
    retry = " hdr Retry-After 2" if status in (503, 429) else ""
    return (
        f'http-error status {status} content-type application/problem+json string "{body}"{retry}'
    )


_CONFIG = Template(Path(__file__).with_name("haproxy.cfg.template").read_text())

_DIRECT = Template("""\
frontend direct_$slot
    bind 127.0.0.1:$port
    http-request set-var(txn.request_id) req.hdr(X-Request-ID)
    http-request set-var(txn.path) path
    default_backend slot_$slot

""")

_SLOT = Template("""\
backend slot_$slot
    balance leastconn
    option httpchk
    http-check send meth GET uri /readyz hdr Host edge
    http-check expect status 200
    default-server check inter 1s fastinter 250ms downinter 500ms rise 1 fall 2
    default-server on-marked-down shutdown-sessions
$servers
""")


def config(*, address: str, port: int, ports: Ports, replicas: int) -> str:
    """HAProxy's whole configuration for one host.

    Which slot is live does not stand here but in a map, which the runtime API changes and a
    restart reads again: promoting a release never reloads the edge.
    """
    return _CONFIG.substitute(
        max_connections=MAX_CONNECTIONS,
        socket=SOCKET,
        body_buffer=BODY_BUFFER,
        address=address,
        port=port,
        live_map=LIVE_MAP,
        edge_metrics=ports.edge_metrics,
        error_502=_problem(502, "Bad Gateway", "The replica broke off its answer."),
        error_503=_problem(503, "Service Unavailable", "No replica took the request in time."),
        error_504=_problem(504, "Gateway Timeout", "The replica did not answer in time."),
        nobody=(_PROBLEM % ("Service Unavailable", 503, "No release is live yet.")).replace(
            '"', '\\"'
        ),
        direct="".join(_DIRECT.substitute(slot=s, port=ports.direct(s)) for s in SLOTS),
        slots="\n".join(_slot(s, ports, replicas) for s in SLOTS),
    )


def _slot(slot: str, ports: Ports, replicas: int) -> str:
    servers = "\n".join(
        f"    server {server(n)} 127.0.0.1:{ports.replica(slot, n)}" for n in range(1, replicas + 1)
    )
    return _SLOT.substitute(slot=slot, servers=servers)


def server(number: int) -> str:
    """HAProxy's name of a replica."""
    return f"r{number}"


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
    """

    slot: str
    number: int
    status: str
    sessions: int
    check: str

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
        )
        for row in rows
        if (row.get("pxname") or "").startswith("slot_") and (row["svname"] or "").startswith("r")
    ]


def container(*, name: str, stack: str, image: str, folder: str) -> Container:
    """The edge's container: on the host's network, its configuration mounted read-only."""
    return Container(
        name=name,
        image=image,
        labels={STACK_LABEL: stack, ROLE_LABEL: "edge"},
        memory_mib=MEMORY_MIB,
        mounts={folder: FOLDER},
        tmpfs={"/run/haproxy": 1},
        host_network=True,
    )


def check_config(path: str = CONFIG) -> list[str]:
    """Inside the container: fails when the configuration is wrong."""
    return ["haproxy", "-c", "-q", "-f", path]
