"""An image as blobs: its config, its layers compressed, and the manifest that ties them. Pure.

The form is Docker's schema 2: it keeps the config, and so the image's id, as it was built.
Source: https://distribution.github.io/distribution/spec/manifest-v2-2/, read 2026-11.
"""

import hashlib
import json
import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.docker.image.rootfs.diff.tar.gzip"
PLAIN_TYPE = "application/vnd.docker.image.rootfs.diff.tar"

STEP_BYTES = 4 * 2**20
"""A host keeps what came over after each so many bytes, a layer being the smallest piece."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


def digest_of(content: bytes) -> str:
    """A blob's name: `sha256:` and 64 hex digits."""
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def is_digest(text: object) -> bool:
    """Whether a text can be a blob's name."""
    return isinstance(text, str) and _DIGEST.fullmatch(text) is not None


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes:
        diff_id: digest of the layer's tar file.
        digest: digest of what is sent: the same, compressed.
        size: bytes of that.
        plain_size: bytes of the tar file.
    """

    diff_id: str
    digest: str
    size: int
    plain_size: int

    @property
    def media_type(self) -> str:
        """What the digest is of."""
        return PLAIN_TYPE if self.digest == self.diff_id else LAYER_TYPE


@dataclass(frozen=True)
class Packed:
    """An image as a registry gives it out: the config as it was built, and the layers in order."""

    config: bytes
    layers: tuple[Layer, ...]

    @property
    def config_digest(self) -> str:
        """The image's id, for engines that name images by their config."""
        return digest_of(self.config)

    @property
    def manifest(self) -> bytes:
        """The manifest: the same image and layers give the same bytes."""
        content = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": _part(CONFIG_TYPE, self.config_digest, len(self.config)),
            "layers": [_part(layer.media_type, layer.digest, layer.size) for layer in self.layers],
        }
        return json.dumps(content, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """The manifest's digest: whoever pulls by it gets this image or nothing."""
        return digest_of(self.manifest)

    @property
    def ids(self) -> frozenset[str]:
        """What an engine may call the image: by its config, or (containerd) by its manifest."""
        names = (self.config_digest, self.digest)
        return frozenset(name.removeprefix("sha256:") for name in names)

    @property
    def size(self) -> int:
        """Bytes of everything, compressed."""
        return len(self.manifest) + len(self.config) + sum(layer.size for layer in self.layers)


def _part(media_type: str, digest: str, size: int) -> dict[str, object]:
    return {"mediaType": media_type, "size": size, "digest": digest}


def diff_ids(config: bytes) -> list[str]:
    """The layers that a config names, the lowest first.

    Raises:
        ValueError: it is no image's config.
    """
    content: Any = json.loads(config)
    try:
        found = content["rootfs"]["diff_ids"]
    except (KeyError, TypeError) as e:
        raise ValueError("it names no layers") from e
    if not isinstance(found, list) or not all(is_digest(item) for item in found):
        raise ValueError("its layers have no digests")
    return found


def first(packed: Packed, count: int, of: str) -> Packed:
    """The image of the lowest `count` layers alone: what a host keeps of one that is on its way.

    Args:
        of: the name of the whole. Images that have their lowest layers in common come to a host at
            the same time, and Podman before 4.8 loses names of an image that two name at a time
            (https://github.com/containers/podman/issues/17515).
    """
    kind = json.loads(packed.config)
    config = {
        "architecture": kind.get("architecture", "amd64"),
        "os": kind.get("os", "linux"),
        "created": kind.get("created", "1970-01-01T00:00:00Z"),
        "config": {},
        "history": [{"created_by": f"a part of {of} on its way"}] * count,
        "rootfs": {
            "type": "layers",
            "diff_ids": [layer.diff_id for layer in packed.layers[:count]],
        },
    }
    return Packed(json.dumps(config, separators=(",", ":")).encode(), packed.layers[:count])


def plainly(packed: Packed, there: Container[int]) -> Packed:
    """The same image, with the layers `there` (by number) named by their tar files.

    Podman finds a layer by the digest it was pulled by, or by its tar file's; one that came out of
    an archive, or from another registry, has only the latter.
    """
    return Packed(
        packed.config,
        tuple(
            replace(layer, digest=layer.diff_id, size=layer.plain_size) if n in there else layer
            for n, layer in enumerate(packed.layers)
        ),
    )


@dataclass(frozen=True)
class Lack:
    """What a host lacks of an image.

    Attributes:
        base: how many of the lowest layers it has, as one image has them.
        missing: numbers of the layers, from 0, that must be sent.
    """

    base: int
    missing: tuple[int, ...]


def lack(packed: Packed, there: Iterable[Sequence[str]], *, by_chain: bool) -> Lack:
    """Compares an image with those that a host has.

    Args:
        there: the `diff_ids` of each image on the host.
        by_chain: the engine finds a layer again only above the same layers (Docker), and not
            wherever it lies (Podman).
    """
    wanted = [layer.diff_id for layer in packed.layers]
    base, known = 0, set[str]()
    for other in there:
        base = max(base, _alike(wanted, other))
        known.update(other)
    above = range(base, len(wanted))
    return Lack(base, tuple(n for n in above if by_chain or wanted[n] not in known))


def _alike(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((n for n, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def steps(packed: Packed, lacking: Lack) -> list[int]:
    """After how many layers the host keeps what it has; the last is the whole image.

    An engine forgets what it got of an image whose pull broke off, Docker all of it. So the lower
    layers are pulled as images of their own, each once about `STEP_BYTES` have gathered.
    """
    found, gathered = [], 0
    for number in lacking.missing[:-1]:
        gathered += packed.layers[number].size
        if gathered >= STEP_BYTES:
            found.append(number + 1)
            gathered = 0
    return [*found, len(packed.layers)]
