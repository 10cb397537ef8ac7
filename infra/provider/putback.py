"""Undoes a walk: the traffic goes back to what was live, then the candidate goes."""

from collections.abc import Callable
from functools import partial

from infra.connection import HostError
from infra.provider import replicas, traffic
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.record import Record

KEPT_LOG_LINES = 200
"""Of each candidate that was refused, beside the verdict."""


def put_back(
    machine: Machine, was: Live | None, slot: str, record: Record, console: Console
) -> None:
    """Puts one host back; where it does not answer, that is said, and the others go on.

    Args:
        was: what was live before the walk.
        slot: the candidate's.
    """
    had_users = _try(partial(traffic.restore, machine, was), console) is not False
    timeout_s = replicas.STOP_TIMEOUT_S if had_users else replicas.CANDIDATE_STOP_TIMEOUT_S
    _try(partial(_keep_logs, machine, slot, record), console)
    _try(partial(replicas.remove, machine, replicas.in_slot(slot), timeout_s), console)


def _keep_logs(machine: Machine, slot: str, record: Record) -> None:
    """What a refused candidate printed last: its containers are about to go."""
    for candidate in filter(replicas.in_slot(slot), replicas.of_role(machine.containers())):
        lines = machine.log_end(candidate.name, KEPT_LOG_LINES)
        record.keep_log(machine.host.name, candidate.name, lines)


def _try(work: Callable[[], object], console: Console) -> object:
    try:
        return work()
    except HostError as e:
        console.warn(f"could not put back: {e}")
        return None
