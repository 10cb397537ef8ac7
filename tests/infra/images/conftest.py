"""A small project with a model store, to take hashes of."""

from pathlib import Path

import pytest

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
