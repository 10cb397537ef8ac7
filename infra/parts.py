"""Declares what each host of a stack has: images, and an edge that knows the other hosts.

What needs all hosts waits for all: no host trusts, shows or takes what another does not know yet.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi

from infra import config, release
from infra.host import Host
from infra.images.manifest import BuiltImage
from infra.resources.edge import Edge, EdgeArgs
from infra.resources.floating import Floating
from infra.resources.identity import Identity, Trust
from infra.resources.image import Image, ImageArgs
from infra.resources.prepare import Prepare, wanted_at


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Keys of the stack.

    Attributes:
        jwks: the public keys that tokens are checked with.
        tokens_key: signs the gate's token, where tokens are asked for.
        certificate: of one's own for the edge, PEM; empty where there is none.
        certificate_key: its private key.
        registry_password: reads and writes the images' registry, where there is one.
    """

    jwks: pulumi.Input[str]
    tokens_key: pulumi.Input[str] | None
    certificate: str = ""
    certificate_key: pulumi.Input[str] | None = None
    registry_password: pulumi.Input[str] | None = None


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the hosts of a stack are declared from.

    Attributes:
        hosts: those that are out too.
        images: by accelerator, and `edge`.
    """

    name: str
    stack: config.Stack
    hosts: Sequence[Host]
    images: Mapping[str, BuiltImage]
    secrets: Secrets

    def others(self, host: Host) -> list[Host]:
        """The hosts that take part beside this one; to one that is out there are none."""
        return [] if host.out else [h for h in self.hosts if not h.out and h.name != host.name]


@dataclass(frozen=True)
class Base:
    """A host that is ready, with its images."""

    host: Host
    prepare: Prepare
    service: Image
    proxy: Image


@dataclass(frozen=True)
class Part:
    """All that a release needs of a host."""

    base: Base
    edge: Edge

    @property
    def needs(self) -> list[pulumi.Resource]:
        """What comes before the release."""
        return [self.base.service, self.edge]


def declare(given: Given) -> dict[str, Part]:
    """Declares what is on each host, by their names.

    Those that are out stay declared, so that nothing of theirs goes.
    """
    bases = [_base(given, host) for host in given.hosts]
    is_fleet = len(bases) > 1
    identities = {base.host.name: _identity(base) for base in bases} if is_fleet else {}
    trusts = [_trust(given, base, identities) for base in bases] if is_fleet else []
    parts = {}
    for base in bases:
        own = identities[base.host.name].certificates if is_fleet else ""
        parts[base.host.name] = Part(base, _edge(given, base, own, trusts))
    _floating(given, [part for part in parts.values() if part.base.host.entry])
    return parts


def _base(given: Given, host: Host) -> Base:
    wanted = wanted_at(host, given.stack.edge, len(given.hosts) > 1)
    prepare = Prepare(f"{host.name}-prepare", host, wanted)
    service, proxy = (
        _image(given, host, prepare, role, given.images[name])
        for role, name in (("service", host.accelerator), ("edge", "edge"))
    )
    return Base(host, prepare, service, proxy)


def _image(given: Given, host: Host, prepare: Prepare, role: str, built: BuiltImage) -> Image:
    args = ImageArgs(
        host=host,
        machine_id=prepare.machine_id,
        source=built.tag,
        tag=release.stack_tag(given.name, built.tag),
        image_id=built.image_id,
        registry=_registry(given.stack, given.secrets),
    )
    return Image(f"{host.name}-image-{role}", args)


def _registry(stack: config.Stack, secrets: Secrets) -> dict[str, pulumi.Input[str]] | None:
    if stack.images.registry is None:
        return None
    login = {"user": stack.images.user or "", "password": secrets.registry_password or ""}
    return {"repository": stack.images.registry, **login}


def _identity(base: Base) -> Identity:
    return Identity(
        f"{base.host.name}-identity",
        base.host,
        base.prepare.machine_id,
        base.proxy.tag,
        pulumi.ResourceOptions(depends_on=[base.proxy]),
    )


def _trust(given: Given, base: Base, identities: Mapping[str, Identity]) -> Trust:
    """An entry asks all hosts, and so lets them all in; another is asked by entries alone."""
    let_in = [other for other in given.others(base.host) if base.host.entry or other.entry]
    return Trust(
        f"{base.host.name}-trust",
        base.host,
        base.prepare.machine_id,
        {other.name: identities[other.name].certificates for other in let_in},
    )


def _edge(given: Given, base: Base, own: pulumi.Input[str], trusts: Sequence[Trust]) -> Edge:
    secrets = given.secrets
    args = EdgeArgs(
        host=base.host,
        machine_id=base.prepare.machine_id,
        image=base.proxy.tag,
        image_id=given.images["edge"].image_id,
        edge=given.stack.edge,
        replicas=given.stack.service.replicas,
        jwks=secrets.jwks,
        peers=given.others(base.host),
        identity=own,
        certificate=secrets.certificate,
        certificate_key=secrets.certificate_key,
    )
    options = pulumi.ResourceOptions(depends_on=[base.proxy, *trusts])
    return Edge(f"{base.host.name}-edge", args, options)


def _floating(given: Given, entries: Sequence[Part]) -> None:
    """One entry after another, each behind its edge: the others have the address meanwhile."""
    settings = given.stack.edge.floating
    if settings is None:
        return
    there = [part.base.host for part in entries if not part.base.host.out]
    before: list[pulumi.Resource] = []
    for part in entries:
        host, options = part.base.host, pulumi.ResourceOptions(depends_on=[part.edge, *before])
        machine_id, image = part.base.prepare.machine_id, part.base.proxy.tag
        name = f"{host.name}-floating"
        before = [Floating(name, host, machine_id, image, settings, there, options)]
