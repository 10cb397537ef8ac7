"""Finds the photos below a folder. Opens none."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})


@dataclass(frozen=True, kw_only=True)
class PhotoFile:
    """A photo as it lies there; the same values mean the same content.

    Attributes:
        name: path below the folder, with `/`.
    """

    name: str
    size_bytes: int
    mtime_ns: int


@dataclass(frozen=True, kw_only=True)
class Found:
    """What lies below a folder.

    Attributes:
        photos: by name.
        unreadable: name and reason, of files and folders that could not be looked at.
    """

    photos: tuple[PhotoFile, ...]
    unreadable: tuple[tuple[str, str], ...]


def find(folder: Path) -> Found:
    """All photos below `folder`; hidden files and folders are left out, links are not followed.

    Raises:
        ValueError: there is no such folder, or no photo in it.
    """
    if not folder.is_dir():
        raise ValueError(f"{folder}: is no folder. Name the one that holds the photos.")
    photos: list[PhotoFile] = []
    unreadable: list[tuple[str, str]] = []
    for path in _files(folder, unreadable):
        name = path.relative_to(folder).as_posix()
        try:
            facts = path.stat()
        except OSError as error:
            unreadable.append((name, _reason(error)))
            continue
        photos.append(PhotoFile(name=name, size_bytes=facts.st_size, mtime_ns=facts.st_mtime_ns))
    if not photos and not unreadable:
        raise ValueError(f"{folder}: has no JPEG, PNG or WebP files. Name the photos' folder.")
    photos.sort(key=lambda photo: photo.name)
    return Found(photos=tuple(photos), unreadable=tuple(unreadable))


def read(folder: Path, photo: PhotoFile) -> bytes:
    """The photo's bytes.

    Raises:
        ValueError: why not, in words.
    """
    try:
        return (folder / photo.name).read_bytes()
    except OSError as error:
        raise ValueError(_reason(error)) from error


def batches(
    photos: Sequence[PhotoFile], items: int, size_bytes: int, each_bytes: int
) -> Iterator[list[PhotoFile]]:
    """The photos in groups that fit into one request.

    Args:
        photos: all.
        items: most in a group.
        size_bytes: of a group together.
        each_bytes: what one photo takes at most; larger ones are made smaller before they go.
    """
    group: list[PhotoFile] = []
    total = 0
    for photo in photos:
        size = min(photo.size_bytes, each_bytes)
        if group and (len(group) == items or total + size > size_bytes):
            yield group
            group, total = [], 0
        group.append(photo)
        total += size
    if group:
        yield group


def _files(folder: Path, unreadable: list[tuple[str, str]]) -> Iterator[Path]:
    def cannot(error: OSError) -> None:
        name = Path(error.filename).relative_to(folder).as_posix()
        unreadable.append((name, _reason(error)))

    for where, folders, files in os.walk(folder, onerror=cannot):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in files:
            path = Path(where, name)
            if not name.startswith(".") and path.suffix.lower() in SUFFIXES:
                yield path


def _reason(error: OSError) -> str:
    return f"cannot be read ({error.strerror or type(error).__name__})"
