"""Writes what a run found as CSV and JSON, and sums it up."""

import csv
import json
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

from cameratraps.records import Record

CSV_FILE, JSON_FILE = "photos.csv", "photos.json"
TOP = 5
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a spreadsheet would compute such a text


@dataclass(frozen=True, kw_only=True)
class Summary:
    """A run in figures.

    Attributes:
        folder: that was walked.
        where: what answered: a URL, or `local`.
        versions: of the model.
        species: photos of each species, most first.
        photos: with an answer.
        failed: without one.
        timed: photos that `duration_s` was spent on, over all runs that ended.
    """

    folder: str
    where: str
    versions: tuple[str, ...]
    species: tuple[tuple[str, int], ...]
    photos: int
    failed: int
    timed: int
    duration_s: float

    @property
    def photos_per_s(self) -> float | None:
        """None where nothing was timed."""
        return self.timed / self.duration_s if self.timed and self.duration_s > 0 else None


def summarize(
    found: Sequence[Record], folder: str, where: str, timed: int, duration_s: float
) -> Summary:
    """The figures of these records."""
    species = Counter(record.species for record in found if record.species)
    answered = sum(record.error is None for record in found)
    return Summary(
        folder=folder,
        where=where,
        versions=tuple(sorted({r.version for r in found if r.error is None})),
        species=tuple(sorted(species.items(), key=lambda pair: (-pair[1], pair[0]))),
        photos=answered,
        failed=len(found) - answered,
        timed=timed,
        duration_s=duration_s,
    )


def write_csv(found: Sequence[Record], folder: Path) -> Path:
    """One row a photo, for spreadsheets."""
    out = StringIO(newline="")
    writer = csv.writer(out)
    ranked = [f"{what}_{rank}" for rank in range(1, TOP + 1) for what in ("species", "confidence")]
    writer.writerow(
        ["photo", "species", "confidence", *ranked, "error", "reduced", "model_version"]
    )
    for record in found:
        writer.writerow(_row(record))
    return write_text(folder / CSV_FILE, "\ufeff" + out.getvalue())  # Excel takes it for UTF-8


def write_json(found: Sequence[Record], summary: Summary, folder: Path) -> Path:
    """All of it, without the thumbnails."""
    document = {
        "schema_version": 1,
        "summary": {
            **vars(summary),
            "species": dict(summary.species),
            "photos_per_s": summary.photos_per_s,
        },
        "photos": [_plain(record) for record in found],
    }
    return write_text(folder / JSON_FILE, json.dumps(document, indent=1))


def write_text(path: Path, text: str) -> Path:
    """Writes a file that is whole or not there; names that are no Unicode are spelled out."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_text(text, encoding="utf-8", errors="backslashreplace", newline="")
    fresh.replace(path)
    return path


def _row(record: Record) -> Iterator[object]:
    yield _harmless(record.name)
    yield record.species or ""
    yield "" if record.confidence is None else record.confidence
    for rank in range(TOP):
        known = rank < len(record.predictions)
        yield record.predictions[rank].label if known else ""
        yield record.predictions[rank].probability if known else ""
    yield record.error or ""
    yield "yes" if record.reduced else ""
    yield record.version


def _harmless(text: str) -> str:
    return f"'{text}" if text.startswith(_FORMULA) else text


def _plain(record: Record) -> dict[str, object]:
    return {
        "photo": record.name,
        "species": record.species,
        "confidence": record.confidence,
        "predictions": [vars(each) for each in record.predictions],
        "error": record.error,
        "reduced": record.reduced,
        "model_version": record.version,
    }
