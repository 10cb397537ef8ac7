"""The operating system: is it tried, and does it bring the stack back after a reboot."""

from collections.abc import Iterator

from infra.commands import packages
from infra.doctor.facts import Facts
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted

NOT_TRIED = Kind(
    "warning",
    "system.not-tried",
    "this is no distribution that is tried",
    "It may work: Debian 12 and 13, Ubuntu 22.04 and 24.04 are tried. `pulumi up` installs no "
    "packages elsewhere, so have Podman or Docker there first.",
)
OTHER_PROCESSOR = Kind(
    "error",
    "system.other-processor",
    "the processor is of another kind than the one that the image is built for ({wanted})",
    "Build the image on a machine of the host's kind.",
)
REBOOT_DUE = Kind(
    "warning",
    "system.reboot-due",
    "an update waits for a reboot",
    "Reboot when it suits you: the live release starts again by itself.",
)
NO_SYSTEMD = Kind(
    "warning",
    "system.no-systemd",
    "systemd does not run here, so nothing starts the stack after a reboot",
    "Run the stack's `start` script from the machine's own start-up: {script}.",
)
UNIT_OFF = Kind(
    "warning",
    "system.unit-off",
    "nothing starts the stack after a reboot",
    "Put the unit back with `make up ARGS=--refresh`.",
)
NO_LINGER = Kind(
    "warning",
    "system.no-linger",
    "the user's services end with the last log-in, and do not start at boot",
    "`pulumi up` turns that on where it may; by hand: `sudo loginctl enable-linger {user}`.",
)
UNIT_UNCHECKED = Kind(
    "unchecked",
    "system.unit-unchecked",
    "whether the stack starts after a reboot could not be found out",
    "Look at `systemctl status {unit}` on the host.",
)


def check(facts: Facts, wanted: Wanted, architecture: str) -> Iterator[Finding]:
    """Findings about the system.

    Args:
        facts: of the host.
        wanted: of the stack.
        architecture: of the machine that builds the image, as `uname -m` says it.
    """
    os = facts.pairs("os")
    name = os.get("PRETTY_NAME", "unknown")
    if is_tried(facts):
        yield ok("system.distribution", f"{name}, kernel {facts.one('kernel')}")
    else:
        yield NOT_TRIED.found(got=name)
    machine = facts.one("machine")
    if machine is not None and machine != architecture:
        yield OTHER_PROCESSOR.found(got=machine, wanted=architecture)
    if facts.one("reboot"):
        yield REBOOT_DUE.found(got="/run/reboot-required is there")
    yield from _after_reboot(facts, wanted)


def is_tried(facts: Facts) -> bool:
    """Whether `pulumi up` knows the system's packages."""
    os = facts.pairs("os")
    return packages.offer(os.get("ID", ""), os.get("VERSION_ID", "")) is not None


def _after_reboot(facts: Facts, wanted: Wanted) -> Iterator[Finding]:
    if not facts.one("systemd"):
        yield NO_SYSTEMD.found(script=f"{wanted.folder}/start")
        return
    if not wanted.is_root and facts.pairs("linger").get("Linger") == "no":
        yield NO_LINGER.found(got="Linger=no", user=wanted.user)
    if not facts.all("container"):
        return  # nothing is there yet that would have to start
    unit = f"bentofleet-{wanted.stack}.service"
    if "unit" in facts.unknown:
        yield UNIT_UNCHECKED.found(got=facts.why_unknown("unit"), unit=unit)
    elif (state := facts.pairs("unit").get("UnitFileState", "not there")) != "enabled":
        yield UNIT_OFF.found(got=f"{unit}: {state}")
    else:
        yield ok("system.unit", f"{unit}: enabled")
