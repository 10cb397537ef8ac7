"""What keeps a host's clock right: the service that is there, or one that is installed for it."""

from infra.commands import clock, packages
from infra.provider.console import Console
from infra.provider.prepare import install, made
from infra.provider.prepare.host import Found
from infra.provider.prepare.made import Made
from infra.provider.resource import Refused

PROGRAM = "timedatectl"


def can_be_kept(found: Found) -> bool:
    """Whether it is for us to keep this clock right: with root's rights, under systemd."""
    return found.facts.has_systemd and not found.is_rootless and PROGRAM in found.facts.programs


def is_kept(found: Found) -> bool:
    """Whether something keeps the clock right, or that is not for us to say."""
    return bool(found.facts.time_keepers) or not can_be_kept(found)


def keep(found: Found, console: Console) -> None:
    """Turns a time service on where none runs; a host that cannot have one is warned of.

    That is no refusal: a host without a network is set by hand, and each run compares clocks.
    """
    if is_kept(found):
        if not found.facts.time_keepers and found.facts.has_systemd:
            console.warn(_nothing_keeps(found, "only root may change that"))
        return
    bare = found.bare
    if found.facts.has_time_service:
        made.note(bare, Made(is_time_on=True))
        bare.run(clock.keep_right(on=True))
        return
    try:
        install.install(found, packages.TIME, console)
    except Refused as e:
        console.warn(_nothing_keeps(found, str(e).partition(": ")[2].partition(". ")[0]))
        return
    bare.run(clock.keep_right(on=True))


def _nothing_keeps(found: Found, reason: str) -> str:
    return (
        f"{found.host.name}: nothing keeps its clock right ({reason}). "
        "Run there: sudo timedatectl set-ntp true"
    )
