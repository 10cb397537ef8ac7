"""build/blobs: images of this machine's engine, compressed once, ready to be sent.

`sha256/` has the compressed layers by digest, `layers/` the digest of each layer's compressed form,
`images/` what each built image consists of. All of it can be made again from the engine.
"""

import contextlib
import dataclasses
import fcntl
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from infra.images import export
from infra.images.engine import Engine
from infra.images.export import NotExported
from infra.images.layers import Layer, Packed

FOLDER = "build/blobs"

KEPT = 8
"""Images whose blobs stay: a few releases of each variant, and the edge's."""

_in_process = threading.Lock()
"""`flock` keeps processes apart, and this the threads of one."""


class NotPacked(Exception):
    """An image cannot be made ready for sending: one line, `where: what is wrong. What to do.`"""


class Store:
    """The blobs below one folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / FOLDER
        self._sound: set[str] = set()
        """Digests of files that were read through in this process and are right."""

    @property
    def files(self) -> Path:
        """The folder of the compressed layers."""
        return self.folder / "sha256"

    def path(self, digest: str) -> Path:
        """Where a compressed layer lies."""
        return self.files / digest.removeprefix("sha256:")

    def pack(self, engine: Engine, tag: str, image_id: str) -> Packed:
        """The engine's image as blobs; what is there and undamaged is not made again.

        Args:
            image_id: the id that was built, without `sha256:`; the engine must have it under `tag`.

        Raises:
            NotPacked: the engine has another image or none, or the disk is full.
        """
        try:
            with self._alone():
                if known := self._known(image_id):
                    os.utime(self._record(image_id))  # the newest are kept
                    return known
                packed = self._make(engine, tag, image_id)
                self._tidy()
                return packed
        except NotExported as e:
            raise NotPacked(str(e)) from e
        except OSError as e:
            msg = (
                f"{self.folder}: an image cannot be made ready for sending ({e.strerror or e}). "
                "Make room there or mend that, then run the same command again."
            )
            raise NotPacked(msg) from e

    def known(self, image_id: str) -> Packed | None:
        """What an image consists of, where that was found out before; looks at no layer."""
        try:
            content = json.loads(self._record(image_id).read_text(encoding="utf-8"))
            found = [Layer(str(d), str(b), int(s), int(p)) for d, b, s, p in content["layers"]]
            return Packed(content["config"].encode(), tuple(found))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # never packed, or damaged: it is made anew

    def adopt(self, image_id: str, packed: Packed, files: Sequence[Path]) -> None:
        """Takes layers that came from elsewhere, already checked; `files` in the layers' order."""
        with self._alone():
            for layer, file in zip(packed.layers, files, strict=True):
                if file.exists():  # else an image before it had the same layer
                    self._place(file, layer)
            self._write_record(image_id, packed)

    # -- what lies in the folder ----------------------------------------------------------------

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """One at a time, threads of this process and other processes alike."""
        for name in ("sha256", "layers", "images"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        with _in_process, (self.folder / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _record(self, image_id: str) -> Path:
        return self.folder / "images" / f"{image_id}.json"

    def _known(self, image_id: str) -> Packed | None:
        """`known`, when every layer is there and is what its name says."""
        packed = self.known(image_id)
        if packed is None or not all([self._is_sound(layer) for layer in packed.layers]):
            return None
        return packed

    def _is_sound(self, layer: Layer) -> bool:
        """Whether a layer's file has the bytes that its name promises; one that has not is removed.

        Read through once per process: a host's engine would refuse it only after it was sent.
        """
        path = self.path(layer.digest)
        if layer.digest not in self._sound:
            try:
                with path.open("rb") as file:
                    found = hashlib.file_digest(file, "sha256").hexdigest()
            except FileNotFoundError:
                return False
            if f"sha256:{found}" != layer.digest:
                path.unlink()
                return False
            self._sound.add(layer.digest)
        return path.is_file()

    def _make(self, engine: Engine, tag: str, image_id: str) -> Packed:
        with export.exported(engine, tag, image_id, self.folder / "tmp") as image:
            missing, found = [], dict[str, Layer]()
            for tar in image.layers:
                layer = self._compressed(tar.diff_id)
                if layer and self._is_sound(layer):
                    found[tar.diff_id] = layer
                else:
                    missing.append(tar)
            with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
                for layer in pool.map(self._compress, missing):
                    found[layer.diff_id] = layer
            packed = Packed(image.config, tuple(found[tar.diff_id] for tar in image.layers))
        self._write_record(image_id, packed)
        return packed

    def _compressed(self, diff_id: str) -> Layer | None:
        path = self.folder / "layers" / diff_id.removeprefix("sha256:")
        try:
            digest, size, plain = path.read_text(encoding="ascii").split()
            return Layer(diff_id, digest, int(size), int(plain))
        except (OSError, ValueError):
            return None

    def _compress(self, tar: export.Tar) -> Layer:
        part = self.folder / "tmp" / f"{tar.diff_id.removeprefix('sha256:')}.gz"
        layer = export.compress(tar, part)
        self._place(part, layer)
        self._sound.add(layer.digest)
        return layer

    def _place(self, file: Path, layer: Layer) -> None:
        file.replace(self.path(layer.digest))
        note = self.folder / "layers" / layer.diff_id.removeprefix("sha256:")
        text = f"{layer.digest} {layer.size} {layer.plain_size}\n"
        note.write_text(text, encoding="ascii")

    def _write_record(self, image_id: str, packed: Packed) -> None:
        content = {
            "config": packed.config.decode(),
            "layers": [dataclasses.astuple(layer) for layer in packed.layers],
        }
        path = self._record(image_id)
        part = path.with_suffix(".part")
        part.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        part.replace(path)

    def _tidy(self) -> None:
        """Removes the blobs of all but the `KEPT` images that were used last."""
        records = sorted(
            (self.folder / "images").glob("*.json"), key=lambda p: p.stat().st_mtime, reverse=True
        )
        kept, known = set[str](), set[str]()
        for path in records[:KEPT]:
            if packed := self.known(path.stem):
                kept |= {layer.digest for layer in packed.layers}
                known |= {layer.diff_id for layer in packed.layers}
        for path in records[KEPT:]:
            path.unlink()
        for path in (self.folder / "sha256").iterdir():
            if f"sha256:{path.name}" not in kept:
                path.unlink()
        for path in (self.folder / "layers").iterdir():
            if f"sha256:{path.name}" not in known:
                path.unlink()
