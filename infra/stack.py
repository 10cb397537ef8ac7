"""Declares a whole stack: every host made ready, with images and edge, then the one release."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pulumi

from infra import (
    addresses,
    certificates,
    config,
    config_hosts,
    config_images,
    parts,
    token_keys,
)
from infra.config_edge import Edge
from infra.host import Host
from infra.images import inputs
from infra.images.manifest import BuiltImage
from infra.parts import Secrets
from infra.release import stack_tag
from infra.resources.release import Release, ReleaseArgs
from infra.served import Served

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""


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
        floating = [wanted.edge.floating.ip] if wanted.edge.floating else []
        own = [host.address for host in config_hosts.entries(wanted.hosts)]
        for line in certificates.warnings(pair, [*own, *floating], now):
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


def declare(
    name: str,
    stack: config.Stack,
    hosts: list[Host],
    images: dict[str, BuiltImage],
    release: Served,
    secrets: Secrets,
) -> Release:
    """Declares every resource of the stack; the release comes last.

    What is on a host that is out stays declared, so that nothing of it is removed there.
    """
    there, out = [h for h in hosts if not h.out], [h for h in hosts if h.out]
    used = release.images
    # the image of a host that is out may not have been built, and is not sent
    known = {**{host.accelerator: next(iter(used.values())) for host in out}, **images, **used}
    given = parts.Given(name=name, stack=stack, hosts=hosts, images=known, secrets=secrets)
    declared = parts.declare(given)
    args = ReleaseArgs(
        stack=name,
        config=stack,
        hosts=[(host, declared[host.name].base.prepare.machine_id) for host in there],
        out=[host.name for host in out],
        release=release.release,
        images={each: stack_tag(name, image.tag) for each, image in used.items()},
        bento=release.bento,
        models=release.models,
        env=release.env,
        memory_mib=release.memory_mib,
        tokens_key=secrets.tokens_key,
    )
    if stack.edge.has_tls:  # one file with which clients can check every entry: `--cacert`
        served = pulumi.Output.all(*(declared[h.name].edge.served_certificate for h in there))
        pulumi.export("certificates", served.apply(lambda all_of: "".join(filter(None, all_of))))
    needs = [resource for host in there for resource in declared[host.name].needs]
    return Release(name, args, pulumi.ResourceOptions(depends_on=needs))


def urls(hosts: Sequence[Host], edge: Edge) -> list[str]:
    """Where users reach the stack: the floating address, where there is one, then each entry."""
    own = [host.address for host in hosts if host.entry and not host.out]
    floating = [edge.floating.ip] if edge.floating else []
    return [addresses.url(each, edge.port, tls=edge.has_tls) for each in (*floating, *own)]
