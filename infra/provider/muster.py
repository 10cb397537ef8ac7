"""All hosts of a stack asked at once, before any of them is touched."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from infra.connection import HostError, connect
from infra.host import Host
from infra.provider import audit, prepare
from infra.provider.console import Console
from infra.provider.each import on_each
from infra.provider.machine import Machine, open_machine
from infra.provider.resource import Plain, Refused


@dataclass(frozen=True)
class Present:
    """What a host said.

    Attributes:
        machine_id: the machine's own; empty where it was not told.
        fault: why it cannot be worked on, a line each; empty where it can.
    """

    machine_id: str
    fault: str


def ask(hosts: Sequence[Host], wanted: Mapping[str, Plain] | None = None) -> dict[str, Present]:
    """What each host says, by its name; changes nothing.

    Args:
        wanted: by the names of hosts what their edges need, as Prepare has it: hosts that are new
            are held against that. None: it is not asked.
    """
    answers = on_each(lambda host: _ask(host, (wanted or {}).get(host.name)), hosts)
    return {host.name: told for host, told in zip(hosts, answers, strict=True)}


def _ask(host: Host, wanted: Plain | None) -> Present:
    machine_id = ""
    try:
        machine_id = connect(host).machine_id()
        if wanted is not None:
            prepare.refuse_new(host, wanted)
    except (HostError, Refused) as e:
        return Present(machine_id, str(e))
    return Present(machine_id, "")


def tell_override(hosts: Sequence[Host], console: Console) -> None:
    """The audit log of each host that has one, and ours, tell that this is outside the hours."""
    there = on_each(_opened, hosts)
    audit.overridden([machine for machine in there if machine], hosts[0].stack, console)


def _opened(host: Host) -> Machine | None:
    """A host that is new may have no engine yet."""
    try:
        return open_machine(host)
    except HostError:
        return None


def faults(present: Mapping[str, Present]) -> list[str]:
    """What keeps each host from being worked on, and a line for each that is there twice."""
    ids = {name: told.machine_id for name, told in present.items() if told.machine_id}
    return [*(told.fault for told in present.values() if told.fault), *_twins(ids)]


def _twins(ids: Mapping[str, str]) -> list[str]:
    first: dict[str, str] = {}
    lines = []
    for name, machine_id in ids.items():
        other = first.setdefault(machine_id, name)
        if other != name:
            lines.append(
                f"{name}: is the same machine as {other} (id {machine_id[:8]}…). Remove one of "
                "them, or, where one was cloned, give it its own id: "
                "`rm /etc/machine-id && systemd-machine-id-setup`."
            )
    return lines
