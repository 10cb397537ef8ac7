"""What has to be right on a host before anything is made there; every fault is told at once."""

import time
from collections.abc import Iterator

from infra.commands import clock, disk, packages, ports
from infra.host import SLOTS
from infra.provider import floating
from infra.provider.machine import Machine
from infra.provider.prepare.host import Found
from infra.provider.resource import Plain, Refused

NETWORKS = ("slirp4netns", "pasta")
"""Either gives containers of a user other than root a network."""


def refuse_wrong(found: Found, machine: Machine | None, inputs: Plain, state: Plain) -> None:
    """Passes where the host can be prepared.

    Args:
        machine: with its engine; None where there is none yet.
        state: what was prepared before; empty the first time.

    Raises:
        Refused: with every fault, a line each.
    """
    lacking = list(_rootless(found, machine))
    faults = [*_clock(found), *lacking, *_floating(found, inputs)]
    if not lacking:  # else the engine cannot be asked
        faults += [*_room(found, machine), *_ports(found.bare, machine, inputs, state)]
    if faults:
        raise Refused("\n".join(f"{found.host.name}: {fault}" for fault in faults))


def is_clock_right(found: Found) -> bool:
    """Whether the host's clock and ours are close enough."""
    return abs(found.skew_s) <= clock.MOST_S


def _clock(found: Found) -> Iterator[str]:
    if not is_clock_right(found):
        yield (
            f"its clock is off (got {clock.shown(found.time_s)}, here it is "
            f"{clock.shown(time.time())}). Set the wrong one, `sudo timedatectl set-ntp true`; "
            f"they may differ by {clock.MOST_S:.0f} s."
        )


def _rootless(found: Found, machine: Machine | None) -> Iterator[str]:
    """What Podman misses for a user other than root; only root can mend that."""
    if machine is None or machine.engine != "podman" or not found.is_rootless:
        return
    facts, user = found.facts, found.facts.user
    missing = [] if "newuidmap" in facts.programs else ["uidmap"]
    if not facts.programs & set(NETWORKS):
        missing.append("slirp4netns")
    if missing:
        yield (
            f"Podman without root lacks programs (got no {' and no '.join(missing)}). "
            f"Run there: {packages.by_hand(missing)}"
        )
    if len(facts.id_maps) < len(("subuid", "subgid")):
        yield (
            f"the user {user} has no ids for containers (looked into /etc/subuid and /etc/subgid). "
            "Run there: sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 "
            f"{user}; podman system migrate"
        )


def _floating(found: Found, inputs: Plain) -> Iterator[str]:
    if card := inputs.get("card"):
        yield from floating.faults(found.bare, str(card))


def _room(found: Found, machine: Machine | None) -> Iterator[str]:
    for words in shortages(found.bare, machine):
        yield f"too little disk room (got {words}). Make room there."


def shortages(bare: Machine, machine: Machine | None) -> list[str]:
    """What is missing on the disks of a host: of the engine's images, and of the stack's files."""
    store = disk.DEFAULT_STORE
    if machine is not None:
        store = machine.run(disk.store(machine.engine)).strip() or store
    rooms = disk.parse(bare.run(disk.ask([store, str(bare.paths.root)])))
    needed = (disk.STORE_BYTES, disk.FOLDER_BYTES)
    short = (disk.shortage(room, size) for room, size in zip(rooms, needed, strict=True))
    return list(dict.fromkeys(filter(None, short)))


def _ports(bare: Machine, machine: Machine | None, inputs: Plain, state: Plain) -> list[str]:
    """Ports that somebody else listens on; what the stack's own containers hold is free for it."""
    sockets = ports.sockets(bare.run(ports.tables()))
    there = [c for c in machine.containers() if c.is_running] if machine is not None else []
    plan, wanted = bare.host.ports, dict(inputs["ports"])
    inner = set(range(plan.first, plan.first + ports.COUNT)) - ports.of_containers(there, plan)
    if any(c.name == bare.edge_name for c in there):
        inner -= {plan.edge_metrics, plan.door, *(plan.direct(slot) for slot in SLOTS)}
        held = set(dict(state.get("ports", wanted)).values())
        wanted = {key: port for key, port in wanted.items() if port not in held}
    outer_taken = ports.taken(sockets, str(inputs["address"]), wanted.values())
    inner_taken = ports.taken(sockets, ports.LOOPBACK, inner)
    named = {port: key for key, port in wanted.items()}
    named |= dict.fromkeys(sorted(inner_taken)[:1], "edge.ports_from")
    return [
        f"port {port} is taken. Free it, or choose another `{named[port]}`."
        for port in sorted((outer_taken | inner_taken) & named.keys())
    ]
