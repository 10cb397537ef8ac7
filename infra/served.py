"""Which release a stack is to serve: what was built, or the one that its file pins."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra import config, release
from infra.host import Host
from infra.images.manifest import BuiltImage
from infra.resources.stored import stored

KEY = "bentofleet:stack.rollout.pin"
Ask = Callable[[Sequence[Host], str], Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Served:
    """A release with all that makes it.

    Attributes:
        images: by accelerator.
        models: model name -> version.
        env: environment of the service process, the release's id included.
    """

    release: str
    images: Mapping[str, BuiltImage]
    bento: str
    models: Mapping[str, str]
    env: Mapping[str, str]
    memory_mib: int


def built(
    stack: config.Stack,
    hosts: Sequence[Host],
    images: Mapping[str, BuiltImage],
    versions: Mapping[str, str],
) -> Served:
    """What was built last, with the settings of the stack's file.

    Args:
        hosts: those that are out too: to leave one alone for a while makes no other release.
    """
    used = {h.accelerator: images[h.accelerator] for h in hosts if not h.out}
    env = release.environment(stack.service)
    tags = {images[host.accelerator].tag for host in hosts if host.accelerator in images}
    id_ = release.release_id(tags, env, stack.service.memory_mib)
    return Served(
        release=id_,
        images=used,
        bento=", ".join(sorted({image.bento or "" for image in used.values()})),
        models=versions,
        env={**env, release.RELEASE_VARIABLE: id_},
        memory_mib=stack.service.memory_mib,
    )


def choose(
    stack: config.Stack,
    hosts: Sequence[Host],
    images: Mapping[str, BuiltImage],
    versions: Mapping[str, str],
    ask: Ask = stored,
) -> Served:
    """What was built, unless another release is pinned: then that, as the hosts keep it.

    Raises:
        ValueError: no host keeps what is pinned.
    """
    newer, pin = built(stack, hosts, images, versions), stack.rollout.pin
    if pin is None or pin == newer.release:
        return newer
    there = [host for host in hosts if not host.out]
    kept = pinned(pin, there, ask(there, pin))
    pulumi.log.warn(
        f"{KEY}: holds back release {newer.release}, which was built; {pin} is served. "
        "`make unpin` lets it come."
    )
    return kept


def pinned(pin: str, hosts: Sequence[Host], told: Mapping[str, Any]) -> Served:
    """The pinned release from what hosts said of it (`infra.provider.stored.ask`).

    Raises:
        ValueError: no host that answers has it for one of the accelerators.
    """
    entries: dict[str, Mapping[str, Any]] = {}
    for host in hosts:
        said = told.get(host.name) or {}
        if said.get("entry"):
            entries.setdefault(host.accelerator, said)
    for host in hosts:
        if host.accelerator not in entries:
            raise ValueError(_not_kept(pin, host.accelerator, told))
    images = {name: _image(name, said) for name, said in entries.items()}
    entry = next(iter(entries.values()))["entry"]
    return Served(
        release=pin,
        images=images,
        bento=str(entry["bento"]),
        models={str(k): str(v) for k, v in entry["models"].items()},
        env={str(k): str(v) for k, v in entry["env"].items()},
        memory_mib=int(entry["memory_mib"]),
    )


def _image(name: str, said: Mapping[str, Any]) -> BuiltImage:
    """Where a host lacks it, it comes from the engine here, if that has it still."""
    entry = said["entry"]
    tag = release.build_tag(str(entry["image"]))
    image_id, bento = str(said["image_id"]), str(entry["bento"])
    return BuiltImage(name=name, tag=tag, image_id=image_id, bento=bento, inputs={})


def _not_kept(pin: str, accelerator: str, told: Mapping[str, Any]) -> str:
    kept = sorted({r for said in told.values() for r in said.get("kept") or []})
    silent = [f"{name} does not answer" for name, said in told.items() if said.get("silent")]
    found = "; ".join([f"kept: {', '.join(kept) or 'none'}", *silent])
    return (
        f"{KEY}: no host with accelerator {accelerator} can start release {pin} "
        f"({found}). Pin one of these, or run `make unpin`."
    )
