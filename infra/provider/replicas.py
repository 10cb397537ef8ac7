"""The replicas of one release on one host: started, awaited, drained, and told apart."""

import dataclasses
import threading
from collections.abc import Callable, Sequence

from infra.commands import edge, floating, replica
from infra.commands.containers import (
    NUMBER_LABEL,
    RELEASE_LABEL,
    SLOT_LABEL,
    Container,
    Running,
)
from infra.provider import devices
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Answer, Machine, wait_until
from infra.provider.plan import Plan
from service import contract

STOP_TIMEOUT_S = 30
"""Longer than the service's own drain: SIGTERM lets accepted requests finish."""

CANDIDATE_STOP_TIMEOUT_S = 2
"""A refused candidate has no users, and one that still loads its models hears no signal."""

EDGE_SEES_TIMEOUT_S = 15.0
"""The edge checks each second; this is the time in which it must have seen a ready replica."""

LAST_WORDS_TIMEOUT_S = 3.0


class NotReady(Exception):
    """A replica cannot serve: one line with the cause that was found."""


def of_role(there: Sequence[Running]) -> list[Running]:
    """The containers that are replicas, or that only carry our stack's label."""
    return [c for c in there if c.role not in ("edge", floating.ROLE)]


def start(machine: Machine, plan: Plan, slot: str) -> None:
    """Starts every replica of the plan in `slot`, removing what another release left there.

    Raises:
        NotReady: no container can get at the card that the host declares.
    """
    try:
        access = devices.access(machine)
    except devices.NoDevice as e:
        raise NotReady(str(e)) from e
    there = machine.containers()
    wanted = [plan.container(machine.host, machine.paths, slot, n, access) for n in _numbers(plan)]
    names = {c.name for c in wanted}
    for left in of_role(there):
        if left.labels.get(SLOT_LABEL) == slot and left.name not in names:
            machine.remove_container(left.name)
    for container in wanted:
        machine.ensure(container, there)


def admit(machine: Machine, slot: str, count: int) -> None:
    """Lets a host's edge check and ask the replicas of a slot, whatever it was told of them."""
    states = [
        command
        for number in range(1, count + 1)
        for command in (
            edge.set_health(slot, number, on=True),
            edge.set_state(slot, number, "ready"),
        )
    ]
    machine.edge_command(edge.together(*states))


def wanted(machine: Machine, plan: Plan, slot: str, number: int) -> Container:
    """Replica `number` as it has to be on a host, its card included.

    Raises:
        NoDevice: no container can get at the card that the host declares.
    """
    return plan.container(machine.host, machine.paths, slot, number, devices.access(machine))


def _numbers(plan: Plan) -> range:
    return range(1, plan.replicas + 1)


def await_ready(
    machine: Machine, plan: Plan, slot: str, console: Console, go_on: Callable[[], None]
) -> None:
    """Waits until every replica says it is ready and the edge has seen it.

    Raises:
        NotReady: it died, said why not, or the time is over.
    """
    for number in _numbers(plan):
        await_replica(machine, plan, slot, number, console, go_on)
    await_edge(machine, plan.replicas, slot, console)


def await_replica(
    machine: Machine,
    plan: Plan,
    slot: str,
    number: int,
    console: Console,
    go_on: Callable[[], None],
) -> None:
    name = replica.name(plan.stack, plan.release, number)
    last = Answer(0, {}, "no answer yet")

    def is_ready() -> bool:
        nonlocal last
        go_on()
        last = machine.get(machine.host.ports.replica(slot, number), contract.READYZ)
        if last.status == 200 and last.header(contract.RELEASE_HEADER) == plan.release:
            _refuse_other_device(machine, name, last)
            return True
        if last.status == 200:
            return False
        _refuse_dead(machine, name, plan.memory_mib, console)
        return False

    if not wait_until(is_ready, plan.ready_timeout_s, console.stopped):
        reasons = "; ".join(str(r) for r in last.json().get("reasons", [])) or last.text[:200]
        msg = (
            f"{machine.host.name}: {name} is not ready: {reasons or 'no answer'} "
            f"(waited {plan.ready_timeout_s} s)"
        )
        raise NotReady(f"{msg}. {devices.cause(machine)}".rstrip(". "))


def _refuse_other_device(machine: Machine, name: str, answer: Answer) -> None:
    """A replica that says it is ready, and works on the CPU of a host that declares a card."""
    if fault := devices.fault(machine, answer.json().get("models") or {}):
        cause = devices.cause(machine) or (
            "The host's card can be used: start it as it was declared, `make up ARGS=--refresh`"
        )
        raise NotReady(f"{machine.host.name}: {name}: {fault}. {cause}".rstrip("."))


