"""What the machine that runs Pulumi has to have: the CLI, fresh images, keys, certificates."""

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from pathlib import Path

import yaml

from infra import certificates, stack_file, token_keys, versions
from infra.complaints import last_line
from infra.config import Stack
from infra.config_edge import OWN
from infra.doctor import expiry
from infra.doctor.checks import card
from infra.doctor.facts import version
from infra.doctor.kinds import Finding, Kind, ok
from infra.images import engine, manifest

TIMEOUT_S = 20
VULKAN = "vulkan"
OF_LOAD = "load.token"
"""`make load` writes it anew each time, so its end is no finding."""

_RUN_DPKG = ("run", "--rm", "--network", "none", "--no-healthcheck", "--entrypoint", "dpkg-query")
_MESA = ("--show", "--showformat", "${Version}", "mesa-vulkan-drivers")

NO_PULUMI = Kind(
    "error", "pulumi.missing", "the Pulumi CLI is not there or does not answer", "Run `make setup`."
)
OTHER_PULUMI = Kind(
    "warning",
    "pulumi.other",
    "the Pulumi CLI is another version than the one that is tried ({wanted})",
    "It may work; `make setup` gets the tried one where none is on PATH.",
)
NO_IMAGE = Kind("error", "image.not-ready", "{what}", "{cure}")
NO_KEYS = Kind("error", "token.keys", "{what}", "{cure}")
KEY_SEALED = Kind(
    "unchecked",
    "token.key-sealed",
    "whether the signing key fits the key set was not looked at: it is encrypted",
    "`make preview` checks it.",
)
BAD_CERTIFICATE = Kind("error", "certificate.faulty", "{what}", "{cure}")
OTHER_NAMES = Kind(
    "warning",
    "certificate.other-names",
    "the certificate is not for the address of every host, so clients that use it will refuse",
    "Get one that names them all, or let clients use the names that it has.",
)


def check(root: Path, stack: str, settings: Stack, now: datetime) -> Iterator[Finding]:
    """Findings about this machine and what the stack's file says of keys and certificates.

    Args:
        root: the repository.
        stack: its name.
        settings: of the stack.
        now: with its time zone.
    """
    yield from of_pulumi(_ask_pulumi())
    used = {host.accelerator for host in settings.hosts if not host.out}
    yield from of_images(root, {*used, "edge"})
    if VULKAN in used:
        yield from of_mesa(root)
    keys = _keys(stack_file.path_of(stack))
    yield from of_keys(keys, needed=settings.service.auth == "jwt")
    tokens = (root / "build/keys").glob("*.token")
    for path in sorted(path for path in tokens if path.name != OF_LOAD):
        yield from expiry.of_token(str(path.relative_to(root)), _text(path), now)
    if settings.edge.tls.certificate == OWN:
        yield from of_own_certificate(root, settings, keys, now)


def of_pulumi(said: str | None) -> Iterator[Finding]:
    """Findings about the Pulumi CLI from what it says of its version; None: nothing."""
    if said is None:
        yield NO_PULUMI.found()
    elif version(said) != version(versions.PULUMI):
        yield OTHER_PULUMI.found(got=said, wanted=versions.PULUMI)
    else:
        yield ok("pulumi.version", said)


def of_images(root: Path, needed: Iterable[str]) -> Iterator[Finding]:
    """Findings about the images that were built here."""
    names = sorted(needed)
    try:
        images = manifest.load_fresh(root, names)
    except ValueError as e:
        what, cure = split(str(e))
        yield NO_IMAGE.found(what=what, cure=cure)
    else:
        yield ok("image.ready", ", ".join(f"{name}: {images[name].tag}" for name in names))


def of_mesa(root: Path) -> Iterator[Finding]:
    """Findings about Mesa in the image for cards, which the engine here has."""
    try:
        tag = manifest.load(root)[VULKAN].tag
        found = engine.find().ask(*_RUN_DPKG, tag, *_MESA, timeout_s=TIMEOUT_S)
    except KeyError:
        yield card.MESA_UNCHECKED.found(got="no such image was built here")
    except (ValueError, subprocess.TimeoutExpired) as e:
        yield card.MESA_UNCHECKED.found(got=split(str(e))[0])
    else:
        if found.returncode == 0:
            yield from card.check_mesa(found.stdout.strip())
        else:
            yield card.MESA_UNCHECKED.found(got=last_line(found.stderr))


def of_keys(keys: Mapping[str, object], *, needed: bool) -> Iterator[Finding]:
    """Findings about the stack's token keys; what is encrypted stays so."""
    jwks, key = keys.get(token_keys.JWKS), keys.get(token_keys.KEY)
    if isinstance(jwks, str | None):
        lines = token_keys.faults(jwks, None, needed=needed)
        for line in lines:
            if key is None or not line.startswith(f"{token_keys.KEY}:"):
                what, cure = split(line)
                yield NO_KEYS.found(what=what, cure=cure)
        if not lines and needed:
            yield ok("token.keys", "the key set is whole")
    if needed and key is not None:
        yield KEY_SEALED.found(got=f"{token_keys.KEY}: secure")


def of_own_certificate(
    root: Path, settings: Stack, keys: Mapping[str, object], now: datetime
) -> Iterator[Finding]:
    """Findings about a certificate of one's own, in files or in the stack's file."""
    tls, given = settings.edge.tls, keys.get(certificates.CERTIFICATE)
    if tls.certificate_file:
        pair, faults = certificates.read(tls, {}, root, now)
        for line in faults:
            what, cure = split(line)
            yield BAD_CERTIFICATE.found(what=what, cure=cure)
        if pair is None:
            return
        where, given = tls.certificate_file, pair.certificate
        addresses = [host.address for host in settings.hosts if not host.out]
        for line in certificates.warnings(pair, addresses, pair.ends - expiry.SOON * 2):
            yield OTHER_NAMES.found(got=split(line)[0])
    else:
        where = certificates.CERTIFICATE
    if isinstance(given, str):
        yield from expiry.of_certificate(where, given, expiry.RENEW_OWN, now)
    else:
        got = "it is encrypted" if given else "it is not set"
        yield expiry.CERTIFICATE_UNCHECKED.found(got=got, where=where)


def split(message: str) -> tuple[str, str]:
    """A message `where: what is wrong (got X). What to do.` as what is wrong, and what to do."""
    what, _, cure = message.replace("\n", "; ").partition(". ")
    return what.rstrip("."), cure


def _ask_pulumi() -> str | None:
    try:
        done = subprocess.run(
            ["pulumi", "version"],
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _keys(path: Path) -> Mapping[str, object]:
    """The `config` of a stack's file, which has been read before without a fault."""
    content = yaml.safe_load(path.read_text())
    return dict(content["config"])


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
