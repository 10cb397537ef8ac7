"""Declares a whole stack: every host made ready, with images and edge, then the one release."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pulumi

from infra import addresses, certificates, config, config_images, release, token_keys
from infra.host import Host
from infra.images import inputs
from infra.images.manifest import BuiltImage
from infra.resources.edge import Edge, EdgeArgs
from infra.resources.image import Image, ImageArgs
from infra.resources.prepare import Prepare, PrepareArgs
from infra.resources.release import Release, ReleaseArgs

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""


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


def model_versions(root: Path, stack: config.Stack) -> dict[str, str]:
    """The version of each model that is served, from the store that the image was built from.

    Raises:
        ValueError: a model is not in the store.
    """
    store = inputs.model_store(root)
    versions = {m: inputs.model_version(store, m) for m in stack.service.models}
    missing = [m for m, version in versions.items() if version is None]
    if missing:
        msg = f"{store}: has no model {', '.join(missing)}. Run `make models image`."
        raise ValueError(msg)
    return {m: str(version) for m, version in versions.items()}


def read(name: str, settings: pulumi.Config) -> tuple[config.Stack, Secrets]:
    """The stack's configuration and its keys.

    Raises:
        ValueError: with every fault of both and of the stack's name, a line each.
    """
    jwks, key = settings.get("tokens-jwks"), settings.get("tokens-key")
    unnamed = _name_faults(name)
    try:
        wanted = config.parse(_raw(settings))
    except config.ConfigError as e:
        of_keys = token_keys.faults(jwks, key, needed=False)
        raise config.ConfigError([*unnamed, *e.lines, *of_keys]) from e
    needed = wanted.service.auth == "jwt"
    pair, of_pair = _certificate(wanted, settings)
    password = settings.get(config_images.PASSWORD.partition(":")[2])
    of_password = config_images.password_faults(wanted.images, password)
    of_keys = token_keys.faults(jwks, key, needed=needed)
    if lines := [*unnamed, *of_keys, *of_pair, *of_password]:
        raise config.ConfigError(lines)
    secret = pulumi.Output.secret(key) if key and needed else None
    return wanted, Secrets(
        jwks=jwks or "",
        tokens_key=secret,
        certificate=pair.certificate if pair else "",
        certificate_key=pulumi.Output.secret(pair.key) if pair else None,
        registry_password=pulumi.Output.secret(password) if password else None,
    )


def _certificate(
    wanted: config.Stack, settings: pulumi.Config
) -> tuple[certificates.Pair | None, list[str]]:
    """The edge's own certificate, where it has one, and its faults; warns of the rest."""
    names = (certificates.CERTIFICATE, certificates.KEY)
    given = {name: settings.get(name.partition(":")[2]) for name in names}
    now = datetime.now(UTC)
    pair, lines = certificates.read(wanted.edge.tls, given, ROOT, now)
    if pair is not None:
        for line in certificates.warnings(pair, [h.address for h in wanted.hosts], now):
            pulumi.log.warn(line)
    return pair, lines


def _name_faults(name: str) -> list[str]:
    try:
        addresses.stack_name(name)
    except ValueError as e:
        return [str(e)]
    return []


def _raw(settings: pulumi.Config) -> object:
    try:
        return settings.get_object("stack")
    except pulumi.ConfigTypeError:
        return settings.get("stack")  # a text, which is refused as any other


@dataclass(frozen=True)
class _HostParts:
    prepare: Prepare
    service: Image
    edge: Edge


def declare(
    name: str,
    stack: config.Stack,
    hosts: list[Host],
    images: dict[str, BuiltImage],
    versions: dict[str, str],
    secrets: Secrets,
) -> Release:
    """Declares every resource of the stack; the release comes last.

    What is on a host that is out stays declared, so that nothing of it is removed there.
    """
    there, out = [h for h in hosts if not h.out], [h for h in hosts if h.out]
    used = {host.accelerator: images[host.accelerator] for host in there}
    parts = [_declare_host(name, stack, host, images, secrets) for host in there]
    for host in out:  # its image may not have been built, and is not sent
        image = images.get(host.accelerator) or next(iter(used.values()))
        _declare_host(name, stack, host, {**images, host.accelerator: image}, secrets)
    env = release.environment(stack.service)
    tags = [image.tag for image in used.values()]
    release_id = release.release_id(tags, env, stack.service.memory_mib)
    args = ReleaseArgs(
        stack=name,
        config=stack,
        hosts=[(host, p.prepare.machine_id) for host, p in zip(there, parts, strict=True)],
        out=[host.name for host in out],
        release=release_id,
        images={each: release.stack_tag(name, image.tag) for each, image in used.items()},
        bento=", ".join(sorted({image.bento or "" for image in used.values()})),
        models=versions,
        env={**env, release.RELEASE_VARIABLE: release_id},
        tokens_key=secrets.tokens_key,
    )
    if stack.edge.has_tls:  # one file with which clients can check every host: `--cacert`
        served = pulumi.Output.all(*(part.edge.served_certificate for part in parts))
        pulumi.export("certificates", served.apply(lambda all_of: "".join(filter(None, all_of))))
    needs = [resource for p in parts for resource in (p.service, p.edge)]
    return Release(name, args, pulumi.ResourceOptions(depends_on=needs))


def _declare_host(
    name: str,
    stack: config.Stack,
    host: Host,
    images: dict[str, BuiltImage],
    secrets: Secrets,
) -> _HostParts:
    wanted = PrepareArgs(host=host, address=stack.edge.address, ports=stack.edge.listens_on)
    prepare = Prepare(f"{host.name}-prepare", wanted)
    registry = _registry(stack, secrets)
    service = _declare_image(name, host, prepare, "service", images[host.accelerator], registry)
    proxy = _declare_image(name, host, prepare, "edge", images["edge"], registry)
    edge = Edge(
        f"{host.name}-edge",
        EdgeArgs(
            host=host,
            machine_id=prepare.machine_id,
            image=proxy.tag,
            image_id=images["edge"].image_id,
            edge=stack.edge,
            replicas=stack.service.replicas,
            jwks=secrets.jwks,
            certificate=secrets.certificate,
            certificate_key=secrets.certificate_key,
        ),
        pulumi.ResourceOptions(depends_on=[proxy]),
    )
    return _HostParts(prepare, service, edge)


def _registry(stack: config.Stack, secrets: Secrets) -> dict[str, pulumi.Input[str]] | None:
    if stack.images.registry is None:
        return None
    login = {"user": stack.images.user or "", "password": secrets.registry_password or ""}
    return {"repository": stack.images.registry, **login}


def _declare_image(
    name: str,
    host: Host,
    prepare: Prepare,
    role: str,
    built: BuiltImage,
    registry: dict[str, pulumi.Input[str]] | None,
) -> Image:
    args = ImageArgs(
        host=host,
        machine_id=prepare.machine_id,
        source=built.tag,
        tag=release.stack_tag(name, built.tag),
        image_id=built.image_id,
        registry=registry,
    )
    return Image(f"{host.name}-image-{role}", args)
