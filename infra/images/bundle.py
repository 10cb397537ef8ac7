"""`make bundle`: the images that were built and their models in one file, for a stick.

The file is also what `podman load` and `docker load` take: a host whose line is slow can be given
its images by hand, and is sent nothing of them afterwards.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from infra.images import archive, inputs, manifest
from infra.images import engine as engines
from infra.images.layers import Packed
from infra.images.manifest import BuiltImage
from infra.images.store import NotPacked, Store

FOLDER = "build/bundle"
INDEX = "bentofleet.json"
FORMAT = 1
MODELS = "models"
MODEL = "model "
"""What the inputs of an image call a model by, before its tag."""

MB = 1e6


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file and says where; exit code 1 and one line where that fails."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--to", type=Path, help=f"folder, such as the stick's; default: {FOLDER}")
    given = parser.parse_args(arguments).to
    folder = given or Path(FOLDER)
    try:
        if given is not None:
            _refuse_missing(given)
        path = make(Path.cwd(), folder)
    except (ValueError, NotPacked) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    except OSError as e:
        sys.stderr.write(
            f"{e.filename or folder}: cannot be written ({e.strerror or e}). Make room or choose "
            "another folder.\n"
        )
        return 1
    size_mb = path.stat().st_size / MB
    sys.stdout.write(f"{path}: {size_mb:.0f} MB. There: make unbundle FILE={path}\n")
    return 0


def _refuse_missing(folder: Path) -> None:
    """A stick that is not mounted is no folder: the file would land on this machine's own disk."""
    if not folder.is_dir():
        msg = f"--to: there is no such folder (got {folder}). Mount the stick, or make the folder."
        raise ValueError(msg)


def make(root: Path, folder: Path) -> Path:
    """The file, written beside its last name first: a cut-off one is never taken for whole.

    Raises:
        ValueError: an image is missing or older than its inputs, or no engine answers.
        NotPacked: the engine does not give an image out.
    """
    images = _fresh(root)
    engine, store = engines.find(), Store(root)
    packed = {n: store.pack(engine, image.tag, image.image_id) for n, image in images.items()}
    files = dict(_models(root, images))
    index = _index(root, images, packed, files)
    folder.mkdir(parents=True, exist_ok=True)
    bentos = "-".join(
        str(image.bento).partition(":")[2] for image in images.values() if image.bento
    )
    path = folder / f"bentofleet-{bentos}.tar"
    part = path.with_suffix(".part")
    try:
        with part.open("wb") as out:
            with tarfile.open(fileobj=out, mode="w") as tar:
                archive.add(tar, INDEX, json.dumps(index, indent=1).encode())
                listed = [(image.tag, packed[n]) for n, image in images.items()]
                archive.add(tar, archive.MANIFEST, archive.manifest(listed))
                for image in packed.values():
                    archive.add(tar, archive.config_name(image), image.config)
                for digest in sorted({layer.digest for p in packed.values() for layer in p.layers}):
                    tar.add(store.path(digest), archive.layer_name(digest), filter=_plain)
                for name, file in files.items():
                    tar.add(file, name, filter=_plain)
            out.flush()
            os.fsync(out.fileno())  # the stick may be pulled out as soon as we say that it is done
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return path


def _fresh(root: Path) -> dict[str, BuiltImage]:
    """What was built and is up to date: the edge, and the service for one accelerator or more."""
    built = manifest.load(root)
    fresh = {n: image for n, image in built.items() if not manifest.changed_inputs(root, image)}
    if "edge" not in fresh or len(fresh) < 2:
        manifest.load_fresh(root)  # says what is missing or old
    return fresh


def _models(root: Path, images: Mapping[str, BuiltImage]) -> Iterator[tuple[str, Path]]:
    """Every file of the models in the images, by its name in the bundle."""
    store = inputs.model_store(root)
    named = {
        n.removeprefix(MODEL) for i in images.values() for n in i.inputs if n.startswith(MODEL)
    }
    for tag in sorted(named):
        version = inputs.model_version(store, tag)
        folder = store / tag.partition(":")[0] / str(version)
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                yield f"{MODELS}/{path.relative_to(store).as_posix()}", path


def _index(
    root: Path,
    images: Mapping[str, BuiltImage],
    packed: Mapping[str, Packed],
    files: Mapping[str, Path],
) -> dict[str, Any]:
    """What `make unbundle` checks everything else by."""
    return {
        "format": FORMAT,
        "commit": _commit(root),
        "images": {n: asdict(image) for n, image in images.items()},
        "layers": {n: [asdict(layer) for layer in p.layers] for n, p in packed.items()},
        "configs": {n: p.config_digest for n, p in packed.items()},
        "files": {name: _sha256(path) for name, path in files.items()},
    }


def _commit(root: Path) -> str:
    """What is checked out, for the message that names it; empty where git does not tell."""
    try:
        argv = ["git", "-C", str(root), "rev-parse", "--short", "HEAD"]
        done = subprocess.run(argv, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _plain(info: tarfile.TarInfo) -> tarfile.TarInfo:
    """Without the owner's name and the time: nobody needs them, and a stick gets lost."""
    info.uid = info.gid = info.mtime = 0
    info.uname = info.gname = ""
    info.mode = 0o644
    return info


if __name__ == "__main__":
    sys.exit(main())
