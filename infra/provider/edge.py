"""The edge of one host: HAProxy in a container, its configuration, and the keys for tokens."""

from collections.abc import Mapping

from infra.commands import containers, edge, haproxy, ports
from infra.commands.containers import Container
from infra.config import MAX_REPLICAS
from infra.config_edge import NO_TLS
from infra.config_edge import Edge as Settings
from infra.connection import HostError
from infra.host import SLOTS
from infra.provider import certificate, live, replicas
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
    """Inputs: `host`, `machine_id`, `image`, `image_id`, `address`, `port`, `replicas`, `jwks`,
    `tls`, `limits`, `rate_limit`, `certificate`, `certificate_key` (secret).

    Output: `served_certificate`, the public part, with which clients can check the host.
    """

    outputs = ("served_certificate",)

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """Its files and its container."""
        has_tls = certificate.kind(inputs) != NO_TLS
        tls = (certificate.PART,) if has_tls else ()
        return (CONFIG_PART, KEYS_PART, *tls, CONTAINER_PART)

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
        runs = there is not None and there.is_running
        before = machine.read(machine.paths.config) if runs else None
        config = _config(machine, inputs)
        if not runs or before is not None:
            _refuse_taken_ports(machine, _settings(machine, inputs), before or "")
        _write_files(machine, inputs)
        renewed = certificate.ensure(machine, inputs)
        if before != config:
            machine.write(machine.paths.config, config)
        if there is None or not runs:
            machine.ensure(wanted, [])
        elif there.differs_from(wanted) or _runs_another_image(machine, there, inputs):
            _replace(machine, wanted, console)
        elif before != config or renewed:
            _reload(machine, before, console)
        _wait_for_answer(machine, _settings(machine, inputs), console)
        if certificate.kind(inputs) == NO_TLS:
            certificate.remove(machine)
        return {"served_certificate": certificate.served(machine, inputs)}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """The same; a change of the configuration is a reload, and loses nothing."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Files compared by content; the container by state, image and settings."""
        machine = machine_of(state)
        config, keys = machine.read(machine.paths.config), machine.read(machine.paths.jwks)
        found = {
            CONFIG_PART: look_at_file(config, _config(machine, state)),
            KEYS_PART: look_at_file(keys, str(state["jwks"] or NO_KEYS)),
            CONTAINER_PART: _look_at_container(machine, state),
        }
        if certificate.kind(state) != NO_TLS:
            found[certificate.PART] = certificate.look(machine, state)
        return found

    def delete(self, state: Plain, console: Console) -> None:
        """Stops the edge and removes its files; the folder itself belongs to Prepare."""
        machine = machine_of(state)
        replicas.remove(machine, lambda _: True)  # the release left while the host was dead
        machine.stop([machine.edge_name], timeout_s=5)
        for path in (machine.paths.config, machine.paths.live_map, machine.paths.jwks):
            machine.remove(path)
        certificate.remove(machine)


def _settings(machine: Machine, inputs: Plain) -> Settings:
    """The inputs as the part of the stack's file that they came from."""
    sections = {key: inputs[key] for key in ("tls", "limits", "rate_limit") if inputs.get(key)}
    return Settings.model_validate(
        {
            "address": str(inputs["address"]),
            "port": int(inputs["port"]),
            "ports_from": machine.host.ports_from,
            **sections,
        }
    )


def _config(machine: Machine, inputs: Plain) -> str:
    settings = _settings(machine, inputs)
    return haproxy.config(settings, machine.host.ports, int(inputs["replicas"]))


def _container(machine: Machine, inputs: Plain) -> Container:
    return edge.container(
        name=machine.edge_name,
        stack=machine.host.stack,
        image=str(inputs["image"]),
        folder=str(machine.paths.edge),
        groups=() if certificate.kind(inputs) == NO_TLS else certificate.groups(machine),
    )


