"""What each of our resources can do, in plain Python; the server turns Pulumi's calls into it."""

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

from infra.commands.containers import Container
from infra.connection import HostError, Unreachable
from infra.host import Host
from infra.provider.console import Console
from infra.provider.machine import Machine, open_machine

ON_HOST = "on_host"
"""Property that says in words what is found on the host: as declared, or what differs."""

AS_DECLARED = "as declared"
STATUS = "status"
ANSWERS = "answers"
OUT = "out"
"""The status of a host that takes no part: nobody looked."""

FORGET = "BENTOFLEET_FORGET"
"""Environment variable: names, with commas between, of hosts that are given up as they are."""

Plain = dict[str, Any]


class Refused(Exception):
    """An operation that cannot be done: one line, `where: what is wrong. What to do.`"""


class Resource(ABC):
    """One type of resource. `inputs` and `state` are plain values; `state` repeats the inputs."""

    outputs: tuple[str, ...] = ()
    """Properties that only `create` and `update` can tell."""

    follows_other_hosts = False
    """Whether resources of other hosts come before it, and so are deleted after it only."""

    @abstractmethod
    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """Things on the host that this resource declares, by the names `read` gives them."""

    @abstractmethod
    def create(self, inputs: Plain, console: Console) -> Plain:
        """Makes it, adopting what is there; the outputs. Safe to call again after a crash."""

    @abstractmethod
    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Brings what `state` tells to what `inputs` ask; the outputs."""

    @abstractmethod
    def look(self, state: Plain) -> Mapping[str, str]:
        """What is found on the host for each of `parts`, and for things that nobody declared.

        Raises:
            Unreachable: the host does not answer.
        """

    @abstractmethod
    def delete(self, state: Plain, console: Console) -> None:
        """Removes it and nothing else; also what an earlier try has left."""

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        """Inputs that cannot be right, each with its reason; what is not known yet is None."""
        return {}

    def declared(self, inputs: Plain) -> dict[str, str]:
        """`on_host` as it is when nothing differs."""
        return dict.fromkeys(self.parts(inputs), AS_DECLARED)

    def read(self, state: Plain) -> Plain:
        """What differs from the state now; a host that cannot be read is no difference.

        Never raises for a host: one that is silent must not break the refresh of the others.
        """
        if is_out(state):
            return {STATUS: OUT}
        try:
            found = dict(self.look(state))
        except HostError as e:
            word = "unreachable" if isinstance(e, Unreachable) else "not read"
            return {STATUS: f"{word}: {e}"}
        return {ON_HOST: {**self.declared(state), **found}, STATUS: ANSWERS}


def is_out(values: Plain) -> bool:
    """Whether the resource lives on one host, and that takes no part: it is left as it is."""
    host = values.get("host")
    return isinstance(host, dict) and bool(host.get("out"))


def is_forgotten(host: str) -> bool:
    """Whether whoever runs this gives a host up: what lies there stays, and nobody knows of it."""
    return host in os.environ.get(FORGET, "").split(",")


def remove(resource: Resource, state: Plain, console: Console) -> None:
    """Deletes a resource; the state of a host that cannot be reached stays, unless it is given up.

    What follows other hosts' resources is only named there: it would keep theirs from being
    deleted. The host's images stay in the state, and take what is left with them.

    Raises:
        HostError: the host cannot be worked on; names the two ways out.
    """
    name = host_name(state)
    if name and is_forgotten(name):
        console.warn(f"{name}: given up ({FORGET}). What the stack put there stays.")
        return
    try:
        resource.delete(state, console)
    except HostError as e:
        if not name:
            raise
        if resource.follows_other_hosts and isinstance(e, Unreachable):
            console.warn(f"{e} What is left there goes with the host's images.")
            return
        msg = (
            f"{e} What the stack put there stays. When the host is back, run the same command "
            f"again; if it never comes back, run it with {FORGET}={name}."
        )
        raise type(e)(msg) from e


def host_name(values: Plain) -> str:
    """The name of the host that a resource lives on; empty where it is the whole stack's."""
    return str((values.get("host") or {}).get("name", ""))


def host_of(values: Plain) -> Host:
    """The host of a resource that lives on one, with the id of the machine that was prepared."""
    return Host.from_inputs({**values["host"], "machine_id": values.get("machine_id")})


def machine_of(values: Plain) -> Machine:
    """The machine of a resource that lives on one host."""
    return open_machine(host_of(values))


def differs(found: object, declared: object, what: str) -> str:
    """`as declared`, or `what` when the two are not equal."""
    return AS_DECLARED if found == declared else what


def look_at_file(found: str | None, declared: str) -> str:
    """What to say of a file on a host: as declared, removed, or changed by hand."""
    return "removed" if found is None else differs(found, declared, "changed by hand")


def look_at_container(machine: Machine, wanted: Container) -> str:
    """What to say of a container: as declared, or how it differs.

    The image's id is the host's own: some engines give one image another id than the one that
    built it.
    """
    there = next((c for c in machine.containers() if c.name == wanted.name), None)
    if there is None:
        return "removed"
    if not there.is_running:
        return f"not running ({there.status})"
    if there.image_id != machine.image_id(wanted.image):
        return f"runs another image ({there.image_id[:12]})"
    return there.differs_from(wanted) or AS_DECLARED


def out_of_range(inputs: Plain, name: str, least: int, most: int) -> dict[str, str]:
    """The fault of a number outside its range; none when it is not known yet."""
    value = inputs.get(name)
    if value is None or (isinstance(value, int) and least <= value <= most):
        return {}
    return {name: f"must be a whole number from {least} to {most} (got {value})"}
