"""Brings a host to what is live on its stack, from whatever an earlier run or an absence left."""

import threading

from infra.commands import edge
from infra.provider import live, replicas, standing, traffic
from infra.provider.live import Live
from infra.provider.machine import Machine, wait_until
from infra.provider.outcome import Unsure


def bring(machine: Machine, stack: Live | None, *, is_entry: bool, drain_s: int) -> Live | None:
    """Makes a host serve what is live on its stack, as far as it can without starting anything.

    An entry serves it always: where it runs no replica of it, its users get the other hosts'.
    Another host that runs none serves nothing, and is emptied: nobody asks it for anything else.

    Args:
        stack: what is live on the stack; None: nothing.
        drain_s: time that requests of its own release have to end.

    Returns:
        What is live on the host from now on.

    Raises:
        Unsure: it is an entry, and sees no host that serves the release.
    """
    record = live.read(machine)
    if standing.is_level(record, stack):
        traffic.restore(machine, record)
        return record
    if stack is None:
        traffic.restore(machine, None)
        return None
    now = replicas.serving(machine, stack)
    if now is None and not is_entry:
        traffic.restore(machine, None)
        replicas.remove(machine, lambda _: True)
        return None
    if now is None and record is not None and record.slot == stack.slot:
        _hand_over(machine, record, stack, drain_s)
    else:
        traffic.offer(machine, stack.slot, stack.release)
        if is_entry:
            _await_any(machine, stack.slot, own=now is not None)
    traffic.set_live(machine, now or stack)
    return now or stack


def _hand_over(machine: Machine, record: Live, stack: Live, drain_s: int) -> None:
    """Moves an entry's users to the other hosts where its own old replicas are in the way.

    The old ones stay up until the others are seen, and then end their requests: a check that finds
    another release than the one that is offered would cut them.
    """
    slot, numbers = stack.slot, range(1, record.replicas + 1)
    _set_health(machine, slot, numbers, on=False)
    traffic.offer(machine, slot, stack.release)
    try:
        _await_any(machine, slot, own=False)
    except Unsure:
        traffic.offer(machine, slot, record.release)
        _set_health(machine, slot, numbers, on=True)
        raise
    for number in numbers:
        machine.edge_command(edge.set_state(slot, number, "drain"))
    for number in numbers:
        replicas.drain(machine, slot, drain_s, number=number)
    replicas.remove(machine, replicas.in_slot(slot))
    replicas.admit(machine, slot, record.replicas)


def _set_health(machine: Machine, slot: str, numbers: range, *, on: bool) -> None:
    for number in numbers:
        machine.edge_command(edge.set_health(slot, number, on=on))


def _await_any(machine: Machine, slot: str, *, own: bool) -> None:
    """Waits until an entry sees a replica that serves what it offers in a slot.

    Args:
        own: whether its own replicas count.

    Raises:
        Unsure: it sees none.
    """

    def is_up() -> bool:
        return any(
            s.is_up and s.group == "users" and s.slot == slot and (own or not s.number)
            for s in machine.edge_servers()
        )

    if not wait_until(is_up, replicas.EDGE_SEES_TIMEOUT_S, threading.Event()):
        msg = (
            f"{machine.host.name}: the edge sees no host that serves what is live on the stack. "
            "Look whether the hosts reach each other (edge.inner_ports_from)"
        )
        raise Unsure(msg)
