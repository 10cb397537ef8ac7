"""A small project with a model store, to take hashes of."""

import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from infra.images.engine import Engine

BENTOFILE = """\
include: [service/**/*.py, service/requirements.txt]
models: [energy:latest]
"""

FILES = {
    "bentofile.yaml": BENTOFILE,
    "infra/images/service.dockerfile.j2": "FROM base\n",
    "infra/images/edge/Containerfile": "FROM base\n",
    "service/app.py": "one = 1\n",
    "service/api/__init__.py": "",
    "service/requirements.txt": "numpy==2.4.6\n",
    "service/__pycache__/app.cpython-311.pyc": "compiled",
    "README.md": "read me\n",
    "build/bentoml/models/energy/latest": "aaa",
    "build/bentoml/models/energy/aaa/model.onnx": "graph a",
    "build/bentoml/models/energy/aaa/card.json": '{"created_at": "yesterday"}',
    "build/bentoml/models/energy/aaa/data.json": '{"made_at": "yesterday"}',
    "build/bentoml/models/energy/bbb/model.onnx": "graph b",
}


def write(root: Path, name: str, text: str) -> None:
    """One file of the project."""
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Root of a small project with every kind of input."""
    monkeypatch.delenv("BENTOML_HOME", raising=False)
    for name, text in FILES.items():
        write(tmp_path, name, text)
    return tmp_path


def archive(tag: str, config: bytes, given: list[bytes]) -> bytes:
    """What `docker save` writes."""
    names = [f"blobs/sha256/{hashlib.sha256(layer).hexdigest()}" for layer in given]
    entry = [{"Config": "blobs/sha256/config", "RepoTags": [tag], "Layers": names}]
    files = {"blobs/sha256/config": config, "manifest.json": json.dumps(entry).encode()}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in {**dict(zip(names, given, strict=True)), **files}.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Docker(Engine):
    """An engine that has images made of given layers, and counts what it gave out and took in."""

    images: dict[str, tuple[str, bytes]]
    saves: list[str]
    loads: list[str]

    def __init__(self) -> None:
        super().__init__("docker")
        object.__setattr__(self, "images", {})
        object.__setattr__(self, "saves", [])
        object.__setattr__(self, "loads", [])

    def have(self, tag: str, *tars: bytes, given: list[bytes] | None = None) -> str:
        ids = [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in tars]
        config = json.dumps({"rootfs": {"type": "layers", "diff_ids": ids}}).encode()
        image_id = hashlib.sha256(config).hexdigest()
        self.images[tag] = (image_id, archive(tag, config, given or list(tars)))
        return image_id

    def image_id(self, tag: str) -> str | None:
        found = self.images.get(tag)
        return found[0] if found else None

    def ask(
        self, *arguments: str, timeout_s: float | None = None
    ) -> "subprocess.CompletedProcess[str]":
        if arguments[:3] == ("load", "--quiet", "--input"):
            self.loads.append(arguments[3])
            return subprocess.CompletedProcess([], 0, "", "")
        assert arguments[:2] == ("save", "--output")
        self.saves.append(arguments[3])
        Path(arguments[2]).write_bytes(self.images[arguments[3]][1])
        return subprocess.CompletedProcess([], 0, "", "")


@pytest.fixture
def engine() -> Docker:
    """An engine without images."""
    return Docker()