def _refuse_dead(machine: Machine, name: str, memory_mib: int, console: Console) -> None:
    """A replica that ended, even if the engine restarts it, will not become ready."""
    found = next((c for c in machine.containers() if c.name == name), None)
    if found is not None and found.restarts == 0 and found.status in ("running", "created"):
        return
    # the engine writes a log line a little after the process has said it
    wait_until(lambda: bool(machine.last_words(name)), LAST_WORDS_TIMEOUT_S, console.stopped)
    said = machine.last_words(name)
    if (found is not None and found.out_of_memory) or not said:
        cause = f"killed without a word: it may need more than its memory limit of {memory_mib} MiB"
    else:
        cause = f"its log ends: {said}"
    raise NotReady(f"{machine.host.name}: {name} does not start ({_state(found)}; {cause})")


def _state(found: Running | None) -> str:
    if found is None:
        return "it was removed"
    return f"it has {found.status}" if found.restarts == 0 else "it ends again and again"


def await_edge(machine: Machine, count: int, slot: str, console: Console) -> None:
    """Waits until the host's own edge counts `count` replicas of `slot` as up.

    Raises:
        NotReady: with what the edge's health check found.
    """

    def there() -> list[edge.Server]:
        return [s for s in machine.edge_servers() if s.group == "slot" and s.slot == slot]

    def is_seen() -> bool:
        return sum(s.is_up for s in there()) >= count

    if not wait_until(is_seen, EDGE_SEES_TIMEOUT_S, console.stopped):
        seen = ", ".join(
            f"replica {s.number}: {s.status} {s.check}" for s in there() if not s.is_up
        )
        msg = f"{machine.host.name}: the edge does not see every replica of the release ({seen})"
        raise NotReady(msg)


def drain(
    machine: Machine,
    slot: str,
    timeout_s: int,
    stopped: threading.Event | None = None,
    number: int | None = None,
) -> int:
    """Waits until a host has no request in work in `slot`; how many are left after the time.

    On an entry, those that it has sent to other hosts count too.

    Args:
        stopped: ends the wait early; None: nothing does.
        number: of the one replica of this host that is meant; None: the whole slot.
    """

    def sessions() -> int:
        return sum(
            s.sessions
            for s in machine.edge_servers()
            if s.slot == slot and number in (None, s.number)
        )

    wait_until(lambda: sessions() == 0, timeout_s, stopped or threading.Event())
    return sessions()


def remove(
    machine: Machine, is_wanted: Callable[[Running], bool], timeout_s: int = STOP_TIMEOUT_S
) -> list[str]:
    """Stops and removes the replicas that `is_wanted` picks; their names."""
    names = [c.name for c in of_role(machine.containers()) if is_wanted(c)]
    machine.stop(names, timeout_s)
    return names


def in_slot(slot: str) -> Callable[[Running], bool]:
    """Picks the replicas of a slot."""
    return lambda c: slot_of(c) == slot


def slot_of(container: Running) -> str | None:
    """The slot of a replica; None where it is none of ours."""
    return container.labels.get(SLOT_LABEL)


def is_of(container: Running, release: str) -> bool:
    """Whether it is a replica of that release."""
    return container.labels.get(RELEASE_LABEL) == release


def serving(machine: Machine, stack: Live) -> Live | None:
    """The record of what a host runs of a release that is live on its stack; None: nothing."""
    found = [
        c
        for c in of_role(machine.containers())
        if c.is_running and is_of(c, stack.release) and slot_of(c) == stack.slot
    ]
    numbers = [int(c.labels[NUMBER_LABEL]) for c in found if c.labels.get(NUMBER_LABEL)]
    if not numbers:
        return None
    return dataclasses.replace(stack, replicas=max(numbers), image=found[0].image)


def not_of(live: Live | None) -> Callable[[Running], bool]:
    """Picks what is no replica of the live release: candidates, leftovers, strangers."""

    def is_other(container: Running) -> bool:
        if live is None:
            return True
        mine = (
            container.labels.get(RELEASE_LABEL) == live.release
            and container.labels.get(SLOT_LABEL) == live.slot
        )
        number = container.labels.get(NUMBER_LABEL, "")
        return not (mine and number.isdigit() and 1 <= int(number) <= live.replicas)

    return is_other
