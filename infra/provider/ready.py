"""A release made ready in a slot of a host: started beside what serves, awaited, measured."""

from collections.abc import Callable

from infra.commands.containers import Running
from infra.commands.replica import ROLE
from infra.provider import floor, replicas, traffic
from infra.provider.console import Console
from infra.provider.floor import Measured
from infra.provider.live import Live
from infra.provider.machine import Machine, wait_until
from infra.provider.members import Members
from infra.provider.outcome import Unsure
from infra.provider.plan import Plan

LEFT_DRAIN_S = 10
"""What an earlier run has left in the slot takes no new requests: it only ends those in work."""


def start(
    machine: Machine, plan: Plan, slot: str, console: Console, go_on: Callable[[], None]
) -> None:
    """Starts the plan's release in `slot`, and waits until this host's edge can send to it.

    What is there already and right is kept; what is of another release goes.

    Raises:
        NotReady: it cannot serve.
    """
    clear(machine, plan.release, slot)
    traffic.offer(machine, slot, plan.release)
    replicas.admit(machine, slot, plan.replicas)
    replicas.start(machine, plan, slot)
    replicas.await_ready(machine, plan, slot, console, go_on)


def measured(
    machine: Machine,
    plan: Plan,
    slot: str,
    was: Live | None,
    console: Console,
    go_on: Callable[[], None],
) -> Measured:
    """The same, and its rates on this host.

    Args:
        was: what serves meanwhile, and so takes part of the host.

    Raises:
        NotReady: it cannot serve.
        TooSlow: it is below the host's floor, and was so when it was started once more.
        TooBusy: it is, but what serves took traffic meanwhile.
    """
    try:
        return _measured_once(machine, plan, slot, was, console, go_on)
    except floor.TooSlow:
        # Once more before it is condemned: something may have been in its way.
        timeout_s = replicas.CANDIDATE_STOP_TIMEOUT_S
        replicas.remove(machine, replicas.in_slot(slot), timeout_s=timeout_s)
        return _measured_once(machine, plan, slot, was, console, go_on)


def _measured_once(
    machine: Machine,
    plan: Plan,
    slot: str,
    was: Live | None,
    console: Console,
    go_on: Callable[[], None],
) -> Measured:
    watch = floor.Watch(machine, was)
    start(machine, plan, slot, console, go_on)
    return floor.check(machine, plan, slot, watch)


def clear(machine: Machine, release: str, slot: str) -> None:
    """Removes what is in `slot` and of another release, when its requests have ended."""

    def is_left(container: Running) -> bool:
        return replicas.in_slot(slot)(container) and not replicas.is_of(container, release)

    left = [c for c in replicas.of_role(machine.containers()) if is_left(c)]
    if not left:
        return
    if any(c.is_running and c.role == ROLE for c in left):
        replicas.drain(machine, slot, LEFT_DRAIN_S)
    machine.stop([c.name for c in left], replicas.STOP_TIMEOUT_S)


def await_entries(members: Members, plan: Plan, slot: str, console: Console) -> None:
    """Waits until every entry can send to `slot` of every host.

    Raises:
        Unsure: one cannot; names both.
    """
    names = [m.host.name for m in members.machines]
    members.on_all(lambda m: _await_entry(m, names, plan, slot, console), members.entries)


def _await_entry(
    machine: Machine, names: list[str], plan: Plan, slot: str, console: Console
) -> None:
    def unseen() -> list[str]:
        there = [s for s in machine.edge_servers() if s.group == "users" and s.slot == slot]
        # DRAIN: its check passes, and it has no weight yet
        up = [s for s in there if s.is_up or s.status.startswith("DRAIN")]
        seen = {s.name for s in up if not s.number}
        if sum(s.number > 0 for s in up) >= plan.replicas:
            seen.add(machine.host.name)
        found = {s.name: f"{s.status} {s.check}".strip() for s in there}
        return [f"{n} ({found.get(n, 'no server')})" for n in names if n not in seen]

    if wait_until(lambda: not unseen(), replicas.EDGE_SEES_TIMEOUT_S, console.stopped):
        return
    if console.stopped.is_set():
        return  # whoever asks next is told why
    if left := unseen():
        msg = (
            f"{machine.host.name}: the edge does not see the release on {', '.join(left)}. Look "
            "whether the hosts reach each other (edge.inner_ports_from)"
        )
        raise Unsure(msg)
