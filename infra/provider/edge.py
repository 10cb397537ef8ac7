"""The edge of one host: HAProxy in a container, its configuration, and the keys for tokens."""

from collections.abc import Mapping

from infra.commands import containers, edge, haproxy, ports
from infra.commands.containers import Container
from infra.commands.fleet import Fleet, Peer
from infra.config import MAX_REPLICAS
from infra.config_edge import NO_TLS
from infra.config_edge import Edge as Settings
from infra.host import SLOTS
from infra.provider import certificate, identity, live, reload, replicas, traffic
from infra.provider.console import Console
from infra.provider.machine import Machine, wait_until
from infra.provider.resource import (
    AS_DECLARED,
    Plain,
    Refused,
    Resource,
    look_at_container,
    look_at_file,
    machine_of,
    out_of_range,
)

CONFIG_PART = "haproxy.cfg"
KEYS_PART = "jwks.json"
CONTAINER_PART = "edge container"
START_TIMEOUT_S = 30.0
SOFT_STOP_TIMEOUT_S = 60
DRAIN_TIMEOUT_S = 60
NO_KEYS = '{"keys": []}'


class Edge(Resource):
    """Inputs: `host`, `machine_id`, `image`, `image_id`, `address`, `port`, `replicas`, `jwks`,
    `tls`, `limits`, `rate_limit`, `certificate`, `certificate_key` (secret), `floating` (address).

    Of the stack: `entry`, `peers` (`name`, `address`, `entry` of each other host that takes part),
    `inner_ports_from`, `identity` (the host's own `certificates`: others are a reason to come by).

    Output: `served_certificate`, the public part, with which clients can check the host.
    """

    outputs = ("served_certificate",)
    follows_other_hosts = True

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
            _refuse_taken_ports(machine, _settings(machine, inputs), config, before or "")
        renewed = _write_files(machine, inputs)
        if before != config:
            machine.write(machine.paths.config, config)
        if there is None or not runs:
            machine.ensure(wanted, [])
        elif there.differs_from(wanted) or _runs_another_image(machine, there, inputs):
            _replace(machine, wanted, console)
        elif before != config or renewed or not _is_in_use(machine, inputs, config):
            reload.reload(machine, lambda: _put_back(machine, before), console)
        _wait_for_answer(machine, config, console)
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
        """Stops the edge and removes its files; the folder itself belongs to Prepare.

        Entries send it nothing more by then; what it has in work for them is answered first.
        """
        machine = machine_of(state)
        paths = machine.paths
        if not state.get("entry", True):
            _drain(machine, console)
        replicas.remove(machine, lambda _: True)  # the release left while the host was dead
        machine.stop([machine.edge_name], timeout_s=5)
        for path in (paths.config, paths.live_map, paths.weights, paths.jwks):
            machine.remove(path)
        certificate.remove(machine)


def _settings(machine: Machine, inputs: Plain) -> Settings:
    """The inputs as the part of the stack's file that they came from."""
    names = ("tls", "limits", "rate_limit", "inner_ports_from")
    return Settings.model_validate(
        {
            "address": str(inputs["address"]),
            "port": int(inputs["port"]),
            "ports_from": machine.host.ports_from,
            **{key: inputs[key] for key in names if inputs.get(key)},
        }
    )


def _fleet(machine: Machine, inputs: Plain) -> Fleet:
    """A state from before there were fleets is that of a host which is alone."""
    peers = tuple(
        Peer(str(p["name"]), str(p["address"]), bool(p["entry"])) for p in inputs.get("peers") or ()
    )
    return Fleet(
        name=machine.host.name,
        entry=bool(inputs.get("entry", True)),
        peers=peers,
        inner_bind=str(inputs["address"]) if peers else None,
    )


def _config(machine: Machine, inputs: Plain) -> str:
    """HAProxy's configuration, with the weights that the walk has given the hosts."""
    settings, fleet = _settings(machine, inputs), _fleet(machine, inputs)
    text = haproxy.config(settings, machine.host.ports, int(inputs["replicas"]), fleet)
    return haproxy.with_weights(text, machine.host.name, traffic.weights(machine))


def _container(machine: Machine, inputs: Plain) -> Container:
    has_key = certificate.kind(inputs) != NO_TLS or inputs.get("peers")
    return edge.container(
        name=machine.edge_name,
        stack=machine.host.stack,
        image=str(inputs["image"]),
        folder=str(machine.paths.edge),
        groups=certificate.groups(machine) if has_key else (),
    )


def _runs_another_image(machine: Machine, there: containers.Running, inputs: Plain) -> bool:
    """Whether it was started from other than what the stack's tag names on this host now.

    The id is the host's own: some engines give one image another id than the one that built it.
    """
    return there.image_id != machine.image_id(str(inputs["image"]))


def _write_files(machine: Machine, inputs: Plain) -> bool:
    """Everything but the configuration; whether the edge has to take it in.

    The replicas see the key set by themselves, and the record is not written where it is well.
    """
    paths = machine.paths
    keys = str(inputs["jwks"] or NO_KEYS)
    if machine.read(paths.jwks) != keys:
        machine.write(paths.jwks, keys)
    live.mend(machine)
    if inputs.get("peers"):
        identity.take_into_use(machine)
    return certificate.ensure(machine, inputs)


def _is_in_use(machine: Machine, inputs: Plain, config: str) -> bool:
    """Whether the edge that runs has taken in what lies there for it: a kill may come between."""
    return reload.has_taken(machine, config) and (
        not inputs.get("peers") or identity.is_in_use(machine)
    )


def _refuse_taken_ports(machine: Machine, settings: Settings, config: str, before: str) -> None:
    """Compares with what listens there; the ports of the edge that runs (`before`) are ours."""
    found = ports.sockets(machine.run(ports.tables()))
    needed, held = haproxy.listens_on(config), haproxy.listens_on(before)
    outer = {**settings.listens_on, **settings.inner_ports}
    wanted = [(settings.address, {port} & needed, key) for key, port in outer.items()]
    loopback = needed - set(outer.values())
    for address, numbers, key in (*wanted, (ports.LOOPBACK, loopback, "edge.ports_from")):
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


def _put_back(machine: Machine, before: str | None) -> None:
    if before is not None:
        machine.write(machine.paths.config, before)  # what a restart would come back with


def _wait_for_answer(machine: Machine, config: str, console: Console) -> None:
    """Until it answers and listens on every port: workers that cannot leave the old ones there."""
    metrics = machine.host.ports.edge_metrics
    missing = {metrics}

    def answers() -> bool:
        if machine.get(metrics, "/metrics", timeout_s=2).status != 200:
            return False
        missing.clear()
        listening = ports.listening(machine.run(ports.tables()))
        missing.update(haproxy.listens_on(config) - listening)
        return not missing

    if not wait_until(answers, START_TIMEOUT_S, console.stopped):
        said = machine.last_words(machine.edge_name) or "empty"
        msg = (
            f"{machine.host.name}: the edge does not answer on port {min(missing)} "
            f"(its log ends: {said}). See `make logs`."
        )
        raise Refused(msg)


def _drain(machine: Machine, console: Console) -> None:
    if any(c.name == machine.edge_name and c.is_running for c in machine.containers()):
        for slot in SLOTS:
            replicas.drain(machine, slot, DRAIN_TIMEOUT_S, console.stopped)


def _look_at_container(machine: Machine, state: Plain) -> str:
    found = look_at_container(machine, _container(machine, state))
    if found == AS_DECLARED and not _is_in_use(machine, state, _config(machine, state)):
        return "has not taken in its files"
    return found
