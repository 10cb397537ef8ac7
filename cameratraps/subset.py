"""Downloads a bounded set of photos, with the author and licence of each in credits.csv.

A photo that is listed there and has the sha256 that is listed is not downloaded again.
"""

import csv
import hashlib
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TextIO

from PIL import Image

from cameratraps.download import Client, DownloadError

CREDITS_FILE = "credits.csv"
MOST_PHOTOS = 10_000
_PHOTO_BYTES = 50 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A photo to download.

    Attributes:
        file: where it goes, below the folder, with `/`.
        label: the animal, by those who published it.
        page: where a reader finds the photo and its author.
        licence: its short name.
    """

    url: str
    file: str
    label: str
    page: str
    author: str
    licence: str
    licence_url: str


@dataclass(frozen=True, kw_only=True)
class Credit:
    """A line of credits.csv."""

    file: str
    label: str
    page: str
    author: str
    licence: str
    licence_url: str
    url: str
    sha256: str
    size_bytes: int


@dataclass(kw_only=True)
class Got:
    """How it went: photos that are new, were there, and could not be had."""

    new: int = 0
    there: int = 0
    failed: int = 0


def download(
    wanted: Iterable[Wanted], folder: Path, limit: int, client: Client, told: TextIO
) -> Got:
    """Downloads until `limit` photos are there; those that fail are told and left out.

    Args:
        wanted: asked for more only while photos are missing.
        folder: gets the photos and their credits.
        limit: photos in the folder at the end, those that were there included.
        client: gets them.
        told: one line for each photo that fails.

    Raises:
        OSError: the folder cannot be written to.
    """
    folder.mkdir(parents=True, exist_ok=True)
    known = credits_of(folder)
    got = Got()
    for each in wanted:
        if got.new + got.there >= limit:
            break
        if is_there(folder, known.get(each.file)):
            got.there += 1
            continue
        try:
            _append(folder, _get(each, folder, client))
            got.new += 1
        except DownloadError as error:
            got.failed += 1
            told.write(f"{error}\n")
    return got


def tell(got: Got, limit: int, folder: Path) -> int:
    """Says how it went; the command's exit code."""
    there = got.new + got.there
    sys.stdout.write(
        f"{folder}: {there} photos, {got.new} of them new; {folder / CREDITS_FILE} has their "
        "authors and licences\n"
    )
    if there < limit:
        sys.stderr.write(
            f"{folder}: has {there} of {limit} photos ({got.failed} could not be had). Run it "
            "again, or ask for fewer.\n"
        )
    return int(there < limit)


def credits_of(folder: Path) -> dict[str, Credit]:
    """The credits by file; the last line of a file counts."""
    path = folder / CREDITS_FILE
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if _is_whole(row)]
    return {
        row["file"]: Credit(**{**row, "size_bytes": int(row["size_bytes"])})  # type: ignore[arg-type]
        for row in rows
    }


def is_there(folder: Path, credit: Credit | None) -> bool:
    """Whether the photo that a credit tells of is on the disk, unchanged."""
    if credit is None:
        return False
    try:
        return _sha256(folder / credit.file) == credit.sha256
    except OSError:
        return False


def slug(text: str) -> str:
    """A text as a name for files and folders."""
    return re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")[:80] or "unnamed"


def _get(wanted: Wanted, folder: Path, client: Client) -> Credit:
    path = client.file(wanted.url, folder / wanted.file, _PHOTO_BYTES)
    try:
        with Image.open(path) as picture:
            picture.verify()
    except Exception as error:  # Pillow's decoders raise a dozen types on damaged bytes
        path.unlink()
        raise DownloadError(f"{wanted.url}: is no picture ({error})") from error
    return Credit(**asdict(wanted), sha256=_sha256(path), size_bytes=path.stat().st_size)


def _append(folder: Path, credit: Credit) -> None:
    path = folder / CREDITS_FILE
    names = [field.name for field in fields(Credit)]
    fresh = not path.exists()
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, names)
        if fresh:
            writer.writeheader()
        writer.writerow(asdict(credit))


def _is_whole(row: Mapping[str | None, object]) -> bool:
    """Whether a killed run did not leave it half written."""
    size = row.get("size_bytes")
    return isinstance(size, str) and size.isdigit() and None not in row


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
