"""The release of a stack: walked in when it is new, mended when a host drifted, never replaced."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial

from infra.commands import replica
from infra.commands.containers import Running
from infra.config import MAX_REPLICAS
from infra.connection import HostError, Unreachable
from infra.host import SLOTS, Host
from infra.provider import devices, live, replicas, retire, traffic
from infra.provider.console import Console
from infra.provider.converge import converge
from infra.provider.each import on_each, on_each_host
from infra.provider.live import Live
from infra.provider.lock import Lock
from infra.provider.machine import Machine, open_machine
from infra.provider.members import Members
from infra.provider.plan import Plan
from infra.provider.resource import (
    AS_DECLARED,
    Plain,
    Resource,
    is_forgotten,
    out_of_range,
)
from infra.provider.traffic import canary


class Release(Resource):
    """Inputs: see `Plan.from_inputs`. Outputs: `live_since`, `verdict`."""

    outputs = ("live_since", "verdict")

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """What must be so on each host: the traffic's weights and each replica."""
        hosts, count = inputs.get("hosts") or [], inputs.get("replicas") or 0
        return tuple(
            part
            for host in hosts
            for part in (
                _weight_part(str(host["name"])),
                *(_replica_part(str(host["name"]), n) for n in range(1, int(count) + 1)),
            )
        )

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        """A release of nothing, on nothing, or one that no container could be named for."""
        release, empty = inputs.get("release"), "must not be empty (got none)"
        return {
            **out_of_range(inputs, "replicas", 1, MAX_REPLICAS),
            **({} if inputs.get("hosts") else {"hosts": empty}),
            **({} if inputs.get("models") else {"models": empty}),
            **(
                {}
                if release is None or re.fullmatch(r"[0-9a-f]{12}", release)
                else {"release": f"must be 12 hex digits (got {release})"}
            ),
        }

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Walks the release in, or mends it where it is live already."""
        plan = Plan.from_inputs(inputs)
        machines = _open_all(plan.hosts)
        with Lock(machines) as lock:
            verdict = converge(plan, machines, console, lock)
        now = live.read(machines[0])
        return {"live_since": now.since if now else "", "verdict": verdict}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """The same; nothing new was walked where the release stayed the same."""
        outputs = self.create(inputs, console)
        leave(_gone(state, inputs), int(inputs["rollout"]["drain_timeout_s"]), console)
        return {**outputs, "verdict": outputs["verdict"] or state.get("verdict", "")}

    def look(self, state: Plain) -> Mapping[str, str]:
        """Weights, replicas and strangers on every host that answers."""
        plan = Plan.from_inputs(state)
        looks = on_each(lambda host: _try_to_look(host, plan), plan.hosts)
        silent = [look for look in looks if isinstance(look, HostError)]
        if len(silent) == len(looks):
            raise type(silent[0])("; ".join(str(e) for e in silent))
        # and the others' drift still shows
        return {
            part: said for look in looks if isinstance(look, dict) for part, said in look.items()
        }

    def delete(self, state: Plain, console: Console) -> None:
        """Stops every replica, the live ones too, and forgets the releases."""
        leave(_hosts(state), int(state["rollout"]["drain_timeout_s"]), console)


def _hosts(values: Plain) -> list[Host]:
    return [Host.from_inputs(host) for host in values.get("hosts") or []]


def _gone(state: Plain, inputs: Plain) -> list[Host]:
    """The hosts that left the stack; not those that are out, or that only have another name."""
    now = _hosts(inputs)
    names = {host.name for host in now} | {str(name) for name in inputs.get("out") or []}
    ids = {host.machine_id for host in now if host.machine_id}
    return [h for h in _hosts(state) if h.name not in names and h.machine_id not in ids]


def leave(hosts: Sequence[Host], drain_timeout_s: int, console: Console) -> None:
    """Takes the release off hosts: their users' requests end, then no replica is left.

    A host that does not answer is named and left as it is: the others are not held up by it, and
    the resources that stay in its own state say so again.

    Raises:
        Refused: another release is being walked there.
    """
    machines = []
    for host in hosts:
        if is_forgotten(host.name):
            continue
        try:
            machines.append(open_machine(host))
        except HostError as e:
            console.warn(f"{e} Its replicas were not ended.")
    if not machines:
        return
    entries = tuple(m for m in machines if m.host.entry)
    members = Members(tuple(machines), entries, len(machines))
    with Lock(machines):
        on_each(partial(_unless_silent, _send_nobody, console), machines)
        for slot in SLOTS:
            retire.drain(members, slot, drain_timeout_s)
        on_each(partial(_unless_silent, _clear, console), machines)


def _weight_part(host: str) -> str:
    return f"{host}: traffic"


def _replica_part(host: str, number: int) -> str:
    return f"{host}: replica {number}"


def _open_all(hosts: Sequence[Host]) -> list[Machine]:
    """Every host, or one error that names each that does not answer."""
    return on_each_host(open_machine, hosts)


def _try_to_look(host: Host, plan: Plan) -> dict[str, str] | HostError:
    try:
        return _look_at(open_machine(host), plan)
    except HostError as e:
        return e


def _look_at(machine: Machine, plan: Plan) -> dict[str, str]:
    host, now = machine.host.name, live.read(machine)
    there = machine.containers()
    found = {_weight_part(host): _weights(machine, plan, now, there)}
    for number in range(1, plan.replicas + 1):
        found[_replica_part(host, number)] = _replica(machine, plan, now, number, there)
    for other in replicas.of_role(there):
        if replicas.not_of(now)(other):
            found[f"{host}: container {other.name}"] = "nobody declared it"
    return found


def _weights(machine: Machine, plan: Plan, now: Live | None, there: Sequence[Running]) -> str:
    if now is None:
        return "no release is live"
    if now.release != plan.release:
        return f"release {now.release} is live"
    running = {c.name for c in there if c.is_running}
    if machine.edge_name not in running:
        return "the edge is not running"
    if (slot := machine.edge_live()) != now.slot:
        return f"the edge sends users to slot {slot}"
    share = canary(machine)
    return f"the edge sends {share:.2%} of the users to a candidate" if share else AS_DECLARED


def _replica(
    machine: Machine, plan: Plan, now: Live | None, number: int, there: Sequence[Running]
) -> str:
    name = replica.name(plan.stack, plan.release, number)
    found = next((c for c in there if c.name == name), None)
    if found is None:
        return "removed"
    if not found.is_running:
        return f"not running ({found.status})"
    try:
        wanted = replicas.wanted(machine, plan, now.slot if now else "a", number)
    except devices.NoDevice as e:
        return str(e)
    if difference := found.differs_from(wanted):
        return difference
    if found.image_id != machine.image_id(plan.image_of(machine.host)):
        return f"runs another image ({found.image_id[:12]})"
    return AS_DECLARED


def _unless_silent(work: Callable[[Machine], None], console: Console, machine: Machine) -> None:
    try:
        work(machine)
    except Unreachable as e:
        console.warn(f"{e} Its replicas were not ended.")


def _send_nobody(machine: Machine) -> None:
    """Its own users get nothing from now on; the other hosts' edges know it no more."""
    if machine.edge_name in {c.name for c in machine.containers() if c.is_running}:
        traffic.set_none(machine)


def _clear(machine: Machine) -> None:
    replicas.remove(machine, lambda _: True)
    live.write(machine, None)
    for name in machine.names_in(machine.paths.releases):
        machine.remove(machine.paths.releases / name)
