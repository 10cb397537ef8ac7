"""`make unbundle FILE=…`: checks what `make bundle` wrote, and takes it in on this machine."""

import argparse
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, Any

from infra import complaints
from infra.complaints import last_line
from infra.images import archive, bundle, inputs, layers, manifest
from infra.images import engine as engines
from infra.images.engine import Engine
from infra.images.layers import Layer, Packed
from infra.images.manifest import BuiltImage
from infra.images.store import Store

CHUNK = 2**20
LOAD_TIMEOUT_S = 1800.0


@dataclass(frozen=True)
class Index:
    """What the file says of itself.

    Attributes:
        files: name of each model's file -> sha256.
    """

    commit: str
    images: Mapping[str, BuiltImage]
    packed: Mapping[str, Packed]
    files: Mapping[str, str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Takes everything in; exit code 1 and one line where something is wrong, and then nothing."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("file", type=Path)
    path = parser.parse_args(arguments).file
    try:
        images = take(Path.cwd(), path)
    except (ValueError, OSError) as e:
        sys.stderr.write(f"{_line(path, e)}\n")
        return 1
    for image in images:
        sys.stdout.write(f"{image.name}: {image.tag}\n")
    sys.stdout.write(f"{manifest.FILE} names them; release them with `make up`.\n")
    return 0


def _line(path: Path, error: Exception) -> str:
    if isinstance(error, OSError):
        if isinstance(error, FileNotFoundError) and not path.exists():
            return f"{path}: there is no such file. Name what `make bundle` wrote."
        name = error.filename or path
        return f"{name}: cannot be read or written ({error.strerror or error}). Mend that."
    return str(error)


def take(root: Path, path: Path) -> list[BuiltImage]:
    """Checks the whole file, then takes it in.

    Raises:
        ValueError: the file is damaged, was made from other sources, or the engine does not take
            it; one line.
        OSError: a file cannot be read or written.
    """
    engine = engines.find()
    scratch = root / bundle.FOLDER / "opened"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    try:
        with _opened(path) as tar:
            index = _read(tar, path)
            _refuse_other_sources(root, index, path)
            _unpack(tar, index, path, scratch)
        _load(engine, path)
        _take_models(root, index, scratch)
        return [_take_image(root, engine, index, name, scratch) for name in index.images]
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _opened(path: Path) -> tarfile.TarFile:
    try:
        return tarfile.open(path, mode="r:")
    except tarfile.TarError as e:
        raise ValueError(_damaged(path, str(e))) from e


def _damaged(path: Path, what: str) -> str:
    return f"{path}: is no bundle, or a damaged one ({what}). Copy it again, or `make bundle` anew."


def _read(tar: tarfile.TarFile, path: Path) -> Index:
    try:
        content: Any = json.loads(_file(tar, bundle.INDEX, path).read())
        if content["format"] != bundle.FORMAT:
            msg = (
                f"{path}: has another format (got {content['format']}, known {bundle.FORMAT}). "
                "Check out the version of bentofleet that made it."
            )
            raise ValueError(msg)
        images = {name: BuiltImage(**entry) for name, entry in content["images"].items()}
        packed = {}
        for name in images:
            config = _file(tar, f"{content['configs'][name].removeprefix('sha256:')}.json", path)
            found = tuple(Layer(**layer) for layer in content["layers"][name])
            packed[name] = Packed(config.read(), found)
            if packed[name].config_digest != content["configs"][name] or layers.diff_ids(
                packed[name].config
            ) != [layer.diff_id for layer in found]:
                raise ValueError(_damaged(path, f"the config of image {name}"))
        return Index(str(content["commit"]), images, packed, content["files"])
    except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as e:
        raise ValueError(_damaged(path, bundle.INDEX)) from e


def _file(tar: tarfile.TarFile, name: str, path: Path) -> IO[bytes]:
    try:
        file = tar.extractfile(name)
    except KeyError as e:
        raise ValueError(_damaged(path, f"{name} is missing")) from e
    except tarfile.TarError as e:
        raise ValueError(_damaged(path, str(e))) from e
    if file is None:
        raise ValueError(_damaged(path, f"{name} is no file"))
    return file


def _refuse_other_sources(root: Path, index: Index, path: Path) -> None:
    """`make up` refuses images that are older than the files beside them: better said at once."""
    changed = {
        name
        for image in index.images.values()
        for name in manifest.changed_inputs(root, image)
        if not name.startswith(bundle.MODEL)  # the bundle brings these
    }
    if changed:
        few = ", ".join(sorted(changed)[:4])
        msg = (
            f"{path}: was made from other files than are here ({few}). Check out what it was made "
            f"from (commit {index.commit or 'unknown'})."
        )
        raise ValueError(msg)


def _unpack(tar: tarfile.TarFile, index: Index, path: Path, scratch: Path) -> None:
    """Every layer and file into `scratch`, each checked by its digest."""
    for layer in {layer for packed in index.packed.values() for layer in packed.layers}:
        name = archive.layer_name(layer.digest)
        digest = _copy(_file(tar, name, path), scratch / name)
        if f"sha256:{digest}" != layer.digest or _plain(scratch / name) != layer.diff_id:
            raise ValueError(_damaged(path, name))
    for name, wanted in index.files.items():
        parts = PurePosixPath(name).parts
        if parts[0] != bundle.MODELS or ".." in parts or len(parts) < 4:
            raise ValueError(_damaged(path, f"{name} is no model's file"))
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if _copy(_file(tar, name, path), target) != wanted:
            raise ValueError(_damaged(path, name))


def _copy(source: IO[bytes], target: Path) -> str:
    digest = hashlib.sha256()
    with target.open("wb") as out:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
            out.write(chunk)
    return digest.hexdigest()


def _plain(path: Path) -> str:
    """Digest of a layer's tar file."""
    digest = hashlib.sha256()
    with gzip.open(path) as source:
        while chunk := source.read(CHUNK):
            digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _load(engine: Engine, path: Path) -> None:
    try:
        done = engine.ask("load", "--quiet", "--input", str(path), timeout_s=LOAD_TIMEOUT_S)
    except subprocess.TimeoutExpired as e:
        msg = (
            f"{engine.name}: did not load {path} in {LOAD_TIMEOUT_S:.0f} s. "
            "Look whether the container engine answers."
        )
        raise ValueError(msg) from e
    if done.returncode != 0:
        said = last_line(done.stderr)
        msg = f"{engine.name}: does not load {path} ({said}). Mend that and run it again."
        cure = complaints.cure({engine.name: done.stderr}, "")
        raise ValueError(f"{msg} {cure}".rstrip())


def _take_models(root: Path, index: Index, scratch: Path) -> None:
    """The models into BentoML's store, as its latest: `make up` reads their versions there."""
    store = inputs.model_store(root)
    for folder in sorted((scratch / bundle.MODELS).glob("*/*")):
        target = store / folder.parent.name / folder.name
        if not target.is_dir():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(folder, target)
        (target.parent / "latest").write_text(folder.name, encoding="utf-8")


def _take_image(root: Path, engine: Engine, index: Index, name: str, scratch: Path) -> BuiltImage:
    given, packed = index.images[name], index.packed[name]
    found = engine.image_id(given.tag)
    if found is None:
        msg = f"{engine.name}: has no {given.tag} after loading it. Run `make unbundle` again."
        raise ValueError(msg)
    # this engine may name the same image otherwise
    image = BuiltImage(
        name=name, tag=given.tag, image_id=found, bento=given.bento, inputs=given.inputs
    )
    files = [scratch / archive.layer_name(layer.digest) for layer in packed.layers]
    Store(root).adopt(found, packed, files)
    manifest.save(root, image)
    return image


if __name__ == "__main__":
    sys.exit(main())
