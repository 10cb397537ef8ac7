"""The releases that were rolled back on a host: it refuses them until `make unpin`."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from infra.connection import HostError
from infra.provider.each import on_each_host
from infra.provider.machine import Machine
from infra.provider.resource import Refused


@dataclass(frozen=True, kw_only=True)
class RolledBack:
    """One way back.

    Attributes:
        release: what was live, and is refused from then on.
        to: what became live in its place.
        at: when, ISO 8601 UTC.
    """

    release: str
    to: str
    at: str
    operator: str

    def told(self) -> str:
        """When and by whom, for a message."""
        return f"at {self.at} by {self.operator}"


def text(entries: Mapping[str, RolledBack]) -> str:
    """The file."""
    return json.dumps([asdict(entry) for entry in entries.values()], indent=1) + "\n"


def parse(content: str | None) -> dict[str, RolledBack]:
    """What the file says, by release.

    Raises:
        ValueError: it is not what `text` writes.
    """
    try:
        entries = [RolledBack(**entry) for entry in json.loads(content or "[]")]
    except TypeError as e:
        raise ValueError(str(e)) from e
    return {entry.release: entry for entry in entries}


def read(machine: Machine) -> dict[str, RolledBack]:
    """The releases that a host refuses.

    Raises:
        HostError: its file is damaged: nobody can say what it refuses.
    """
    path = machine.paths.rolled_back
    try:
        return parse(machine.read(path))
    except ValueError as e:
        msg = f"{machine.host.name}: {path} cannot be read. Run `make unpin`, which removes it."
        raise HostError(msg) from e


def add(machine: Machine, entry: RolledBack) -> None:
    """Has a host refuse one more."""
    machine.write(machine.paths.rolled_back, text({**read(machine), entry.release: entry}))


def take_back(machine: Machine, release: str) -> None:
    """Has a host refuse one less."""
    left = {name: entry for name, entry in read(machine).items() if name != release}
    if left:
        machine.write(machine.paths.rolled_back, text(left))
    else:
        machine.remove(machine.paths.rolled_back)


def clear(machine: Machine) -> list[str]:
    """Has a host refuse none; those that it did, as far as its file can be read."""
    try:
        found = list(parse(machine.read(machine.paths.rolled_back)))
    except ValueError:
        found = []
    machine.remove(machine.paths.rolled_back)
    return found


def refuse(release: str, stack: str, machines: Sequence[Machine]) -> None:
    """Ends where a release was rolled back on any of the hosts.

    Raises:
        Refused: it was; names them.
        HostError: one cannot tell.
    """
    found = on_each_host(read, machines)
    told = {
        machine.host.name: entries[release].told()
        for machine, entries in zip(machines, found, strict=True)
        if release in entries
    }
    if told:
        hosts, when = ", ".join(told), next(iter(told.values()))
        msg = (
            f"{hosts}: release {release} was rolled back there ({when}) and is refused. Release "
            f"another one, or, to let it come again, run `make unpin STACK={stack}`."
        )
        raise Refused(msg)
