"""Images as `docker save` writes them and `docker load` takes them."""

import io
import json
import tarfile
from collections.abc import Container, Iterable
from pathlib import Path
from typing import Any

from infra.images.layers import Packed

MANIFEST = "manifest.json"


def config_name(packed: Packed) -> str:
    """Where in the archive an image's config lies."""
    return f"{packed.config_digest.removeprefix('sha256:')}.json"


def layer_name(digest: str) -> str:
    """Where in the archive a compressed layer lies."""
    return f"{digest.removeprefix('sha256:')}.tar.gz"


def manifest(images: Iterable[tuple[str, Packed]]) -> bytes:
    """The list by which an engine finds the images of an archive: tag and image each."""
    entries: list[dict[str, Any]] = [
        {
            "Config": config_name(packed),
            "RepoTags": [tag],
            "Layers": [layer_name(layer.digest) for layer in packed.layers],
        }
        for tag, packed in images
    ]
    return json.dumps(entries).encode()


def add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    """One file into the archive."""
    info = tarfile.TarInfo(name)
    info.size = len(content)
    tar.addfile(info, io.BytesIO(content))


def without(packed: Packed, tag: str, there: Container[int], folder: Path) -> bytes:
    """The image without the layers that Docker has, by number: it looks for no file of those.

    Podman refuses such an archive.

    Args:
        folder: the compressed layers, each named by the hex digits of its digest.
    """
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        add(tar, MANIFEST, manifest([(tag, packed)]))
        add(tar, config_name(packed), packed.config)
        for number, layer in enumerate(packed.layers):
            if number not in there:
                file = folder / layer.digest.removeprefix("sha256:")
                tar.add(file, layer_name(layer.digest))
    return out.getvalue()
