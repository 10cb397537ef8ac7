"""The sha256 of a model's files: in its card since it was published, compared ever after.

Standard library only: build and service both check.
"""

import hashlib
from collections.abc import Mapping
from pathlib import Path

NEEDED = ("model.onnx", "golden.json")
"""Files without which there is no model."""


def file_sha256(path: Path) -> str:
    """The sha256 of a file, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def of_folder(folder: Path) -> dict[str, str]:
    """The sha256 of every file in a model's folder, by its path there."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): file_sha256(path) for path in files}


def fault(folder: Path, card: Mapping[str, object]) -> str | None:
    """What is wrong with the files beside a card; None where all are as they were published."""
    sums = card.get("files")
    if not isinstance(sums, dict) or not set(NEEDED) <= sums.keys():
        return f"card.json does not tell the sha256 of {' and '.join(NEEDED)}"
    for name, expected in sums.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != expected:
            return f"{name} was cut off or altered after it was published"
    return None
