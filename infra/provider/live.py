"""Which release is live on a host: the record, the edge's map, and the start script, in step."""

import json
from dataclasses import asdict, dataclass

from infra.commands import edge, replica, startup
from infra.commands.containers import ROLE_LABEL, STACK_LABEL
from infra.host import SLOTS
from infra.provider.machine import Machine


@dataclass(frozen=True, kw_only=True)
class Live:
    """The release that has the traffic on a host.

    Attributes:
        since: when it was promoted, ISO 8601 UTC.
    """

    release: str
    slot: str
    replicas: int
    since: str
    image: str


def read(machine: Machine) -> Live | None:
    """The host's record of what is live; None before the first promotion, or when it is damaged."""
    text = machine.read(machine.paths.live)
    if text is None:
        return None
    try:
        live = Live(**json.loads(text))
    except (ValueError, TypeError):
        return None
    return live if live.slot in SLOTS else None


def write(machine: Machine, live: Live) -> None:
    """Makes `live` what a restart comes back with.

    The map goes first: a crash between the files leaves an edge and a record that each name a
    release that runs, for the old one is drained only later.
    """
    machine.write(machine.paths.live_map, edge.live_map(live.slot))
    machine.write(machine.paths.live, json.dumps(asdict(live), indent=1) + "\n")
    write_start(machine, live)


def write_start(machine: Machine, live: Live | None) -> None:
    """The script that brings back the edge and `live` after a reboot."""
    stack = machine.host.stack
    names = [replica.name(stack, live.release, n + 1) for n in range(live.replicas)] if live else []
    text = startup.script(machine.engine, machine.edge_name, names, _replicas_of(stack))
    machine.write(machine.paths.start, text, "0755")


def _replicas_of(stack: str) -> list[str]:
    return [f"label={STACK_LABEL}={stack}", f"label={ROLE_LABEL}={replica.ROLE}"]


def clear(machine: Machine) -> None:
    """Forgets what is live; the edge answers 503 to users."""
    machine.write(machine.paths.live_map, edge.live_map(None))
    machine.remove(machine.paths.live)
    write_start(machine, None)
