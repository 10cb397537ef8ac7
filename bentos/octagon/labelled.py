"""Labels of real photos beside them: what the model was sure of, and what a person said.

Reads and writes the files; who labels: label.py.
"""

import csv
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from bentos.recipe import BuildError
from bentos.sums import file_sha256

VARIABLE = "BENTOFLEET_OCTAGON_LABELS"
"""A folder whose labels the model is also trained on."""

LABELS_FILE = "octagon-labels.csv"
REVIEW_FILE = "octagon-review.csv"

CONFIDENT, UNSURE, UNREADABLE = "confident", "unsure", "unreadable"
LABEL_COLUMNS = ("path", "sha256", "octagon", "probability", "status", "version", "confidence")
REVIEW_COLUMNS = ("path", "sha256", "probability", "octagon")

_SAID = {"1": True, "yes": True, "true": True, "0": False, "no": False, "false": False}
_HELD_OUT = 5  # one in so many of the photos that a person looked at is only measured on


@dataclass(frozen=True, kw_only=True)
class Label:
    """A photo and whether it has an octagon.

    Attributes:
        by_person: else the model was sure of it.
    """

    path: Path
    sha256: str
    octagon: bool
    by_person: bool

    @property
    def is_held_out(self) -> bool:
        """Whether it is kept for measuring: what the model itself said measures nothing."""
        return self.by_person and int(self.sha256[:8], 16) % _HELD_OUT == 0


def find() -> tuple[Label, ...]:
    """The labels in the folder that the variable names; none where it is not set.

    Raises:
        BuildError: a file is missing or was changed after it was labelled.
    """
    given = os.environ.get(VARIABLE)
    return load(Path(given).expanduser()) if given else ()


def load(folder: Path) -> tuple[Label, ...]:
    """What is known of the folder's photos: what a person says goes first.

    Raises:
        BuildError: as `find`, or there are no labels.
    """
    rows = read(folder / LABELS_FILE, LABEL_COLUMNS)
    if not rows:
        raise BuildError(
            f"{folder / LABELS_FILE}: there are no labels. Run `python -m bentos.octagon.label "
            f"{folder}` first."
        )
    said = answers(folder)
    found = []
    for row in rows:
        by_person = row["sha256"] in said
        if by_person or row["status"] == CONFIDENT:
            octagon = said[row["sha256"]] if by_person else row["octagon"] == "1"
            path = _unchanged(folder / row["path"], row["sha256"])
            found.append(
                Label(path=path, sha256=row["sha256"], octagon=octagon, by_person=by_person)
            )
    return tuple(found)


def answers(folder: Path) -> dict[str, bool]:
    """What a person said, by the sha256 of the photo; rows that are not filled in are left out.

    Raises:
        BuildError: a row says neither yes nor no.
    """
    found = {}
    path = folder / REVIEW_FILE
    for number, row in enumerate(read(path, REVIEW_COLUMNS), 2):
        word = row["octagon"].strip().lower()
        if word and word not in _SAID:
            raise BuildError(f"{path}: line {number}: should say yes or no (got {word!r}).")
        if word:
            found[row["sha256"]] = _SAID[word]
    return found


def digest(labels: Iterable[Label]) -> str:
    """The sha256 of what is learnt from them; the photos' names and places do not count."""
    lines = sorted(f"{each.sha256} {each.octagon:d} {each.by_person:d}\n" for each in labels)
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def read(path: Path, columns: tuple[str, ...]) -> list[dict[str, str]]:
    """The rows of one of the two files; none where there is no file.

    Raises:
        BuildError: it has other columns, as after a spreadsheet that separates by semicolons.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, ValueError) as error:
        raise BuildError(f"{path}: cannot be read ({error}). Mend it or remove it.") from error
    first, _, _ = text.partition("\n")
    rows = list(csv.DictReader(StringIO(text), delimiter=";" if ";" in first else ","))
    if any(not set(columns) <= row.keys() or None in row.values() for row in rows):
        raise BuildError(f"{path}: should have the columns {', '.join(columns)} (got {first}).")
    return [{column: row[column] for column in columns} for row in rows]


def write(path: Path, columns: tuple[str, ...], rows: Iterable[Mapping[str, str]]) -> None:
    """Replaces one of the two files at once."""
    text = StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    replace(path, text.getvalue())


def replace(path: Path, text: str) -> None:
    """Writes a file by one rename: a run that was killed leaves the old one whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _unchanged(path: Path, sha256: str) -> Path:
    try:
        found = file_sha256(path)
    except OSError as error:
        raise BuildError(f"{path}: cannot be read ({error.strerror}). Label again.") from error
    if found != sha256:
        raise BuildError(f"{path}: was changed after it was labelled. Label again.")
    return path
