"""How much room a host needs, how it is looked at, and what is said when there is less."""

from collections.abc import Sequence
from dataclasses import dataclass

GIB = 1 << 30

STORE_BYTES = 3 * GIB
"""Where the engine keeps images: a candidate beside what is live, unpacked, and its layers on the
way; the largest image may have 650 MB."""

FOLDER_BYTES = GIB // 16
"""Where the stack's own files lie: settings, keys and records, all of them small."""

FILES = 50_000
"""Files that layers may still make; a disk that is out of them is full with room on it."""

_ASK = (
    'for path in "$@"; do at=$path; while [ ! -d "$at" ]; do at=$(dirname -- "$at"); done; '
    'printf \'%s %s\\n\' "$(stat -f -c \'%a %S %d %c\' -- "$at")" "$path"; done'
)

DEFAULT_STORE = "/var/lib"
"""Where an engine that is installed by us will keep its images."""


@dataclass(frozen=True, kw_only=True)
class Room:
    """What is free on the disk that a folder lies on, or would lie on.

    Attributes:
        free_bytes: what may still be written.
        free_files: files that can still be made; None where the file system has no limit.
    """

    path: str
    free_bytes: int
    free_files: int | None


def store(engine: str) -> list[str]:
    """Prints the folder that the engine keeps its images in."""
    asked = "{{.DockerRootDir}}" if engine.endswith("docker") else "{{.Store.GraphRoot}}"
    return [engine, "info", "--format", asked]


def ask(folders: Sequence[str]) -> list[str]:
    """Prints what is free for each folder; one that is not there yet counts as its parent."""
    return ["sh", "-c", _ASK, "sh", *folders]


def parse(text: str) -> list[Room]:
    """Reads what `ask` printed, in its order.

    Source: stat(1), --file-system: %a blocks free for others than root, %S their size, %d inodes
    free, %c inodes in all; file systems without a table of them, such as btrfs, say 0 of 0.
    """
    rooms = []
    for line in text.splitlines():
        blocks, size, free_files, files, path = line.split(maxsplit=4)
        rooms.append(
            Room(
                path=path,
                free_bytes=int(blocks) * int(size),
                free_files=int(free_files) if int(files) else None,
            )
        )
    return rooms


def shortage(room: Room, needed_bytes: int) -> str | None:
    """What is missing; None where there is enough."""
    if room.free_bytes < needed_bytes:
        free, needed = (f"{size / GIB:.2g}" for size in (room.free_bytes, needed_bytes))
        return f"{free} GiB free for {room.path}, needs {needed}"
    if room.free_files is not None and room.free_files < FILES:
        return f"{room.free_files} files free for {room.path}, needs {FILES}"
    return None
