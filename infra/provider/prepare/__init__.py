"""A host made ready: container engine, clock, groups, folders, and the unit that starts it."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import PurePosixPath

from infra import complaints
from infra.commands import clock, files, groups, startup
from infra.connection import HostError, Unreachable
from infra.host import Host
from infra.provider.console import Console
from infra.provider.machine import Machine, open_machine
from infra.provider.prepare import checks, install, made, timekeeping, unit
from infra.provider.prepare.host import Found, find
from infra.provider.prepare.made import Made
from infra.provider.resource import (
    AS_DECLARED,
    Plain,
    Refused,
    Resource,
    differs,
    host_of,
    look_at_file,
    out_of_range,
)

CLOCK_PART = "clock"
DISK_PART = "disk room"
ENGINE_PART = "engine"
FOLDER_PART = "folder"
GROUP_PART = "groups"
SCRIPT_PART = "start script"
UNIT_PART = "start unit"
FOLDER_MODE = "0755"
REMOVED = "removed"


class Prepare(Resource):
    """Inputs: `host`; `address` and `ports` of its edge, these by their keys in the stack's file;
    `card`, where a floating address is to be.

    Outputs: `machine_id`, `engine`, `folder`.
    """

    outputs = ("machine_id", "engine", "folder")

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """What a host must have before an image comes to it."""
        return (
            CLOCK_PART,
            DISK_PART,
            ENGINE_PART,
            FOLDER_PART,
            GROUP_PART,
            SCRIPT_PART,
            UNIT_PART,
        )

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        """A port that no host can have."""
        given = inputs.get("ports") or {}
        wrong = (out_of_range({"ports": port}, "ports", 1, 65535) for port in given.values())
        return next(filter(None, wrong), {})

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Makes what is missing; adopts what is there. A host that is not right stays as it is."""
        return self._prepare(inputs, {}, console)

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Brings back what is missing, on the machine that was prepared and no other."""
        return self._prepare({**inputs, "machine_id": state.get("machine_id")}, state, console)

    def _prepare(self, inputs: Plain, state: Plain, console: Console) -> Plain:
        host = host_of(inputs)
        found = find(host)
        packages = install.missing(found)
        machine = None if packages else open_machine(host)
        checks.refuse_wrong(found, machine, inputs, state)
        absent = install.absent(found.bare, _ways(found))
        _make_folders(found.bare)
        made.note(found.bare, Made(folders=absent))
        try:
            machine = _make(found, machine, packages, console)
        except (HostError, Refused) as e:
            if str(found.bare.paths.root) in absent and not isinstance(e, Unreachable):
                with suppress(HostError):  # what cannot be taken back is adopted by the next run
                    _take_away(found, console, is_fresh=True)
            raise
        return {
            "machine_id": machine.connection.machine_id(),
            "engine": machine.engine,
            "folder": str(machine.paths.root),
        }

    def look(self, state: Plain) -> Mapping[str, str]:
        """Whether clock and disk are well, and the rest is there as it was made."""
        host = host_of(state)
        found = find(host)
        machine = open_machine(host) if found.has_engine else None
        was = str(state.get("engine") or (machine.engine if machine else ""))
        prepared = Machine(host, found.bare.connection, was)
        return {
            CLOCK_PART: _look_at_clock(found),
            DISK_PART: "; ".join(checks.shortages(found.bare, machine)) or AS_DECLARED,
            ENGINE_PART: _look_at_engine(machine, was),
            FOLDER_PART: _look_at_folders(prepared),
            GROUP_PART: _look_at_groups(found),
            SCRIPT_PART: look_at_file(prepared.read(prepared.paths.start), unit.script(prepared)),
            UNIT_PART: _look_at_unit(prepared, found),
        }

    def delete(self, state: Plain, console: Console) -> None:
        """Takes back what was made on the host, the stack's folder last."""
        _take_away(find(host_of(state)), console)


def refuse_new(host: Host, wanted: Plain) -> None:
    """Passes where a host that has nothing of the stack yet can be prepared; makes nothing.

    Args:
        wanted: the inputs of Prepare beside the host.

    Raises:
        HostError: it cannot be asked.
        Refused: with every fault, a line each.
    """
    found = find(host)
    root = str(found.bare.paths.root)
    if root in install.absent(found.bare, [root]):
        machine = None if install.missing(found) else open_machine(host)
        checks.refuse_wrong(found, machine, wanted, {})


