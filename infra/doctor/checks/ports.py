"""Ports that the stack wants: are they free, and does nothing take them by chance."""

import re
from collections.abc import Iterator

from infra.commands import ports
from infra.config import MAX_REPLICAS
from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted

_REPLICAS = 4 * MAX_REPLICAS
"""Ports at the range's start, of replicas and their metrics; the rest are the edge's own
(`infra.host.Ports`)."""

_PUBLISHED = re.compile(r":(\d+)(?:-(\d+))?->")
_HOLDER = re.compile(r'users:\(\("([^"]+)"')

EDGE_TAKEN = Kind(
    "error",
    "ports.edge-taken",
    "port {port}, where the edge is to listen, is taken",
    "Free it, or choose another `{key}`.",
)
RANGE_TAKEN = Kind(
    "error",
    "ports.range-taken",
    "ports of the stack's range {first}-{last} are taken",
    "Free them, or choose another `edge.ports_from`.",
)
EPHEMERAL = Kind(
    "warning",
    "ports.ephemeral",
    "{whose} lies where the kernel takes ports for outgoing connections, which may hold it just "
    "when it is wanted",
    "Choose one below {low}, or reserve it: `sudo sysctl -w "
    "net.ipv4.ip_local_reserved_ports={range}`, and in /etc/sysctl.d to stay.",
)
PORTS_UNCHECKED = Kind(
    "unchecked",
    "ports.unchecked",
    "which ports are taken could not be found out",
    "Look at `ss -ltn` on the host.",
)


def check(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    """Findings about ports; those that the stack's own containers hold are free for it."""
    if not facts.all("tcp"):
        yield PORTS_UNCHECKED.found(got=facts.why_unknown("tcp"))
        return
    first, last = wanted.ports_from, wanted.ports_from + wanted.ports - 1
    sockets = ports.sockets("\n".join(facts.all("tcp")))
    runs = edge_runs(facts, wanted)
    found = []
    if not runs:
        open_to_users = ports.taken(sockets, wanted.listens_at, wanted.listens_on.values())
        for key, port in wanted.listens_on.items():
            if port in open_to_users:
                found.append(EDGE_TAKEN.found(got=f"by {_holder(facts, port)}", port=port, key=key))
    own = _published(facts) | (set(range(first + _REPLICAS, last + 1)) if runs else set())
    taken = ports.taken(sockets, ports.LOOPBACK, range(first, last + 1)) - own
    if taken:
        told = ", ".join(f"{port} by {_holder(facts, port)}" for port in sorted(taken)[:4])
        found.append(RANGE_TAKEN.found(got=told, first=first, last=last))
    yield from found or [ok("ports.free", f"{_told(wanted)} and {first}-{last}")]
    yield from _ephemeral(facts, wanted, last)


def _told(wanted: Wanted) -> str:
    return ", ".join(map(str, wanted.listens_on.values()))


def edge_runs(facts: Facts, wanted: Wanted) -> bool:
    """Whether the stack's edge runs on the host."""
    edge = f"bentofleet-{wanted.stack}-edge"
    told = (line.split(" | ") for line in facts.all("container"))
    return any(words[0].strip() == edge and words[1].startswith("Up") for words in told)


def edge_listens(facts: Facts, port: int) -> bool:
    """Whether somebody listens on the edge's port, as far as the host told."""
    told = facts.all("tcp")
    return not told or port in ports.listening("\n".join(told))


def _published(facts: Facts) -> set[int]:
    """Loopback ports that the stack's containers publish."""
    found: set[int] = set()
    for line in facts.all("container"):
        for first, last in _PUBLISHED.findall(line):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def _holder(facts: Facts, port: int) -> str:
    for line in facts.all("listener"):
        words = line.split()
        if len(words) > 3 and words[3].rpartition(":")[2] == str(port):
            named = _HOLDER.search(line)
            return named[1] if named else "a program of another user"
    return "another program"


def _ephemeral(facts: Facts, wanted: Wanted, last: int) -> Iterator[Finding]:
    bounds = (facts.one("ephemeral") or "").split()
    if len(bounds) != 2 or not all(bound.isdigit() for bound in bounds):
        return
    low, high = map(int, bounds)
    got = f"{low}-{high}"
    for key, port in wanted.listens_on.items():
        if low <= port <= high:
            yield EPHEMERAL.found(got=got, whose=f"`{key}`", low=low, range=port)
    if low <= last and wanted.ports_from <= high:
        span = f"{wanted.ports_from}-{last}"
        yield EPHEMERAL.found(got=got, whose="the range of `edge.ports_from`", low=low, range=span)
