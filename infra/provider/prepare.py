"""A host made ready: folders, container engine, and the unit that starts it after a reboot."""

import time
from collections.abc import Mapping
from pathlib import PurePosixPath

from infra import complaints
from infra.commands import clock, files, replica, startup
from infra.commands.containers import ROLE_LABEL, STACK_LABEL
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain, Refused, Resource, look_at_file, machine_of

CLOCK_PART = "clock"
FOLDER_PART = "folder"
SCRIPT_PART = "start script"
UNIT_PART = "start unit"
SYSTEMD_RUNS = "/run/systemd/system"
"""Where this folder is, systemd is the init (sd_booted(3))."""


class Prepare(Resource):
    """Input: `host`. Outputs: `machine_id`, `engine`, `folder`."""

    outputs = ("machine_id", "engine", "folder")

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """The host's clock, the stack's folder, and what starts it after a reboot."""
        return (CLOCK_PART, FOLDER_PART, SCRIPT_PART, UNIT_PART)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Makes the folders and the unit; adopts those that are there."""
        machine = machine_of(inputs)
        paths = machine.paths
        _refuse_wrong_clock(machine)
        for folder in (paths.root, paths.edge, paths.keys, paths.releases):
            _make_folder(machine, folder)
        script = _start_script(machine)
        if machine.read(paths.start) != script:
            machine.write(paths.start, script, "0755")
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
        """Whether the clock is right, and folders and unit are there as written."""
        machine = machine_of(state)
        names = machine.names_in(machine.paths.root)
        missing = sorted({"edge", "keys", "releases"} - set(names))
        _, skew_s = _ask_clock(machine)
        return {
            CLOCK_PART: AS_DECLARED if _is_right(skew_s) else f"off by {abs(skew_s):.0f} seconds",
            FOLDER_PART: f"{', '.join(missing)} removed" if missing else AS_DECLARED,
            SCRIPT_PART: look_at_file(machine.read(machine.paths.start), _start_script(machine)),
            UNIT_PART: _look_at_unit(machine),
        }

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


def _ask_clock(machine: Machine) -> tuple[float, float]:
    """The host's time, and how many seconds it is ahead of this machine's."""
    asked_s = time.time()
    host_s = float(machine.run(clock.now()))
    return host_s, clock.skew_s(host_s, asked_s, time.time())


def _is_right(skew_s: float) -> bool:
    return abs(skew_s) <= clock.MOST_S


def _refuse_wrong_clock(machine: Machine) -> None:
    host_s, skew_s = _ask_clock(machine)
    if _is_right(skew_s):
        return
    msg = (
        f"{machine.host.name}: its clock is off (got {clock.shown(host_s)}, here it is "
        f"{clock.shown(time.time())}). Set the wrong one, `sudo timedatectl set-ntp true`; they "
        f"may differ by {clock.MOST_S:.0f} s."
    )
    raise Refused(msg)


def _make_folder(machine: Machine, folder: PurePosixPath) -> None:
    done = machine.connection.run(files.make_folder(str(folder), "0755"))
    if done.status == 0:
        return
    said = done.err.strip() or "no message"
    msg = (
        f"{machine.host.name}: the folder {folder} cannot be written to ({said}). "
        f"{complaints.folder_cure(str(folder), said)}"
    )
    raise Refused(msg)


def _start_script(machine: Machine) -> str:
    stack = machine.host.stack
    return startup.script(
        engine=machine.engine,
        edge=machine.edge_name,
        prefix=replica.prefix(stack),
        live_map=str(machine.paths.live_map),
        replica_filters=(f"label={STACK_LABEL}={stack}", f"label={ROLE_LABEL}={replica.ROLE}"),
    )


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
    return look_at_file(machine.read(_unit_path(machine)), text)


def _has_systemd(machine: Machine) -> bool:
    return machine.connection.run(files.is_folder(SYSTEMD_RUNS)).status == 0


def _systemctl(machine: Machine) -> list[str]:
    return ["systemctl"] if machine.connection.is_root else ["systemctl", "--user"]


def _unit_path(machine: Machine) -> PurePosixPath:
    name = startup.unit_name(machine.host.stack)
    if machine.connection.is_root:
        return PurePosixPath(startup.UNIT_FOLDER) / name
    return machine.connection.home() / startup.USER_UNIT_FOLDER / name
