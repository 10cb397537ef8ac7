"""The edge's container, HAProxy's runtime commands, and how to read its answers."""

import csv
import io
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast, get_args

from infra.commands.containers import ROLE_LABEL, STACK_LABEL, Container
from infra.host import SLOTS, other_slot

FOLDER = "/etc/bentofleet/edge"
"""Where the edge's folder is mounted in its container."""

LIVE_MAP = f"{FOLDER}/live.map"
CERTIFICATE = f"{FOLDER}/tls/edge.pem"
"""The private key, then the certificate and its chain."""

INNER_CERTIFICATE = f"{FOLDER}/tls/inner.pem"
"""The host's own private key and certificate, with which it and the other hosts know each other."""

PEERS = f"{FOLDER}/tls/peers.pem"
"""The certificates of the other hosts: nobody else is let in between hosts."""

LIVE, CANARY = "live", "canary"
"""Keys of the live map, beside `release_key`: the slot that is live, and the candidate's share."""

NOBODY = "none"
"""What stands in the map for a slot or a release that there is not."""

BASIS_POINTS = 10_000
"""Of the candidate's share, in one whole."""

PEER_PREFIX = "host:"
"""Before the name of another host among servers: a host may be called r1."""

CANDIDATE, FALLBACK = "candidate", "live"
"""The two servers of a canary's backend."""

_CHECKED = ("slot", "users")
"""The groups that ask a replica by themselves whether it is ready; `inner` follows `slot`."""

_ANSWERS = ("hrsp_2xx", "hrsp_3xx", "hrsp_4xx")
"""Columns of HAProxy's statistics. Its columns of failures miss some and count others twice."""

SOCKET_FOLDER = "/run/haproxy"
"""In the container's own memory: nobody else on the host reaches what listens there."""

SOCKET = f"{SOCKET_FOLDER}/admin.sock"
CONTROL = ("socat", "-t", "10", "STDIO", f"UNIX-CONNECT:{SOCKET}")
"""Inside the container: sends standard input to the runtime API and prints the answer."""

WORKERS = ("socat", "-t", "10", "STDIO", "UNIX-CONNECT:/run/haproxy/master.sock")
"""Inside the container: the same for HAProxy's master, which knows its workers."""

MEMORY_MIB = 3072
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


def release_key(slot: str) -> str:
    """The map's key for the release whose replicas may be asked in `slot`."""
    return f"release_{slot}"


def together(*commands: str) -> str:
    """Runtime commands on one line: they are done one after another, in one go."""
    return ";".join(command.strip() for command in commands) + "\n"


def set_live(slot: str | None) -> str:
    """Runtime command that moves all new requests to `slot` at once."""
    return f"set map {LIVE_MAP} {LIVE} {slot or NOBODY}\n"


def set_canary(basis_points: int) -> str:
    """Runtime command for the share of users' requests that the slot which is not live gets."""
    return f"set map {LIVE_MAP} {CANARY} {basis_points}\n"


def set_release(slot: str, release: str | None) -> str:
    """Runtime command after which `slot` is only that release; None: nothing is asked there."""
    return f"set map {LIVE_MAP} {release_key(slot)} {release or NOBODY}\n"


def set_weight(slot: str, server_name: str, weight: int) -> str:
    """Runtime command for a server of the users' backend of an entry, as HAProxy calls it."""
    return f"set server users_{slot}/{server_name} weight {weight}\n"


def show_map() -> str:
    """Runtime command whose answer `parse_map` reads."""
    return f"show map {LIVE_MAP}\n"


def parse_map(text: str) -> dict[str, str]:
    """What the running edge goes by: the keys of the live map, from `show map`."""
    rows = (line.split() for line in text.splitlines())
    return {row[1]: row[2] for row in rows if len(row) == 3}


def parse_live(text: str) -> str | None:
    """The slot that is live in the running edge, from `show map`."""
    slot = parse_map(text).get(LIVE)
    return slot if slot in SLOTS else None


