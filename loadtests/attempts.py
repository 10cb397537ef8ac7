"""The folders of a stack's attempts: reports/<stack>/<release>/<attempt>. Standard library only."""

import os
import re
from pathlib import Path

LATEST = "latest"
"""Link in reports/<stack> to the last attempt."""

_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def attempt_dir(reports: Path, stack: str, release: str) -> Path:
    """Makes the folder of the next attempt; its name is the attempt's number, from 1.

    Raises:
        ValueError: the name of the stack or of the release cannot be a folder's.
    """
    for key, name in (("stack", stack), ("release", release)):
        if not _PART.fullmatch(name) or name == LATEST:
            msg = f"{key}: cannot name a folder (got {name!r}). Use letters, digits, -, _ and dots."
            raise ValueError(msg)
    home = reports / stack / release
    home.mkdir(parents=True, exist_ok=True)
    attempt = max((int(p.name) for p in home.iterdir() if p.name.isdecimal()), default=0)
    while True:
        attempt += 1
        folder = home / str(attempt)
        try:
            folder.mkdir()
        except FileExistsError:  # somebody else was quicker
            continue
        return folder


def link_latest(reports: Path, stack: str, folder: Path) -> Path:
    """Points reports/<stack>/latest at an attempt's folder in one step; the link's path."""
    home = reports / stack
    link = home / LATEST
    fresh = home / f".{LATEST}.{os.getpid()}"
    fresh.unlink(missing_ok=True)
    fresh.symlink_to(folder.resolve().relative_to(home.resolve()))
    fresh.replace(link)
    return link
