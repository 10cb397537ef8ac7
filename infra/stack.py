"""Declares a whole stack: every host made ready, with images and edge, then the one release."""

from dataclasses import dataclass
from pathlib import Path

import pulumi

from infra import addresses, config, release, token_keys
from infra.host import Host
from infra.images import inputs
from infra.images.manifest import BuiltImage
from infra.resources.edge import Edge, EdgeArgs
from infra.resources.image import Image, ImageArgs
from infra.resources.prepare import Prepare, PrepareArgs
from infra.resources.release import Release, ReleaseArgs


@dataclass(frozen=True, kw_only=True)
class Secrets:
    """Keys of the stack: the public set and, where tokens are asked for, the gate's signing key."""

    jwks: pulumi.Input[str]
    tokens_key: pulumi.Input[str] | None


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
    if lines := [*unnamed, *token_keys.faults(jwks, key, needed=needed)]:
        raise config.ConfigError(lines)
    secret = pulumi.Output.secret(key) if key and needed else None
    return wanted, Secrets(jwks=jwks or "", tokens_key=secret)


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
    """Declares every resource of the stack; the release comes last."""
    service = images[hosts[0].accelerator]
    parts = [_declare_host(name, stack, host, images, secrets) for host in hosts]
    env = release.environment(stack.service)
    release_id = release.release_id(service.tag, env, stack.service.memory_mib)
    args = ReleaseArgs(
        stack=name,
        config=stack,
        hosts=[(host, p.prepare.machine_id) for host, p in zip(hosts, parts, strict=True)],
        release=release_id,
        image=release.stack_tag(name, service.tag),
        bento=service.bento or "",
        models=versions,
        env={**env, release.RELEASE_VARIABLE: release_id},
        tokens_key=secrets.tokens_key,
    )
    needs = [resource for p in parts for resource in (p.service, p.edge)]
    return Release(name, args, pulumi.ResourceOptions(depends_on=needs))


def _declare_host(
    name: str,
    stack: config.Stack,
    host: Host,
    images: dict[str, BuiltImage],
    secrets: Secrets,
) -> _HostParts:
    prepare = Prepare(f"{host.name}-prepare", PrepareArgs(host=host))
    service = _declare_image(name, host, prepare, "service", images[host.accelerator])
    proxy = _declare_image(name, host, prepare, "edge", images["edge"])
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
        ),
        pulumi.ResourceOptions(depends_on=[proxy]),
    )
    return _HostParts(prepare, service, edge)


def _declare_image(name: str, host: Host, prepare: Prepare, role: str, built: BuiltImage) -> Image:
    args = ImageArgs(
        host=host,
        machine_id=prepare.machine_id,
        source=built.tag,
        tag=release.stack_tag(name, built.tag),
        image_id=built.image_id,
    )
    return Image(f"{host.name}-image-{role}", args)
