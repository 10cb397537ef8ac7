"""What was made on a host for our sake, written down there before it is made.

`destroy` takes back what stands here and nothing else. Packages, groups and settings serve every
stack of a host: a stack that goes hands them on to one that stays.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import PurePosixPath

from infra.provider.machine import Machine

NAME = "made.json"


@dataclass(frozen=True, kw_only=True)
class Made:
    """What there was not before.

    Attributes:
        packages: that came with the engine or the time service.
        groups: as `infra.commands.groups` names them.
        folders: outside of the stack's own: those that lead to it and to its unit, and those that
            an engine keeps things in.
        is_time_on: whether the time service was turned on.
        is_linger_on: whether the user's services were allowed to run without a login.
    """

    packages: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()
    is_time_on: bool = False
    is_linger_on: bool = False

    def and_(self, other: "Made") -> "Made":
        """Both together."""
        return Made(
            packages=_union(self.packages, other.packages),
            groups=_union(self.groups, other.groups),
            folders=_union(self.folders, other.folders),
            is_time_on=self.is_time_on or other.is_time_on,
            is_linger_on=self.is_linger_on or other.is_linger_on,
        )

    def without(self, other: "Made") -> "Made":
        """What the other one does not have."""
        return Made(
            packages=tuple(sorted({*self.packages} - {*other.packages})),
            groups=tuple(sorted({*self.groups} - {*other.groups})),
            folders=tuple(sorted({*self.folders} - {*other.folders})),
            is_time_on=self.is_time_on and not other.is_time_on,
            is_linger_on=self.is_linger_on and not other.is_linger_on,
        )


NOTHING = Made()


def _union(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({*one, *other}))


def text(made: Made) -> str:
    """The record as it stands on the host."""
    return json.dumps(asdict(made), indent=1) + "\n"


def parse(content: str | None) -> Made | None:
    """What a record says; nothing where there is none, None where it cannot be read."""
    if content is None:
        return NOTHING
    try:
        raw = json.loads(content)
        return Made(
            packages=tuple(map(str, raw["packages"])),
            groups=tuple(map(str, raw["groups"])),
            folders=tuple(map(str, raw["folders"])),
            is_time_on=bool(raw["is_time_on"]),
            is_linger_on=bool(raw["is_linger_on"]),
        )
    except (ValueError, TypeError, KeyError):
        return None


def strike(machine: Machine, less: Made) -> None:
    """Takes out of the record what could not be made after all."""
    path = machine.paths.root / NAME
    if before := parse(machine.read(path)):
        machine.write(path, text(before.without(less)))


def read(machine: Machine) -> Made | None:
    """The stack's record on a host; None where it cannot be read."""
    return parse(machine.read(machine.paths.root / NAME))


def note(machine: Machine, more: Made) -> None:
    """Writes down what will be made now; what stands there stays."""
    _add(machine, machine.paths.root, more)


def hand_on(machine: Machine, made: Made) -> bool:
    """Gives what was made to another stack of this host; whether there is one."""
    root = machine.paths.root
    for name in sorted(machine.names_in(root.parent)):
        other = root.parent / name
        if name != root.name and "edge" in machine.names_in(other):
            _add(machine, other, made)
            return True
    return False


def _add(machine: Machine, folder: PurePosixPath, more: Made) -> None:
    before = machine.read(folder / NAME)
    after = text((parse(before) or NOTHING).and_(more))
    if more != NOTHING and after != before:
        machine.write(folder / NAME, after)
