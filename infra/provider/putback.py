"""Undoes a walk: the traffic goes back to what was live, then the candidates go."""

from collections.abc import Mapping
from functools import partial

from infra.connection import HostError
from infra.provider import replicas, retire, traffic
from infra.provider.answering import Answering
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.record import Record

KEPT_LOG_LINES = 200
"""Of each candidate that was refused, beside the verdict."""

DRAIN_S = 10
"""Time that the candidate has to end its users' requests, which are back at live already."""


def put_back(
    members: Members,
    before: Mapping[str, Live | None],
    slot: str,
    *,
    had_users: bool,
    record: Record,
    console: Console,
) -> list[str]:
    """Puts every host back, the entries first; the names of those that did not answer.

    Whatever one host does, the others go on: none of them waits for it.

    Args:
        before: what was live on each host before the walk.
        slot: the candidate's.
        had_users: whether the candidate may have requests of users in work.
    """
    there = Answering(lambda error: console.warn(told(error)))
    there.on(members.entries, lambda m: traffic.restore(m, before[m.host.name]))
    there.on(members.inner, lambda m: traffic.restore(m, before[m.host.name]))
    if had_users:
        retire.drain(there.of(members), slot, DRAIN_S)
    timeout_s = replicas.STOP_TIMEOUT_S if had_users else replicas.CANDIDATE_STOP_TIMEOUT_S
    there.on(members.machines, partial(_keep_logs, slot=slot, record=record))
    there.on(members.machines, partial(remove, slot=slot, timeout_s=timeout_s))
    return sorted(there.silent)


def remove(machine: Machine, slot: str, timeout_s: int) -> None:
    """Takes a candidate away that no user is sent to any more."""
    traffic.offer(machine, slot, None)
    replicas.remove(machine, replicas.in_slot(slot), timeout_s)


def told(error: HostError) -> str:
    """The warning of a host that did not answer while it was put back."""
    return (
        f"could not put back: {error} When it answers, `make up ARGS=--refresh` removes what is "
        "left."
    )


def _keep_logs(machine: Machine, slot: str, record: Record) -> None:
    """What a refused candidate printed last: its containers are about to go."""
    for candidate in filter(replicas.in_slot(slot), replicas.of_role(machine.containers())):
        lines = machine.log_end(candidate.name, KEPT_LOG_LINES)
        record.keep_log(machine.host.name, candidate.name, lines)
