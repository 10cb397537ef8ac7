"""The address that moves between a stack's entries, on one of them: keepalived in a container."""

from collections.abc import Iterator, Mapping
from pathlib import PurePosixPath

from infra.commands import containers, files, floating
from infra.commands.containers import Container
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

CONFIG_PART = floating.CONFIG_NAME
CONTAINER_PART = "address container"
STOP_TIMEOUT_S = 5
STAYS_S = 2.0
"""keepalived that cannot go by its configuration ends at once."""


class Floating(Resource):
    """Inputs: `host`, `machine_id`, `image` (the edge's), `address` with its prefix, `interface`,
    `router_id`, `entries`: name and `address` of each, this host among them.
    """

    follows_other_hosts = True

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """Its configuration and its container."""
        return (CONFIG_PART, CONTAINER_PART)

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        """A number that VRRP has no room for."""
        return out_of_range(inputs, "router_id", 1, 255)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Starts keepalived; one that runs takes a new configuration and keeps the address."""
        machine = machine_of(inputs)
        if wrong := list(faults(machine, str(inputs["interface"]))):
            raise Refused("\n".join(f"{machine.host.name}: {fault}" for fault in wrong))
        wanted, text, path = _container(machine, inputs), _config(machine, inputs), _path(machine)
        if machine.read(path) != text:
            machine.run(files.make_folder(str(path.parent), "0755"))
            machine.write(path, text)
        if look_at_container(machine, wanted) == AS_DECLARED:
            machine.run(containers.kill(machine.engine, wanted.name, "HUP"))
        else:  # one that is stopped gives the address away by itself
            machine.stop([wanted.name], STOP_TIMEOUT_S)
            machine.ensure(wanted, [])
        _refuse_ended(machine, wanted.name, console)
        return {}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """The same."""
        return self.create(inputs, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Its configuration compared by content, the container by state, image and settings."""
        machine = machine_of(state)
        return {
            CONFIG_PART: look_at_file(machine.read(_path(machine)), _config(machine, state)),
            CONTAINER_PART: look_at_container(machine, _container(machine, state)),
        }

    def delete(self, state: Plain, console: Console) -> None:
        """Ends keepalived, which gives the address away, and removes its folder."""
        machine = machine_of(state)
        machine.stop([floating.name(machine.host.stack)], STOP_TIMEOUT_S)
        machine.remove(_path(machine).parent)


def faults(machine: Machine, interface: str) -> Iterator[str]:
    """Why a host's addresses cannot be set on that network card, without the host's name."""
    if not machine.connection.is_root:
        yield (
            "is worked on without root, which cannot move the floating address. Work there as "
            "root, or remove `edge.floating` and use a DNS name with two records."
        )
    if machine.connection.run(floating.check_card(interface)).status != 0:
        yield (
            f"has no network card {interface}. Name one that `ip link` shows on every entry, "
            "`edge.floating.interface`."
        )


def is_held(machine: Machine, ip: str) -> bool:
    """Whether the host has the floating address now."""
    done = machine.connection.run(floating.held(machine.engine, machine.host.stack, ip))
    return done.status == 0 and ip in done.out


def _path(machine: Machine) -> PurePosixPath:
    return machine.paths.address / floating.CONFIG_NAME


def _config(machine: Machine, inputs: Plain) -> str:
    host = machine.host
    return floating.config(
        stack=host.stack,
        host=host.name,
        address=str(inputs["address"]),
        interface=str(inputs["interface"]),
        router_id=int(inputs["router_id"]),
        entries=[(str(e["name"]), str(e["address"])) for e in inputs["entries"]],
        edge_metrics=host.ports.edge_metrics,
    )


def _container(machine: Machine, inputs: Plain) -> Container:
    return floating.container(
        stack=machine.host.stack, image=str(inputs["image"]), folder=str(machine.paths.address)
    )


def _refuse_ended(machine: Machine, name: str, console: Console) -> None:
    """Passes where keepalived goes on running with its configuration."""

    def has_ended() -> bool:
        found = next((c for c in machine.containers() if c.name == name), None)
        return found is None or not found.is_running or found.restarts > 0

    if wait_until(has_ended, STAYS_S, console.stopped, every_s=0.5):
        said = machine.last_words(name) or "empty"
        msg = (
            f"{machine.host.name}: keepalived does not stay up (its log ends: {said}). "
            "See `make logs`."
        )
        raise Refused(msg)
