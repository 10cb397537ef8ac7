"""Files for browsers: their types, and the headers that keep a page to itself."""

from pathlib import Path
from typing import Final

from service.api.messages import Response

TYPES: Final = {
    ".html": b"text/html; charset=utf-8",
    ".css": b"text/css; charset=utf-8",
    ".js": b"text/javascript; charset=utf-8",
    ".json": b"application/json",
}
_KEPT: Final = (b"cache-control", b"public, max-age=86400")
_ASKED_ANEW: Final = (b"cache-control", b"no-cache")


def respond(content: bytes, suffix: str, policy: bytes, *, kept: bool = False) -> Response:
    """The answer with one file.

    Args:
        content: the file's.
        suffix: of its name, a key of `TYPES`.
        policy: the Content-Security-Policy of the page that it belongs to.
        kept: whether browsers may keep it for a day; else they ask each time.
    """
    headers = (
        (b"content-type", TYPES[suffix]),
        _KEPT if kept else _ASKED_ANEW,
        (b"content-security-policy", policy),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"cross-origin-resource-policy", b"same-origin"),
    )
    return Response(200, content, headers)


def folder(path: Path) -> dict[str, bytes]:
    """The contents of a folder's files by name; those of other types are left out."""
    return {each.name: each.read_bytes() for each in path.iterdir() if each.suffix in TYPES}
