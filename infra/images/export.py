"""An image out of the engine that built it: its config byte for byte, its layers as tar files."""

import contextlib
import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO

from infra import complaints
from infra.complaints import last_line
from infra.images import layers
from infra.images.engine import Engine
from infra.images.layers import Layer

TIMEOUT_S = 900.0
CHUNK = 2**20
LEVEL = 6
GZIP = 16 + zlib.MAX_WBITS
"""zlib's number for gzip's form; it writes no time and no name, so that equal layers stay equal."""

GZIP_MAGIC = b"\x1f\x8b"


_Open = Callable[[], contextlib.AbstractContextManager[IO[bytes]]]


class NotExported(Exception):
    """The engine does not give the image: one line, `where: what is wrong. What to do.`"""


@dataclass(frozen=True)
class Tar:
    """One layer as the engine gave it.

    Attributes:
        diff_id: digest of the tar file, as the image's config has it.
        open: opens the layer; some engines give it compressed by gzip.
    """

    diff_id: str
    open: Callable[[], contextlib.AbstractContextManager[IO[bytes]]]


@dataclass(frozen=True)
class Exported:
    """An image out of its engine, while the files are there."""

    config: bytes
    layers: tuple[Tar, ...]


@contextlib.contextmanager
def exported(engine: Engine, tag: str, image_id: str, scratch: Path) -> Iterator[Exported]:
    """The image's parts, in files below `scratch` that are gone afterwards.

    Raises:
        NotExported: the engine has no such image, has another one under the tag, or fails.
    """
    found = engine.image_id(tag)
    if found != image_id:
        raise NotExported(not_built(engine, tag, found, image_id))
    shutil.rmtree(scratch, ignore_errors=True)  # of a run that was killed
    scratch.mkdir(parents=True)
    try:
        yield _parts(engine, tag, scratch)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _parts(engine: Engine, tag: str, scratch: Path) -> Exported:
    give = _by_podman if engine.name == "podman" else _by_docker
    try:
        return give(engine, tag, scratch)
    except (ValueError, KeyError, TypeError, tarfile.TarError) as e:
        why = str(e).splitlines()[0] if str(e) else type(e).__name__
        msg = (
            f"{engine.name}: gave image {tag} out damaged ({why}). Remove the image and run "
            "`make image`."
        )
        raise NotExported(msg) from e


def not_built(engine: Engine, tag: str, found: str | None, image_id: str) -> str:
    """The line for an engine that has another image under the tag, or none."""
    if found is None:
        return f"{engine.name}: image {tag} is not here. Run `make image`."
    return (
        f"{engine.name}: image {tag} is not the one that was built "
        f"(got {found[:12]}, built {image_id[:12]}). Run `make image`."
    )


def _by_podman(engine: Engine, tag: str, scratch: Path) -> Exported:
    """By a push into a folder: `save` would write all layers into one file first."""
    folder = scratch / "image"
    _run(engine, tag, "push", "--quiet", "--format", "v2s2", tag, f"dir:{folder}")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    config = (folder / _hex(manifest["config"]["digest"])).read_bytes()
    files = (folder / _hex(layer["digest"]) for layer in manifest["layers"])
    opens: list[_Open] = [partial(_read, file) for file in files]
    return Exported(config, _tars(config, opens))


def _read(file: Path) -> IO[bytes]:
    return file.open("rb")


def _by_docker(engine: Engine, tag: str, scratch: Path) -> Exported:
    archive = scratch / "image.tar"
    _run(engine, tag, "save", "--output", str(archive), tag)
    with tarfile.open(archive, "r:") as tar:
        (entry,) = json.loads(_member(tar, "manifest.json"))
        config = _member(tar, entry["Config"])
    opens = [partial(_opened, archive, name) for name in entry["Layers"]]
    return Exported(config, _tars(config, opens))


def _tars(config: bytes, opens: Sequence[_Open]) -> tuple[Tar, ...]:
    return tuple(Tar(d, o) for d, o in zip(layers.diff_ids(config), opens, strict=True))


def _member(tar: tarfile.TarFile, name: str) -> bytes:
    file = tar.extractfile(name)
    if file is None:
        raise ValueError(f"{name} is no file")
    return file.read()


@contextlib.contextmanager
def _opened(archive: Path, name: str) -> Iterator[IO[bytes]]:
    """A file inside the archive; each caller has a handle of its own, so that threads may read."""
    with tarfile.open(archive, "r:") as tar:
        file = tar.extractfile(name)
        if file is None:
            raise ValueError(f"{name} is no file")
        yield file


def _run(engine: Engine, tag: str, *arguments: str) -> None:
    try:
        done = engine.ask(*arguments, timeout_s=TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        msg = (
            f"{engine.name}: gave image {tag} not out in {TIMEOUT_S:.0f} s. "
            "Look whether the container engine answers."
        )
        raise NotExported(msg) from e
    if done.returncode != 0:
        said = last_line(done.stderr)
        cure = complaints.cure({engine.name: done.stderr}, otherwise="Run `make image`.")
        raise NotExported(f"{engine.name}: does not give image {tag} out ({said}). {cure}")


def _hex(digest: str) -> str:
    return digest.removeprefix("sha256:")


def compress(tar: Tar, target: Path) -> Layer:
    """Writes the layer compressed. The same layer gives the same bytes.

    Raises:
        NotExported: the layer is not what the image's config says.
    """
    plain, packed, size = hashlib.sha256(), hashlib.sha256(), 0
    squeeze = zlib.compressobj(LEVEL, wbits=GZIP)
    with tar.open() as given, target.open("wb") as out:
        source = _plain(given)
        while chunk := source.read(CHUNK):
            plain.update(chunk)
            size += len(chunk)
            _write(out, packed, squeeze.compress(chunk))
        _write(out, packed, squeeze.flush())
    if f"sha256:{plain.hexdigest()}" != tar.diff_id:
        msg = (
            f"images: the engine gave another layer than the image has (got "
            f"{plain.hexdigest()[:12]}, wanted {_hex(tar.diff_id)[:12]}). Remove the image and "
            "run `make image`."
        )
        raise NotExported(msg)
    return Layer(tar.diff_id, f"sha256:{packed.hexdigest()}", target.stat().st_size, size)


def _plain(given: IO[bytes]) -> IO[bytes]:
    """The tar file, unpacked where the engine keeps its layers compressed."""
    is_packed = given.read(len(GZIP_MAGIC)) == GZIP_MAGIC
    given.seek(0)
    return gzip.open(given) if is_packed else given  # type: ignore[return-value]


def _write(out: IO[bytes], digest: "hashlib._Hash", data: bytes) -> None:
    digest.update(data)
    out.write(data)