def set_state(slot: str, number: int, state: str) -> str:
    """Runtime command that sets one replica to `ready`, `drain` or `maint`, for gate and users.

    An edge that is no entry has no users' backend, and says so; the other command is done.
    """
    return together(
        *(f"set server {group}_{slot}/{server(number)} state {state}" for group in _CHECKED)
    )


def set_health(slot: str, number: int, *, on: bool) -> str:
    """Runtime command that lets one replica stay as it is, whatever it answers, or not any more."""
    verb = "enable" if on else "disable"
    return together(*(f"{verb} health {group}_{slot}/{server(number)}" for group in _CHECKED))


def show_stat() -> str:
    """Runtime command whose answer `parse_stat` reads."""
    return "show stat\n"


Group = Literal["slot", "users", "canary", "inner"]


@dataclass(frozen=True, kw_only=True)
class Server:
    """One server of a backend as the edge sees it; counted since it was started or reloaded.

    Attributes:
        group: `slot`: this host's replicas, for checks and the gate alone; `inner`: the same, for
            requests from other hosts; `users`: on an entry, the replicas of all hosts, for users
            and what comes by the door, live and candidate alike; `canary`: on an entry, the two
            ways of the candidate's share (see `is_backup`).
        slot: whose replicas it leads to.
        name: `r1`, `r2`... for this host's replicas, or another host's name; in the group
            `canary`: `candidate` or `live`.
        status: HAProxy's word: UP, DOWN, MAINT, DRAIN, `UP 1/2`...
        check: what the last health check found.
        weight: its part of the backend's requests.
        sessions: requests in work or waiting for it now.
        requests: tried on it, each retry too.
        answers: of those, with a status below 500.
        broken_answers: of those, which broke off after their head.
        is_own: whether it leads to this host's own replicas.
        is_backup: live, as what the candidate's share falls to.
        is_counted: whether the edge told all of these numbers.
    """

    group: Group
    slot: str
    name: str
    status: str
    check: str = ""
    weight: int = 1
    sessions: int = 0
    requests: int = 0
    answers: int = 0
    broken_answers: int = 0
    is_own: bool = True
    is_backup: bool = False
    is_counted: bool = True

    @property
    def is_up(self) -> bool:
        """Whether it is well; one of weight 0 is, and takes no requests all the same."""
        return self.status.startswith("UP")

    @property
    def number(self) -> int:
        """Of a replica of this host; 0: it is none."""
        found = re.fullmatch(r"r(\d+)", self.name)
        return int(found[1]) if found and self.is_own else 0


def parse_stat(text: str) -> list[Server]:
    """The servers of every group, from `show stat`."""
    rows = csv.DictReader(io.StringIO(text.removeprefix("# ")))
    return [
        _server(row, *found)
        for row in rows
        if row["svname"] not in ("FRONTEND", "BACKEND") and (found := _place(row["pxname"]))
    ]


def _place(backend: str) -> tuple[Group, str] | None:
    """Group and slot of a backend; None where it is none of those with replicas behind."""
    group, _, slot = backend.rpartition("_")
    if slot not in SLOTS or group not in get_args(Group):
        return None
    return cast(Group, group), slot


def _server(row: Mapping[str, str], group: Group, slot: str) -> Server:
    def count(*keys: str) -> int:
        return sum(int(row.get(key) or 0) for key in keys)

    is_backup = group == "canary" and row["svname"] == FALLBACK
    return Server(
        group=group,
        slot=other_slot(slot) if is_backup else slot,
        name=row["svname"].removeprefix(PEER_PREFIX),
        status=row["status"],
        check=" ".join(filter(None, (row.get("check_status"), row.get("check_desc")))),
        weight=count("weight"),
        sessions=count("scur", "qcur"),
        requests=count("stot"),
        answers=count(*_ANSWERS),
        broken_answers=count("srv_abrt"),
        is_own=group != "canary" and not row["svname"].startswith(PEER_PREFIX),
        is_backup=is_backup,
        is_counted=all(row.get(key) for key in ("scur", "stot", "srv_abrt", *_ANSWERS)),
    )


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
