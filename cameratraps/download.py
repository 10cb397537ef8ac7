"""Gets files over HTTP: goes on where it stopped, tries again, checks size and checksum."""

import base64
import hashlib
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

TRIES = 5
_TIMEOUT_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 1.0, 60.0
_TRY_AGAIN = (408, 429, 500, 502, 503, 504)
_PARTIAL, _BEYOND = 206, 416
_CHUNK_BYTES = 1 << 16
_JSON_BYTES = 32 * 1024 * 1024
_HEADERS = {"User-Agent": "bentofleet-cameratraps/1 (research subsets of open photos)"}


class DownloadError(Exception):
    """A file that could not be had; one line."""


@dataclass(frozen=True, kw_only=True)
class Client:
    """Gets files.

    Attributes:
        sleep: waits so many seconds between tries.
    """

    sleep: Callable[[float], None] = field(default=time.sleep)

    def document(self, url: str) -> Any:
        """The JSON document at `url`.

        Raises:
            DownloadError: it cannot be had, or is none.
        """

        def read(answer: http.client.HTTPResponse) -> Any:
            content = answer.read(_JSON_BYTES + 1)
            if len(content) > _JSON_BYTES:
                raise DownloadError(f"{url}: is larger than {_JSON_BYTES} bytes")
            return json.loads(content)

        try:
            return self._patiently(url, lambda: _opened(url, {}, read))
        except ValueError as error:
            raise DownloadError(f"{url}: is no JSON ({error})") from error

    def file(self, url: str, path: Path, max_bytes: int) -> Path:
        """Gets a file, by way of `path` with `.part`, which a later call goes on with.

        Args:
            url: http or https.
            path: appears when all of it is there and right.
            max_bytes: beyond it the download ends.

        Raises:
            DownloadError: it cannot be had, is too large, cut off, or has another checksum.
        """
        part = path.with_name(f"{path.name}.part")
        part.parent.mkdir(parents=True, exist_ok=True)
        headers = self._patiently(url, lambda: _part(url, part, max_bytes))
        try:
            _check(url, part, headers)
        except DownloadError:
            part.unlink()  # going on with it would end the same
            raise
        part.replace(path)
        return path

    def _patiently(self, url: str, get: Callable[[], T]) -> T:
        why = ""
        for attempt in range(TRIES):
            wait_s = _FIRST_WAIT_S * 2**attempt
            try:
                return get()
            except urllib.error.HTTPError as error:
                if error.code not in _TRY_AGAIN:
                    raise DownloadError(f"{url}: status {error.code} ({error.reason})") from error
                why, asked = f"status {error.code}", error.headers.get("Retry-After", "")
                wait_s = float(asked) if asked.isdigit() else wait_s
            except (OSError, http.client.HTTPException) as error:
                why = str(error) or type(error).__name__
            self.sleep(min(wait_s, _LONGEST_WAIT_S))
        raise DownloadError(f"{url}: cannot be reached ({why})")


def _part(url: str, part: Path, max_bytes: int) -> Mapping[str, str]:
    """Gets what `part` lacks; gives the answer's headers."""
    there = part.stat().st_size if part.exists() else 0
    asked = {"Range": f"bytes={there}-"} if there else {}

    def save(answer: http.client.HTTPResponse) -> Mapping[str, str]:
        goes_on = answer.status == _PARTIAL and _starts_at(
            answer.headers.get("Content-Range"), there
        )
        try:
            with part.open("ab" if goes_on else "wb") as out:
                _copy(url, answer, out, max_bytes - (there if goes_on else 0))
        except DownloadError:
            part.unlink()
            raise
        return {name.lower(): ",".join(answer.headers.get_all(name, [])) for name in answer.headers}

    try:
        return _opened(url, asked, save)
    except urllib.error.HTTPError as error:
        if error.code != _BEYOND or not there:
            raise
        part.unlink()  # longer than the file is now: it is another one
        return _part(url, part, max_bytes)


def _opened(
    url: str, headers: Mapping[str, str], use: Callable[[http.client.HTTPResponse], T]
) -> T:
    if urlsplit(url).scheme not in ("http", "https"):
        raise DownloadError(f"{url}: should begin with https://")
    request = urllib.request.Request(url, headers={**_HEADERS, **headers})  # noqa: S310  see above
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:  # noqa: S310  see above
        return use(answer)


def _copy(url: str, answer: http.client.HTTPResponse, out: IO[bytes], room: int) -> None:
    told = answer.headers.get("Content-Length")
    taken = 0
    while chunk := answer.read(_CHUNK_BYTES):
        taken += len(chunk)
        if taken > room:
            raise DownloadError(f"{url}: is larger than what is taken ({room} bytes)")
        out.write(chunk)
    if told is not None and taken != int(told):
        raise http.client.IncompleteRead(b"", int(told) - taken)


def _starts_at(content_range: str | None, offset: int) -> bool:
    return (content_range or "").startswith(f"bytes {offset}-")


def _check(url: str, path: Path, headers: Mapping[str, str]) -> None:
    """Against the whole size and, where the server tells it as Google's does, the MD5."""
    whole = headers.get("content-range", "").rpartition("/")[2]
    size = whole or headers.get("content-length", "")
    if size.isdigit() and path.stat().st_size != int(size):
        raise DownloadError(f"{url}: should have {size} bytes (got {path.stat().st_size})")
    sums = dict(
        part.strip().split("=", 1)
        for part in headers.get("x-goog-hash", "").split(",")
        if "=" in part
    )
    if "md5" not in sums:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()
    if base64.b64encode(found).decode() != sums["md5"]:
        raise DownloadError(f"{url}: arrived damaged, its checksum differs")