def _make(
    found: Found, machine: Machine | None, packages: Sequence[str], console: Console
) -> Machine:
    """Makes what is missing beside the folders; the machine with its engine."""
    if machine is None:
        install.install(found, packages, console)
        machine = _open_installed(found.host)
    _make_groups(found)
    unit.let_linger(found, console)
    timekeeping.keep(found, console)
    unit.write_script(machine)
    unit.install(machine, found.facts.has_systemd)
    return machine


def _open_installed(host: Host) -> Machine:
    """A host whose engine has just been installed.

    Raises:
        Refused: it does not answer, so it may as well go again; a host that is silent itself is
            left as it is.
    """
    try:
        return open_machine(host)
    except Unreachable as e:
        raise Refused(str(e)) from e


def _take_away(found: Found, console: Console, is_fresh: bool = False) -> None:
    """Takes back what the record tells; nobody else uses what was made just now."""
    bare = found.bare
    unit.remove(bare, found.facts.has_systemd)
    ours = made.read(bare)
    if ours is None:
        console.warn(
            f"{found.host.name}: {made.NAME} cannot be read, so packages and groups stay as they "
            "are. Remove by hand what was installed for this stack."
        )
    elif not made.hand_on(bare, ours):
        if ours.is_time_on:
            bare.connection.run(clock.keep_right(on=False))  # fails where its service is gone
        install.take_back(bare, ours, console, is_fresh)
        if ours.is_linger_on:
            bare.connection.run(startup.linger(on=False))
    bare.remove(bare.paths.root)
    emptied = {*(ours.folders if ours else ()), str(bare.paths.root.parent)}
    for folder in sorted(emptied, reverse=True):
        bare.run(files.remove_empty(folder))


def _ways(found: Found) -> list[str]:
    """The folders that lead to what the stack has on the host, and its own."""
    root = found.bare.paths.root
    ways = [*map(str, (root, *root.parents)), *unit.folders(found.bare, found.facts.has_systemd)]
    return list(dict.fromkeys(ways))


def _make_folders(machine: Machine) -> None:
    paths = machine.paths
    for folder in (paths.root, paths.edge, paths.keys, paths.releases):
        _make_folder(machine, folder)


def _make_folder(machine: Machine, folder: PurePosixPath) -> None:
    done = machine.connection.run(files.make_folder(str(folder), FOLDER_MODE))
    if done.status == 0:
        return
    said = done.err.strip() or "no message"
    msg = (
        f"{machine.host.name}: the folder {folder} cannot be written to ({said}). "
        f"{complaints.folder_cure(str(folder), said)}"
    )
    raise Refused(msg)


def _missing_groups(found: Found) -> list[str]:
    """Groups that root can make; a user finds out about his own when the GPU is looked for."""
    host = found.host
    if found.is_rootless:
        return []
    needed = groups.needed(host.accelerator, software=host.software_device)
    return [name for name in needed if name not in found.facts.groups]


def _make_groups(found: Found) -> None:
    missing = _missing_groups(found)
    made.note(found.bare, Made(groups=tuple(missing)))
    for name in missing:
        found.bare.run(groups.make(name))


def _look_at_clock(found: Found) -> str:
    if not checks.is_clock_right(found):
        return f"off by {abs(found.skew_s):.0f} seconds"
    return AS_DECLARED if timekeeping.is_kept(found) else "nothing keeps it right"


def _look_at_engine(machine: Machine | None, was: str) -> str:
    if machine is None:
        return REMOVED
    return differs(machine.engine, was, f"is another engine now ({machine.engine})")


def _look_at_folders(machine: Machine) -> str:
    paths = machine.paths
    made_by_us = [paths.root, paths.edge, paths.keys, paths.releases]
    modes = files.parse_modes(machine.run(files.modes(map(str, made_by_us))))
    missing = sorted(folder.name for folder in made_by_us if str(folder) not in modes)
    if missing:
        return f"{', '.join(missing)} removed"
    others = sorted(f.name for f in made_by_us if modes[str(f)] != FOLDER_MODE.lstrip("0"))
    return f"{', '.join(others)} changed by hand" if others else AS_DECLARED


def _look_at_groups(found: Found) -> str:
    missing = _missing_groups(found)
    return f"{', '.join(missing)} removed" if missing else AS_DECLARED


def _look_at_unit(machine: Machine, found: Found) -> str:
    looked = unit.look(machine, found.facts.has_systemd)
    if looked != AS_DECLARED or found.host.connection == "local":
        return looked
    needs = found.facts.has_systemd and found.is_rootless
    return "ends with the last login" if needs and not found.facts.lingers else AS_DECLARED
