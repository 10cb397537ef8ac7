"""Mends a host that has the live release: replicas that are missing or changed, and its traffic."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

from infra.commands import edge
from infra.commands.containers import Container, Running
from infra.provider import devices, replicas
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.resource import Refused
from infra.provider.traffic import is_at, set_live


@dataclass(frozen=True)
class _Replica:
    """One of the live release: as it has to be, and what is there of that name.

    Attributes:
        is_right: whether it is as declared, running or not.
    """

    number: int
    wanted: Container
    found: Running | None
    is_right: bool

    @property
    def is_missing(self) -> bool:
        return self.found is None or not self.found.is_running


def traffic_and_missing(
    machine: Machine, plan: Plan, was: Live, console: Console, go_on: Callable[[], None]
) -> bool:
    """Brings a host's traffic level and starts what does not run; whether anything else differs.

    Nobody is sent to what does not run, so this may be done on many hosts side by side.

    Args:
        was: the host's record of what is live.

    Raises:
        Refused: a replica cannot serve.
    """
    now = _level(machine, plan, was)
    replicas.admit(machine, now.slot, plan.replicas)  # a run that was killed may have drained one
    there = _look(machine, plan, now)
    for replica in there:
        if replica.is_missing:
            _start(machine, plan, now, replica, console, go_on)
    return any(not r.is_missing and not r.is_right for r in there)


def changed(
    machine: Machine, plan: Plan, was: Live, console: Console, go_on: Callable[[], None]
) -> None:
    """Starts replicas that run and differ anew, one after another, each when it has no request.

    To be done on one host after another: replicas that are stopped at the same time on every host
    would leave nobody.

    Raises:
        Refused: a replica cannot serve.
    """
    now = _level(machine, plan, was)
    for replica in _look(machine, plan, now):
        if replica.is_right or replica.is_missing:
            continue
        go_on()
        machine.edge_command(edge.set_state(now.slot, replica.number, "drain"))
        replicas.drain(machine, now.slot, plan.drain_timeout_s, number=replica.number)
        machine.stop([replica.wanted.name], replicas.STOP_TIMEOUT_S)
        _start(machine, plan, now, replica, console, go_on)


def _level(machine: Machine, plan: Plan, was: Live) -> Live:
    """What is live on the host, with as many replicas as are asked for."""
    image = plan.image_of(machine.host)
    now = dataclasses.replace(was, replicas=plan.replicas, image=image)
    if not is_at(machine, now):
        set_live(machine, now)
    return now


def _look(machine: Machine, plan: Plan, now: Live) -> list[_Replica]:
    try:
        access = devices.access(machine)
    except devices.NoDevice as e:
        raise Refused(str(e)) from e
    there = {c.name: c for c in machine.containers()}
    image_id = machine.image_id(plan.image_of(machine.host))
    looked = []
    for number in range(1, plan.replicas + 1):
        wanted = plan.container(machine.host, machine.paths, now.slot, number, access)
        found = there.get(wanted.name)
        is_right = (
            found is not None and not found.differs_from(wanted) and found.image_id == image_id
        )
        looked.append(_Replica(number, wanted, found, is_right))
    return looked


def _start(
    machine: Machine,
    plan: Plan,
    now: Live,
    replica: _Replica,
    console: Console,
    go_on: Callable[[], None],
) -> None:
    machine.ensure(replica.wanted, [])
    machine.edge_command(edge.set_state(now.slot, replica.number, "ready"))
    try:
        replicas.await_replica(machine, plan, now.slot, replica.number, console, go_on)
    except replicas.NotReady as e:
        raise Refused(f"{e}. The other replicas serve; see `make logs`.") from e
    console.say(f"{machine.host.name}: replica {replica.number} started again")
