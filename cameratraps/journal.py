"""The journal of a run: one line a photo, written when its answer is there, never changed.

A killed run loses the photos in flight and nothing else; the next one goes on behind the last
whole line.
"""

import fcntl
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from cameratraps import records
from cameratraps.records import Key, Record

FILE = "journal.jsonl"
_SCHEMA = 1


@dataclass(kw_only=True)
class Past:
    """What a journal tells of earlier runs.

    Attributes:
        records: the latest of each photo.
        photos: asked in runs that ended, and not by a kill; so is `duration_s`.
    """

    records: dict[Key, Record] = field(default_factory=dict)
    photos: int = 0
    duration_s: float = 0.0


class Journal:
    """A journal that is open for writing; one process at a time."""

    def __init__(self, folder: Path) -> None:
        """Reads what is there.

        Raises:
            ValueError: another run writes to it, or it is damaged before its end.
            OSError: the folder cannot be written to.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / FILE
        self._file = self._path.open("a+b")
        try:
            self._lock()
            self.past = self._read()
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def add(self, found: Iterable[Record]) -> None:
        """Writes records; they are on the disk when this returns."""
        for record in found:
            self._write({"photo": record.as_json()})
            self.past.records[record.key] = record
        self._sync()

    def end(self, photos: int, duration_s: float) -> None:
        """Writes how long a run took for its photos."""
        self._write({"run": {"photos": photos, "duration_s": round(duration_s, 3)}})
        self._sync()
        self.past.photos += photos
        self.past.duration_s += duration_s

    def _lock(self) -> None:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ValueError(
                f"{self._path}: another run writes to it. Wait for it, or choose another --out."
            ) from error

    def _read(self) -> Past:
        self._file.seek(0)
        content = self._file.read()
        whole = content.rfind(b"\n") + 1
        self._file.truncate(whole)  # the line that a killed run did not finish
        past = Past()
        for number, line in enumerate(content[:whole].splitlines(), 1):
            try:
                self._take(past, json.loads(line))
            except (KeyError, TypeError, ValueError) as error:
                raise ValueError(
                    f"{self._path}: line {number} is damaged ({error}). Remove it, or choose "
                    "another --out."
                ) from error
        if not whole:
            self._write({"schema": _SCHEMA})
            self._sync()
        return past

    def _take(self, past: Past, line: dict[str, Any]) -> None:
        match line:
            case {"photo": found}:
                record = records.from_json(found)
                past.records[record.key] = record
            case {"run": {"photos": int(photos), "duration_s": float(duration_s)}}:
                past.photos += photos
                past.duration_s += duration_s
            case {"schema": schema} if schema == _SCHEMA:
                pass
            case _:
                raise ValueError("unknown content")

    def _write(self, line: dict[str, Any]) -> None:
        self._file.write(json.dumps(line, separators=(",", ":")).encode() + b"\n")

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def exists(folder: Path) -> bool:
    """Whether an earlier run left a journal there."""
    return (folder / FILE).exists()
