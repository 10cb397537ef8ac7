"""A release as a host keeps it: what its service process is made of, written there when it passed.

The program asks for it where a stack pins a release; a way back starts from it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from infra.connection import HostError
from infra.host import Host
from infra.provider import keep
from infra.provider.each import on_each
from infra.provider.machine import Machine, open_machine


@dataclass(frozen=True, kw_only=True)
class Stored:
    """The settings of a release.

    Attributes:
        image: the stack's own tag of the host's image.
        models: model name -> version.
        env: environment of the service process, the release's id included.
    """

    release: str
    image: str
    bento: str
    models: Mapping[str, str]
    env: Mapping[str, str]
    memory_mib: int

    @staticmethod
    def of(entry: Mapping[str, Any]) -> "Stored | None":
        """What a record of `keep` says of it; None where it says too little to start it."""
        try:
            return Stored(
                release=str(entry["release"]),
                image=str(entry["image"]),
                bento=str(entry["bento"]),
                models={str(k): str(v) for k, v in entry["models"].items()},
                env={str(k): str(v) for k, v in entry["env"].items()},
                memory_mib=int(entry["memory_mib"]),
            )
        except (KeyError, TypeError, ValueError, AttributeError):
            return None


def ask(hosts: Sequence[Host], release: str) -> dict[str, dict[str, Any]]:
    """What each host keeps of a release, by its name; changes nothing.

    Returns:
        `silent`: why a host did not answer; else `kept`: the releases it keeps; `entry` and
        `image_id` where that one is among them and can be started.
    """
    return {
        host.name: told
        for host, told in zip(hosts, on_each(lambda h: _ask(h, release), hosts), strict=True)
    }


def _ask(host: Host, release: str) -> dict[str, Any]:
    try:
        return _told(open_machine(host), release)
    except HostError as e:
        return {"silent": str(e)}


def _told(machine: Machine, release: str) -> dict[str, Any]:
    entries = keep.promoted(machine)
    told: dict[str, Any] = {"kept": [str(entry["release"]) for entry in entries]}
    found = next((entry for entry in entries if entry["release"] == release), None)
    stored = Stored.of(found or {})
    if stored is not None and (image_id := machine.image_id(stored.image)):
        told |= {"entry": found, "image_id": image_id}
    return told
