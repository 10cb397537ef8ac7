"""The release of a stack: walked in when it is new, mended when a host drifted, never replaced."""

import re
from collections.abc import Mapping, Sequence

from infra.commands import edge, replica
from infra.commands.containers import Container, Running
from infra.config import MAX_REPLICAS
from infra.connection import HostError, Unreachable
from infra.host import SLOTS, Host
from infra.provider import devices, keep, live, replicas
from infra.provider.console import Console
from infra.provider.each import on_each, on_each_host
from infra.provider.live import Live
from infra.provider.lock import Lock
from infra.provider.machine import Machine, open_machine
from infra.provider.plan import Plan
from infra.provider.record import Record
from infra.provider.resource import (
    AS_DECLARED,
    Plain,
    Refused,
    Resource,
    is_forgotten,
    out_of_range,
)
from infra.provider.traffic import is_at, set_live
from infra.provider.walk import Walk


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
    if machines:
        with Lock(machines):
            on_each(lambda m: _clear(m, drain_timeout_s, console), machines)


def converge(plan: Plan, machines: Sequence[Machine], console: Console, lock: Lock) -> str:
    """Makes the release live on every host, from whatever an earlier run has left there.

    Returns:
        The path of the verdict; empty where it was live already and nothing was walked.

    Raises:
        Refused: the release did not pass; what was live before stays.
    """
    on_each(live.mend, machines)
    behind = [m for m in machines if not _is_live(m, plan)]
    # where it is live already an earlier run got so far, and was then killed
    level = [m for m in machines if m not in behind]
    on_each(lambda machine: _mend(machine, plan, console), level, plan.parallel)
    if not behind:
        return ""
    record = Record(plan, console)
    Walk(plan, behind, console, lock, record).run()
    return f"{record.shown_folder}/verdict.json"


def _weight_part(host: str) -> str:
    return f"{host}: traffic"


def _replica_part(host: str, number: int) -> str:
    return f"{host}: replica {number}"


def _open_all(hosts: Sequence[Host]) -> list[Machine]:
    """Every host, or one error that names each that does not answer."""
    return on_each_host(open_machine, hosts)


def _is_live(machine: Machine, plan: Plan) -> bool:
    now = live.read(machine)
    return now is not None and now.release == plan.release


def _mend(machine: Machine, plan: Plan, console: Console) -> None:
    """Brings a host whose release is right level: replicas, weights, strangers, image tags."""
    was = live.read(machine)
    if was is None:
        return
    now = Live(
        release=was.release,
        slot=was.slot,
        replicas=plan.replicas,
        since=was.since,
        image=plan.image_of(machine.host),
    )
    if not is_at(machine, now):
        set_live(machine, now)
    there = machine.containers()
    for number in range(1, plan.replicas + 1):
        _mend_replica(machine, plan, now, number, there, console)
    for name in replicas.remove(machine, replicas.not_of(now)):
        console.say(f"{machine.host.name}: {name} removed; it is no part of the live release")
    keep.prune(machine, plan.image_of(machine.host), plan.keep)


def _mend_replica(
    machine: Machine,
    plan: Plan,
    now: Live,
    number: int,
    there: Sequence[Running],
    console: Console,
) -> None:
    """Starts a replica that is missing or different; one that runs is drained before."""
    try:
        wanted = _wanted(machine, plan, now.slot, number)
    except devices.NoDevice as e:
        raise Refused(str(e)) from e
    found = next((c for c in there if c.name == wanted.name), None)
    image_id = machine.image_id(plan.image_of(machine.host))
    is_same = found and not found.differs_from(wanted) and found.image_id == image_id
    if found and found.is_running and is_same:
        return
    if found and found.is_running:
        machine.edge_command(edge.set_state(now.slot, number, "drain"))
        replicas.drain(machine, now.slot, plan.drain_timeout_s, console)
        machine.stop([found.name], replicas.STOP_TIMEOUT_S)
    machine.ensure(wanted, [])
    machine.edge_command(edge.set_state(now.slot, number, "ready"))
    try:
        replicas.await_replica(machine, plan, now.slot, number, console, lambda: None)
    except replicas.NotReady as e:
        raise Refused(f"{e}. The other replicas serve; see `make logs`.") from e
    console.say(f"{machine.host.name}: replica {number} started again")


def _wanted(machine: Machine, plan: Plan, slot: str, number: int) -> Container:
    """Replica `number` as it has to be on this host, its card included."""
    return plan.container(machine.host, machine.paths, slot, number, devices.access(machine))


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
    slot = machine.edge_live()
    return AS_DECLARED if slot == now.slot else f"the edge sends users to slot {slot}"


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
        wanted = _wanted(machine, plan, now.slot if now else "a", number)
    except devices.NoDevice as e:
        return str(e)
    if difference := found.differs_from(wanted):
        return difference
    if found.image_id != machine.image_id(plan.image_of(machine.host)):
        return f"runs another image ({found.image_id[:12]})"
    return AS_DECLARED


def _clear(machine: Machine, drain_timeout_s: int, console: Console) -> None:
    try:
        if machine.edge_name in {c.name for c in machine.containers() if c.is_running}:
            machine.edge_command(edge.set_live(None))
            for slot in SLOTS:
                replicas.drain(machine, slot, drain_timeout_s, console)
        replicas.remove(machine, lambda _: True)
        live.write(machine, None)
        for name in machine.names_in(machine.paths.releases):
            machine.remove(machine.paths.releases / name)
    except Unreachable as e:
        console.warn(f"{e} Its replicas were not ended.")
