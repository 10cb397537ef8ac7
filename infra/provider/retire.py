"""Ends what is no longer live: its users' requests first, then its replicas."""

from contextlib import suppress

from infra.connection import HostError
from infra.host import other_slot
from infra.provider import live, replicas, traffic
from infra.provider.each import on_each
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.members import Members


def drain(members: Members, slot: str, timeout_s: int) -> dict[str, int]:
    """Waits until no request is in work in `slot`; what was left on each host, by its name.

    At the entries first: what has left one has then come to its host, and is counted there.
    A host that does not answer is left out: what it has in work nobody can see.
    """
    left: dict[str, int] = {}

    def wait(machine: Machine) -> None:
        with suppress(HostError):
            left[machine.host.name] = replicas.drain(machine, slot, timeout_s)

    on_each(wait, members.entries)
    on_each(wait, members.inner)
    return {name: count for name, count in left.items() if count}


def remove_others(machine: Machine, now: Live | None) -> list[str]:
    """Removes every replica that is no part of what is live on a host; their names."""
    there = replicas.of_role(machine.containers())
    names = [c.name for c in there if replicas.not_of(now)(c)]
    if names:
        if now is not None:
            traffic.offer(machine, other_slot(now.slot), None)
        machine.stop(names, replicas.STOP_TIMEOUT_S)
    return names


def tidy(members: Members, timeout_s: int) -> dict[str, list[str]]:
    """Removes what is no part of the live release, on every host; names of what was, by host."""
    found = on_each(_others, members.machines)
    for slot in sorted({slot for others in found for slot in others}):
        drain(members, slot, timeout_s)
    removed = on_each(lambda m: remove_others(m, live.read(m)), members.machines)
    return {m.host.name: names for m, names in zip(members.machines, removed, strict=True) if names}


def _others(machine: Machine) -> set[str]:
    """The slots that are not live and have replicas that run."""
    now = live.read(machine)
    there = [c for c in replicas.of_role(machine.containers()) if c.is_running]
    slots = {replicas.slot_of(c) for c in there if replicas.not_of(now)(c)}
    return {slot for slot in slots if slot and (now is None or slot != now.slot)}
