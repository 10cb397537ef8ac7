"""Puts models into the BentoML model store and finds them there.

Finding reads the store's folders and imports nothing; only publishing imports BentoML.
"""

import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bentos import sums
from bentos.card import CARD_FILE, Card
from bentos.recipe import ROOT

HOME_VARIABLE = "BENTOML_HOME"
DEFAULT_HOME = ROOT / "build" / "bentoml"

_LATEST = "latest"
# Beside the store's `models`, which lists every folder in it; on its disk, so that one rename
# publishes.
_STAGING = "publishing"
_STALE_S = 3600.0
_READABLE = 0o755  # BentoML leaves 700, and the service in the image is another user


def home() -> Path:
    """BentoML's home: the variable that BentoML reads, else build/bentoml."""
    given = os.environ.get(HOME_VARIABLE)
    return Path(given).expanduser() if given else DEFAULT_HOME


def find(name: str, version: str) -> Path | None:
    """The folder of a published version, or None."""
    folder = home() / "models" / name / version
    return folder if folder.is_dir() else None


def latest(name: str) -> Path | None:
    """The folder of the version that `name:latest` means, or None."""
    try:
        version = (home() / "models" / name / _LATEST).read_text(encoding="utf-8").strip()
    except OSError:
        return None
    return find(name, version) if version.isalnum() else None


def cards(name: str) -> list[dict[str, Any]]:
    """The cards of all published versions that can be read: the latest first, then by age."""
    live = latest(name)
    found = []
    for path in (home() / "models" / name).glob(f"*/{CARD_FILE}"):
        try:
            card = json.loads(path.read_bytes())
        except (OSError, ValueError):
            continue
        if isinstance(card, dict) and card.get("version") == path.parent.name:
            found.append((path.parent == live, str(card.get("created_at")), card))
    return [card for *_, card in sorted(found, key=lambda entry: entry[:2], reverse=True)]


def fault(name: str, version: str) -> str | None:
    """What is wrong with a published version; None where it is whole or not there."""
    folder = find(name, version)
    if folder is None:
        return None
    try:
        card = json.loads((folder / CARD_FILE).read_bytes())
    except (OSError, ValueError) as error:
        return f"{CARD_FILE} cannot be read: {error}"
    return sums.fault(folder, card) if isinstance(card, dict) else f"{CARD_FILE} is no object"


def discard(name: str, version: str) -> None:
    """Takes a version out of the store by one rename, then deletes it."""
    with tempfile.TemporaryDirectory(dir=_staging(), ignore_cleanup_errors=True) as scratch:
        (home() / "models" / name / version).rename(Path(scratch) / version)


def set_latest(name: str, version: str) -> None:
    """Makes a published version the one that `name:latest` means."""
    pointer = home() / "models" / name / _LATEST
    if pointer.is_file() and pointer.read_text(encoding="utf-8").strip() == version:
        return
    fresh = pointer.with_name(f".{_LATEST}.{os.getpid()}")
    fresh.write_text(version, encoding="utf-8")
    fresh.replace(pointer)


def publish(card: Card, folder: Path) -> Path:
    """Publishes a model's files as `card.name:card.version` and makes it the latest.

    The version appears by one rename with all its files, or not at all. Where the same version
    was published meanwhile, that one stays.

    Args:
        card: goes into the folder as card.json, and in short into the store's labels.
        folder: has model.onnx and golden.json.

    Returns:
        The version's folder in the store.
    """

    def fill(staged: Path) -> None:
        shutil.copytree(folder, staged, dirs_exist_ok=True)
        card.write(staged)

    return put(card.name, card.version, _labels(card), _metadata(card), fill)


def put(
    name: str,
    version: str,
    labels: dict[str, str],
    metadata: dict[str, Any],
    fill: Callable[[Path], None],
) -> Path:
    """Puts what `fill` writes into the store as `name:version`, as `publish` does a model.

    Returns:
        The version's folder in the store.
    """
    target = home() / "models" / name / version
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_staging(), ignore_cleanup_errors=True) as staging:
        staged = _stage(name, version, labels, metadata, fill, Path(staging))
        try:
            staged.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    set_latest(name, version)
    return target


def _stage(
    name: str,
    version: str,
    labels: dict[str, str],
    metadata: dict[str, Any],
    fill: Callable[[Path], None],
    staging: Path,
) -> Path:
    """The version's folder as BentoML writes it, in a store of its own."""
    os.environ.setdefault("BENTOML_DO_NOT_TRACK", "True")
    # Imported here: 2 seconds and 55 MB that a build with nothing to publish does not need.
    import bentoml
    from bentoml._internal.models import (
        ModelStore,
    )  # `create` takes it, and nothing public makes it

    with bentoml.models.create(
        f"{name}:{version}", labels=labels, metadata=metadata, _model_store=ModelStore(staging)
    ) as model:
        fill(Path(model.path))
    staged = staging / name / version
    staged.chmod(_READABLE)
    for path in staged.rglob("*"):
        _sync(path)
    return staged


def _sync(path: Path) -> None:
    """Onto the disk, before the rename is: a power cut must not leave empty files."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _staging() -> Path:
    staging = home() / _STAGING
    staging.mkdir(parents=True, exist_ok=True)
    for left in staging.iterdir():  # by a publish that was killed
        if time.time() - left.stat().st_mtime > _STALE_S:
            shutil.rmtree(left, ignore_errors=True)
    return staging


def _labels(card: Card) -> dict[str, str]:
    return {
        "project": "bentofleet",
        "runtime": "onnx",
        "simulated": str(card.data.simulated).lower(),
        "small": str(bool(card.parameters.get("small"))).lower(),
    }


def _metadata(card: Card) -> dict[str, Any]:
    return {
        "title": card.title,
        "licence": card.licence,
        "data": card.data.source,
        "data_sha256": card.data.sha256,
        "bars": {bar.measure: bar.measured for bar in card.bars},
    }
