"""Writes the golden answers: what a model must answer wherever it is loaded."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

GOLDEN_FILE = "golden.json"
PHOTO_FOLDER = "golden"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One golden answer.

    Attributes:
        input: the JSON item as a client sends it, or the photo's file.
        answer: the model's own fields.
    """

    input: dict[str, object] | Path
    answer: dict[str, object]


def write(folder: Path, tolerance: float, items: Sequence[Item]) -> None:
    """Writes golden.json, and copies the photos beside it.

    Args:
        folder: the model's.
        tolerance: largest absolute difference of a number.
        items: at least one.
    """
    listed = [{"input": _stored(folder, item.input), "answer": item.answer} for item in items]
    document = {"tolerance": tolerance, "items": listed}
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / GOLDEN_FILE).write_text(text, encoding="utf-8")


def _stored(folder: Path, given: dict[str, object] | Path) -> dict[str, object] | str:
    if not isinstance(given, Path):
        return given
    photos = folder / PHOTO_FOLDER
    photos.mkdir(exist_ok=True)
    (photos / given.name).write_bytes(given.read_bytes())
    return f"{PHOTO_FOLDER}/{given.name}"
