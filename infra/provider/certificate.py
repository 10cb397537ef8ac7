"""The certificate that a host's edge serves: put there as it was given, or made there."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any

from infra.commands import certificate, files
from infra.commands.certificate import Found
from infra.complaints import last_line
from infra.config_edge import NO_TLS, OWN
from infra.connection import HostError
from infra.provider.machine import NOT_THERE, Machine
from infra.provider.resource import AS_DECLARED, Refused

PART = "certificate"
_GIVE_ONE = ", or give one: `edge.tls.certificate: own`"
Inputs = Mapping[str, Any]


def kind(inputs: Inputs) -> str:
    """`none`, `own` or `self-signed`; a state from before there was a choice has none.

    `none` too where no users come: their certificate's key lies on entries alone.
    """
    if not inputs.get("entry", True):
        return NO_TLS
    return str((inputs.get("tls") or {}).get("certificate") or NO_TLS)


def ensure(machine: Machine, inputs: Inputs) -> bool:
    """Puts the certificate there, or lets the host make one; whether anything changed.

    Raises:
        Refused: none could be made.
    """
    if kind(inputs) == NO_TLS:
        return False
    path = _path(machine)
    machine.run(files.make_folder(str(path.parent), certificate.FOLDER_MODE))
    found = find(machine, path)
    if found is not None and _fault(machine, inputs, found) is None:
        return False
    if kind(inputs) == OWN:
        content = certificate.content(inputs["certificate"], inputs["certificate_key"])
        machine.write(path, content, f"0{certificate.FILE_MODE}")
    else:
        asked = certificate.request(machine.host.name, _addresses(machine, inputs))
        make(machine, str(inputs["image"]), path, asked, certificate.DAYS, _GIVE_ONE)
    return True


def look(machine: Machine, inputs: Inputs) -> str:
    """What differs on the host: as declared, removed, changed by hand, or about to end."""
    found = find(machine, _path(machine))
    if found is None:
        return "removed"
    return _fault(machine, inputs, found) or AS_DECLARED


def served(machine: Machine, inputs: Inputs) -> str:
    """What clients are shown (PEM), with which they can check the host; empty without TLS."""
    found = None if kind(inputs) == NO_TLS else find(machine, _path(machine))
    return found.certificates if found else ""


def remove(machine: Machine) -> None:
    """Removes certificate and key; also when there are none."""
    machine.remove(_path(machine))
    remove_folder(machine)


def remove_folder(machine: Machine) -> None:
    """Removes the folder of keys where nothing is in it any more."""
    machine.run(files.remove_empty(str(_path(machine).parent)))


def groups(machine: Machine) -> tuple[str, ...]:
    """Groups in which the edge has to be, to read the key, beside its own, which is 0.

    Only Docker with root, asked by a user without, leaves the user's files to his own group.
    """
    if machine.connection.is_root or not machine.engine.endswith("docker"):
        return ()
    return (machine.run(["id", "-g"]).strip(),)


def _path(machine: Machine) -> PurePosixPath:
    return machine.paths.edge / "tls" / "edge.pem"


def find(machine: Machine, path: PurePosixPath) -> Found | None:
    """A file with a key and its certificate, told without the key; None: it is not there."""
    done = machine.connection.run(certificate.look(str(path)))
    if done.status == NOT_THERE:
        return None
    if done.status != 0:
        said = last_line(done.err)
        raise HostError(f"{machine.host.name}: cannot read {path} ({said}).")
    return certificate.parse(done.out)


def _fault(machine: Machine, inputs: Inputs, found: Found) -> str | None:
    if kind(inputs) == OWN:
        given, key = str(inputs["certificate"]), str(inputs["certificate_key"])
        return certificate.fault_of_own(found, given, key)
    return certificate.fault_of_self_signed(found, _addresses(machine, inputs), datetime.now(UTC))


def make(
    machine: Machine, image: str, path: PurePosixPath, asked: str, days: int, way_out: str = ""
) -> None:
    """Has the host make itself a key and a certificate, by OpenSSL in the edge's image.

    Args:
        asked: for whom it is (`infra.commands.certificate`).
        way_out: what else the operator can do where it fails.

    Raises:
        Refused: none could be made; what was there stays.
    """
    done = machine.connection.run(certificate.make(machine.engine, image, str(path), days), asked)
    if done.status != 0:
        said = last_line(done.err)
        msg = (
            f"{machine.host.name}: no certificate could be made ({said}). Look whether the "
            f"edge's image is well, `make image up`{way_out}."
        )
        raise Refused(msg)


def _addresses(machine: Machine, inputs: Inputs) -> list[str]:
    """By which clients reach the host: its own, the one the edge listens on, the floating one."""
    listens, floating = str(inputs["address"]), inputs.get("floating")
    others = [] if listens in ("0.0.0.0", "::") else [listens]  # noqa: S104 - compared, not bound
    others += [str(floating)] if floating else []
    return list(dict.fromkeys([machine.host.address, *others]))
