"""The edge of one host: HAProxy in a container, its configuration, and the keys for tokens."""

from collections.abc import Mapping

from infra.commands import containers, edge, ports
from infra.commands.containers import Container
from infra.config import MAX_REPLICAS
from infra.host import SLOTS
from infra.provider import live
from infra.provider.console import Console
from infra.provider.machine import Machine, wait_until
from infra.provider.resource import (
    AS_DECLARED,
    Plain,
    Refused,
    Resource,
    look_at_file,
    machine_of,
    out_of_range,
)

CONFIG_PART = "haproxy.cfg"
KEYS_PART = "jwks.json"
CONTAINER_PART = "edge container"
START_TIMEOUT_S = 30.0
SOFT_STOP_TIMEOUT_S = 60
NO_KEYS = '{"keys": []}'


class Edge(Resource):
    """Inputs: `host`, `machine_id`, `image`, `image_id`, `address`, `port`, `replicas`, `jwks`."""

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """Its files and its container."""
        return (CONFIG_PART, KEYS_PART, CONTAINER_PART)

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        """A port or a number of replicas that no host can have."""
        return {
            **out_of_range(inputs, "port", 1, 65535),
            **out_of_range(inputs, "replicas", 1, MAX_REPLICAS),
        }

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Writes the files and starts the container; an edge that runs is reloaded or replaced."""
        machine = machine_of(inputs)
        wanted = _container(machine, inputs)
        there = next((c for c in machine.containers() if c.name == wanted.name), None)
        if there is None:
            _refuse_taken_ports(machine, int(inputs["port"]))
        changed = _write_files(machine, inputs)
        if there is None or not there.is_running:
            machine.ensure(wanted, [])
        elif there.differs_from(wanted) or there.image_id != _image_id(inputs):
            _replace(machine, wanted, console)
        elif changed:
            _reload(machine)
        _wait_for_answer(machine, console)
        return {}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """The same; a change of the configuration is a reload, and loses nothing."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Files compared by content; the container by state, image and settings."""
        machine = machine_of(state)
        config, keys = machine.read(machine.paths.config), machine.read(machine.paths.jwks)
        return {
            CONFIG_PART: look_at_file(config, _config(machine, state)),
            KEYS_PART: look_at_file(keys, str(state["jwks"] or NO_KEYS)),
            CONTAINER_PART: _look_at_container(machine, state),
        }

    def delete(self, state: Plain, console: Console) -> None:
        """Stops the edge and removes its files; the folder itself belongs to Prepare."""
        machine = machine_of(state)
        machine.stop([machine.edge_name], timeout_s=5)
        for path in (machine.paths.config, machine.paths.live_map, machine.paths.jwks):
            machine.remove(path)


def _config(machine: Machine, inputs: Plain) -> str:
    return edge.config(
        address=str(inputs["address"]),
        port=int(inputs["port"]),
        ports=machine.host.ports,
        replicas=int(inputs["replicas"]),
    )


def _container(machine: Machine, inputs: Plain) -> Container:
    return edge.container(
        name=machine.edge_name,
        stack=machine.host.stack,
        image=str(inputs["image"]),
        folder=str(machine.paths.edge),
    )


def _image_id(inputs: Plain) -> str:
    return containers.short_id(str(inputs["image_id"]))


def _write_files(machine: Machine, inputs: Plain) -> bool:
    """Writes what differs; whether the edge must read its configuration again."""
    paths = machine.paths
    keys = str(inputs["jwks"] or NO_KEYS)
    if machine.read(paths.jwks) != keys:
        machine.write(paths.jwks, keys)  # the replicas see the new file by themselves
    if machine.read(paths.live_map) is None:
        live.write(machine, live.serving(machine))
    config = _config(machine, inputs)
    if machine.read(paths.config) == config:
        return False
    machine.write(paths.config, config)
    return True


def _refuse_taken_ports(machine: Machine, port: int) -> None:
    taken = ports.listening(machine.run(ports.tables()))
    if port in taken:
        msg = f"{machine.host.name}: port {port} is taken. Free it, or choose another `edge.port`."
        raise Refused(msg)
    plan = machine.host.ports
    ours = {plan.edge_metrics, *(plan.direct(slot) for slot in SLOTS)}
    if ours & taken:
        msg = (
            f"{machine.host.name}: port {min(ours & taken)} is taken. "
            "Free it, or choose another `edge.ports_from`."
        )
        raise Refused(msg)


def _replace(machine: Machine, wanted: Container, console: Console) -> None:
    """Starts the new edge beside the old, on the same ports, then lets the old one finish.

    SIGUSR1 is HAProxy's soft stop: it takes no new connection and ends with its last one.
    """
    old = f"{wanted.name}-old"
    machine.remove_container(old)
    machine.run(containers.rename(machine.engine, wanted.name, old))
    machine.run(containers.run(machine.engine, wanted))
    machine.connection.run(containers.kill(machine.engine, old, "USR1"))

    def has_ended() -> bool:
        return not any(c.name == old and c.is_running for c in machine.containers())

    wait_until(has_ended, SOFT_STOP_TIMEOUT_S, console.stopped)
    machine.remove_container(old)


def _reload(machine: Machine) -> None:
    machine.run([machine.engine, "exec", machine.edge_name, *edge.check_config()])
    machine.run(containers.kill(machine.engine, machine.edge_name, "USR2"))


def _wait_for_answer(machine: Machine, console: Console) -> None:
    port = machine.host.ports.edge_metrics

    def answers() -> bool:
        return machine.get(port, "/metrics", timeout_s=2).status == 200

    if not wait_until(answers, START_TIMEOUT_S, console.stopped):
        said = machine.last_words(machine.edge_name) or "empty"
        msg = (
            f"{machine.host.name}: the edge does not answer on port {port} "
            f"(its log ends: {said}). See `make logs`."
        )
        raise Refused(msg)


def _look_at_container(machine: Machine, state: Plain) -> str:
    there = next((c for c in machine.containers() if c.name == machine.edge_name), None)
    if there is None:
        return "removed"
    if not there.is_running:
        return f"not running ({there.status})"
    if there.image_id != _image_id(state):
        return f"runs another image ({there.image_id[:12]})"
    return there.differs_from(_container(machine, state)) or AS_DECLARED
