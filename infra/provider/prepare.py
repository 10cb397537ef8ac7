"""A host made ready: folders, container engine, and the unit that starts it after a reboot."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from infra.commands import files, startup
from infra.provider import live
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain, Resource, differs, machine_of

FOLDER_PART = "folder"
UNIT_PART = "start unit"
SYSTEMD_RUNS = "/run/systemd/system"
"""Where this folder is, systemd is the init (sd_booted(3))."""


class Prepare(Resource):
    """Input: `host`. Outputs: `machine_id`, `engine`, `folder`."""

    outputs = ("machine_id", "engine", "folder")

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """The stack's folder and its start unit."""
        return (FOLDER_PART, UNIT_PART)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Makes the folders and the unit; adopts those that are there."""
        machine = machine_of(inputs)
        paths = machine.paths
        for folder in (paths.root, paths.edge, paths.keys, paths.releases):
            machine.run(files.make_folder(str(folder), "0755"))
        if machine.read(paths.start) is None:
            live.write_start(machine, None)
        _install_unit(machine)
        return {
            "machine_id": machine.connection.machine_id(),
            "engine": machine.engine,
            "folder": str(paths.root),
        }

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Brings back what is missing, on the machine that was prepared and no other."""
        return self.create({**inputs, "machine_id": state.get("machine_id")}, console)

    def look(self, state: Plain) -> Mapping[str, str]:
        """Whether folders and unit are there as written."""
        machine = machine_of(state)
        names = machine.names_in(machine.paths.root)
        missing = sorted({"edge", "keys", "releases", "start"} - set(names))
        folder = f"{', '.join(missing)} removed" if missing else AS_DECLARED
        return {FOLDER_PART: folder, UNIT_PART: _look_at_unit(machine)}

    def delete(self, state: Plain, console: Console) -> None:
        """Removes the stack's folder and the unit."""
        machine = machine_of(state)
        if _has_systemd(machine):
            unit = startup.unit_name(machine.host.stack)
            machine.connection.run([*_systemctl(machine), "disable", unit])
            machine.remove(_unit_path(machine))
            machine.connection.run([*_systemctl(machine), "daemon-reload"])
        machine.remove(machine.paths.root)
        machine.run(files.remove_empty(str(machine.paths.root.parent)))


def _install_unit(machine: Machine) -> None:
    if not _has_systemd(machine):
        return
    text = startup.unit(
        machine.host.stack, str(machine.paths.start), not machine.connection.is_root
    )
    path = _unit_path(machine)
    if machine.read(path) == text:
        return
    machine.run(files.make_folder(str(path.parent), "0755"))
    machine.write(path, text)
    machine.run([*_systemctl(machine), "daemon-reload"])
    machine.run([*_systemctl(machine), "enable", startup.unit_name(machine.host.stack)])


def _look_at_unit(machine: Machine) -> str:
    if not _has_systemd(machine):
        return AS_DECLARED
    text = startup.unit(
        machine.host.stack, str(machine.paths.start), not machine.connection.is_root
    )
    found = machine.read(_unit_path(machine))
    return "removed" if found is None else differs(found, text, "changed by hand")


def _has_systemd(machine: Machine) -> bool:
    return machine.connection.run(files.is_folder(SYSTEMD_RUNS)).status == 0


def _systemctl(machine: Machine) -> list[str]:
    return ["systemctl"] if machine.connection.is_root else ["systemctl", "--user"]


def _unit_path(machine: Machine) -> PurePosixPath:
    name = startup.unit_name(machine.host.stack)
    if machine.connection.is_root:
        return PurePosixPath(startup.UNIT_FOLDER) / name
    return machine.connection.home() / startup.USER_UNIT_FOLDER / name
