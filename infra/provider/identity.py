"""By which the other hosts of a stack know a host: a key and certificate that it makes itself.

Another one comes in three steps, each of them for all hosts before the next: here the host makes
it, `trust` has the others let it in beside the one in use, and `edge` takes it into use. So no host
ever shows another what that does not know.
"""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import PurePosixPath

from infra.commands import certificate as commands
from infra.commands import files
from infra.commands.certificate import Found
from infra.provider import certificate, reload
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain, Resource, machine_of

PART = "certificate between hosts"


class Identity(Resource):
    """Inputs: `host`, `machine_id`, `image`: the edge's, which has OpenSSL.

    Output: `certificates`, all that the other hosts have to let in (PEM), the newest first.
    """

    outputs = ("certificates",)
    follows_other_hosts = True

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        """Its key and certificate."""
        return (PART,)

    def create(self, inputs: Plain, console: Console) -> Plain:
        """Makes them, or adopts what is there."""
        return self._ensure(inputs, "")

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        """Makes the next ones where it is time, and keeps the ones in use beside them."""
        return self._ensure(inputs, str(state.get("certificates") or ""))

    def _ensure(self, inputs: Plain, known: str) -> Plain:
        machine, now = machine_of(inputs), datetime.now(UTC)
        folder = str(machine.paths.inner_certificate.parent)
        machine.run(files.make_folder(folder, commands.FOLDER_MODE))
        own = certificate.find(machine, machine.paths.inner_certificate)
        following = certificate.find(machine, _next(machine))
        if own is not None and commands.fault_of_inner(own, machine.host.name, now) is None:
            machine.remove(_next(machine))
            following = None
        elif following is None or commands.fault_of_inner(following, machine.host.name, now):
            following = _make(machine, str(inputs["image"]))
        return {"certificates": _all(machine, (following, own), known, now)}

    def look(self, state: Plain) -> dict[str, str]:
        """Whether it is there, for this host, and not about to end."""
        machine, now = machine_of(state), datetime.now(UTC)
        own = certificate.find(machine, machine.paths.inner_certificate)
        if own is None:
            return {PART: "removed"}
        fault = commands.fault_of_inner(own, machine.host.name, now)
        return {PART: fault or _look_at_known(own, str(state.get("certificates") or ""))}

    def delete(self, state: Plain, console: Console) -> None:
        """Removes key and certificate, and their folder where nothing else is in it."""
        machine = machine_of(state)
        for path in (machine.paths.inner_certificate, _next(machine)):
            machine.remove(path)
        certificate.remove_folder(machine)


def take_into_use(machine: Machine) -> None:
    """Puts the key and certificate that the others know by now where the edge reads its own."""
    machine.run(files.move(str(_next(machine)), str(machine.paths.inner_certificate)))


def is_in_use(machine: Machine) -> bool:
    """Whether the running edge shows the others what lies there for it, where anything does."""
    own = certificate.find(machine, machine.paths.inner_certificate)
    return own is None or commands.fingerprints(own.certificates) == reload.key_pair(machine)


def _next(machine: Machine) -> PurePosixPath:
    return machine.paths.inner_certificate.with_name("inner.next.pem")


def _make(machine: Machine, image: str) -> Found | None:
    asked = commands.inner_request(machine.host.name, secrets.token_hex(8))
    certificate.make(machine, image, _next(machine), asked, commands.INNER_DAYS)
    return certificate.find(machine, _next(machine))


def _all(machine: Machine, found: Iterable[Found | None], known: str, now: datetime) -> str:
    """What the others have to let in: what lies there, and what the running edge still shows."""
    usable = (each for each in found if each is not None and commands.is_usable(each, now))
    shown = reload.key_pair(machine)
    former = (one for one in commands.split(known) if commands.fingerprints(one) <= shown)
    every = [one for each in usable for one in commands.split(each.certificates)]
    return "".join(dict.fromkeys([*every, *former]))


def _look_at_known(own: Found, known: str) -> str:
    if not known or own.certificates == known:
        return AS_DECLARED
    if own.certificates in known:
        return "the one before is let in too"
    return "is not the one that the other hosts know"
