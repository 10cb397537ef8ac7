"""What brings a stack back after a reboot: its script, the unit that runs it, and lingering."""

import threading
from pathlib import PurePosixPath

from infra.commands import files, replica, startup
from infra.provider.console import Console
from infra.provider.machine import Machine, wait_until
from infra.provider.prepare import made
from infra.provider.prepare.host import Found
from infra.provider.prepare.made import Made
from infra.provider.resource import AS_DECLARED, Refused, look_at_file

USER_SYSTEMD_TIMEOUT_S = 15.0


def write_script(machine: Machine) -> None:
    """Writes the start script unless it stands there."""
    text = script(machine)
    if machine.read(machine.paths.start) != text:
        machine.write(machine.paths.start, text, "0755")


def script(machine: Machine) -> str:
    """The start script of the host's stack."""
    stack = machine.host.stack
    return startup.script(
        engine=machine.engine,
        stack=stack,
        edge=machine.edge_name,
        prefix=replica.prefix(stack),
        live_map=str(machine.paths.live_map),
    )


def let_linger(found: Found, console: Console) -> None:
    """Lets a user's containers and unit outlive the login; root's do so anyway.

    Raises:
        Refused: only root can allow it on this host. A machine that is worked at keeps a login
            open, so there it is a warning.
    """
    if not (found.facts.has_systemd and found.is_rootless) or found.facts.lingers:
        return
    bare = found.bare
    made.note(bare, Made(is_linger_on=True))
    if bare.connection.run(startup.linger(on=True)).status == 0:
        return
    made.strike(bare, Made(is_linger_on=True))
    line = (
        f"{found.host.name}: the containers of the user {found.facts.user} would end with the last "
        f"login. Run there: sudo loginctl enable-linger {found.facts.user}"
    )
    if found.host.connection != "local":
        raise Refused(line)
    console.warn(line)


def install(machine: Machine, has_systemd: bool) -> None:
    """Writes and enables the unit unless it is so already."""
    if not has_systemd or look(machine, has_systemd) == AS_DECLARED:
        return
    path = _path(machine)
    machine.run(files.make_folder(str(path.parent), "0755"))
    machine.write(path, _text(machine))
    _wait_for_systemd(machine)
    machine.run(_systemctl(machine, "daemon-reload"))
    machine.run(_systemctl(machine, "enable", path.name))


def _wait_for_systemd(machine: Machine) -> None:
    """A user's own systemd takes a moment where lingering has just been allowed."""

    def answers() -> bool:
        return machine.connection.run(_systemctl(machine, "show", "--property=Version")).status == 0

    wait_until(answers, USER_SYSTEMD_TIMEOUT_S, threading.Event())


def look(machine: Machine, has_systemd: bool) -> str:
    """Whether the unit is there as written, and enabled."""
    if not has_systemd:
        return AS_DECLARED
    path = _path(machine)
    found = look_at_file(machine.read(path), _text(machine))
    if found != AS_DECLARED:
        return found
    done = machine.connection.run(_systemctl(machine, "is-enabled", path.name))
    return AS_DECLARED if done.status == 0 else f"not enabled ({done.out.strip() or 'unknown'})"


def folders(machine: Machine, has_systemd: bool) -> list[str]:
    """The folders that lead to a user's unit; root's is always there."""
    if machine.connection.is_root or not has_systemd:
        return []
    return [str(folder) for folder in _path(machine).parents]


def remove(machine: Machine, has_systemd: bool) -> None:
    """Disables and removes the unit, there or not."""
    if not has_systemd:
        return
    path = _path(machine)
    machine.connection.run(_systemctl(machine, "disable", path.name))
    machine.remove(path)
    machine.connection.run(_systemctl(machine, "daemon-reload"))


def _text(machine: Machine) -> str:
    rootless = not machine.connection.is_root
    return startup.unit(machine.host.stack, str(machine.paths.start), rootless)


def _systemctl(machine: Machine, *words: str) -> list[str]:
    return startup.systemctl(machine.connection.is_root, *words)


def _path(machine: Machine) -> PurePosixPath:
    name = startup.unit_name(machine.host.stack)
    if machine.connection.is_root:
        return PurePosixPath(startup.UNIT_FOLDER) / name
    return machine.connection.home() / startup.USER_UNIT_FOLDER / name