def _runs_another_image(machine: Machine, there: containers.Running, inputs: Plain) -> bool:
    """Whether it was started from other than what the stack's tag names on this host now.

    The id is the host's own: some engines give one image another id than the one that built it.
    """
    return there.image_id != machine.image_id(str(inputs["image"]))


def _write_files(machine: Machine, inputs: Plain) -> None:
    """Writes the key set, which the replicas see by themselves, and the record if there is none."""
    paths = machine.paths
    keys = str(inputs["jwks"] or NO_KEYS)
    if machine.read(paths.jwks) != keys:
        machine.write(paths.jwks, keys)
    if machine.read(paths.live_map) is None:
        live.write(machine, live.serving(machine))


def _refuse_taken_ports(machine: Machine, settings: Settings, before: str) -> None:
    """Compares with what listens there; the ports of the edge that runs (`before`) are ours."""
    found = ports.sockets(machine.run(ports.tables()))
    held, plan = haproxy.listens_on(before), machine.host.ports
    inner = {plan.edge_metrics, *(plan.direct(slot) for slot in SLOTS)}
    wanted = [(settings.address, {port}, key) for key, port in settings.listens_on.items()]
    for address, numbers, key in (*wanted, (ports.LOOPBACK, inner, "edge.ports_from")):
        if taken := ports.taken(found, address, numbers - held):
            port = min(taken)
            msg = f"{machine.host.name}: port {port} is taken. Free it, or choose another `{key}`."
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


def _reload(machine: Machine, before: str | None, console: Console) -> None:
    """Lets new workers take over; where they cannot, the old ones stay, and so does what they read.

    Raises:
        HostError: HAProxy refuses the configuration.
        Refused: its workers did not start.
    """
    try:
        machine.run([machine.engine, "exec", machine.edge_name, *haproxy.check()])
    except HostError:
        _put_back(machine, before)
        raise
    old = _workers(machine)
    machine.run(containers.kill(machine.engine, machine.edge_name, "USR2"))
    is_new = wait_until(lambda: bool(_workers(machine) - old), START_TIMEOUT_S, console.stopped)
    if not is_new:
        said = machine.last_words(machine.edge_name) or "empty"
        _put_back(machine, before)
        msg = (
            f"{machine.host.name}: the edge did not take its new configuration "
            f"(its log ends: {said}). The old one serves; see `make logs`."
        )
        raise Refused(msg)


def _put_back(machine: Machine, before: str | None) -> None:
    if before is not None:
        machine.write(machine.paths.config, before)  # what a restart would come back with


def _workers(machine: Machine) -> set[int]:
    """Process ids of HAProxy's workers; none while its master starts itself anew."""
    argv = [machine.engine, "exec", "--interactive", machine.edge_name, *edge.WORKERS]
    done = machine.connection.run(argv, edge.show_workers())
    return edge.parse_workers(done.out) if done.status == 0 else set()


def _wait_for_answer(machine: Machine, settings: Settings, console: Console) -> None:
    """Until it answers and listens on every port: workers that cannot leave the old ones there."""
    metrics = machine.host.ports.edge_metrics
    missing = {metrics}

    def answers() -> bool:
        if machine.get(metrics, "/metrics", timeout_s=2).status != 200:
            return False
        missing.clear()
        listening = ports.listening(machine.run(ports.tables()))
        missing.update(set(settings.listens_on.values()) - listening)
        return not missing

    if not wait_until(answers, START_TIMEOUT_S, console.stopped):
        said = machine.last_words(machine.edge_name) or "empty"
        msg = (
            f"{machine.host.name}: the edge does not answer on port {min(missing)} "
            f"(its log ends: {said}). See `make logs`."
        )
        raise Refused(msg)


def _look_at_container(machine: Machine, state: Plain) -> str:
    there = next((c for c in machine.containers() if c.name == machine.edge_name), None)
    if there is None:
        return "removed"
    if not there.is_running:
        return f"not running ({there.status})"
    if _runs_another_image(machine, there, state):
        return f"runs another image ({there.image_id[:12]})"
    return there.differs_from(_container(machine, state)) or AS_DECLARED
