"""Asks a stack over HTTP: batches, tries again when it is busy or out of reach, stops when told."""

import json
import math
import random
import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from bentos.catalog import MODELS
from cameratraps.asking import MODEL, Answers, Fault, Stopped
from service import contract

BATCH = 8
"""Photos in a request: half of what is taken, so that a slow host stays within its deadline."""

TRIES = 8
_TIMEOUT_S = 60.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 30.0
_BUSY = (429, 503)
_TRY_AGAIN = (*_BUSY, 500, 502, 504)
_REFUSED = (401, 403)
_MAX_SHOWN = 160


class Stack:
    """A stack, or a service alone, behind a URL."""

    items = BATCH

    def __init__(
        self, url: str, token: str | None, wait: Callable[[float], bool] | None = None
    ) -> None:
        """Asks whether it serves the model and takes the token.

        Args:
            url: scheme, host, port, and perhaps a path before `/v1`.
            token: sent with every request; None sends none.
            wait: sleeps so many seconds; true when the run was stopped meanwhile.

        Raises:
            ValueError: the URL is none.
            Stopped: it does not answer, refuses the token or does not serve the model.
        """
        self._address = urlsplit(url)
        if self._address.scheme not in ("http", "https") or not self._address.hostname:
            raise ValueError(f"--url: should be http://HOST or https://HOST (got {url!r}).")
        self.spec = MODELS[MODEL]
        self.where = url.rstrip("/")
        self._stopped = threading.Event()
        self._wait = self._stopped.wait if wait is None else wait
        self._headers = {"Accept": contract.JSON_TYPE}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._of_thread = threading.local()
        self._connections: list[HTTPConnection] = []
        try:
            self.version = self._served()
        except BaseException:
            self.close()
            raise

    def ask(self, photos: Sequence[bytes]) -> Answers:
        """As `Asker.ask`; a batch that takes too long is asked again in halves."""
        body, content_type = contract.multipart(list(photos))
        headers = {"Content-Type": content_type}
        path = contract.predict_batch_path(MODEL)
        try:
            document = self._answered("POST", path, body, headers, halves=len(photos) > 1)
        except _TooSlow:
            middle = len(photos) // 2
            first, second = self.ask(photos[:middle]), self.ask(photos[middle:])
            return Answers(version=second.version, items=[*first.items, *second.items])
        items = document.get(contract.ITEMS_FIELD)
        if not isinstance(items, list) or len(items) != len(photos):
            raise Stopped(f"{self.where}: is no stack of ours: it answered something else.")
        return Answers(version=str(document.get("version")), items=[_item(each) for each in items])

    def stop(self) -> None:
        """Ends all waiting."""
        self._stopped.set()

    def close(self) -> None:
        """Closes the connections of all threads."""
        for connection in self._connections:
            connection.close()

    def _served(self) -> str:
        document = self._answered("GET", contract.MODELS, None, {})
        listed = document.get("models")
        models = {
            str(each["name"]): str(each["version"])
            for each in (listed if isinstance(listed, list) else [])
            if isinstance(each, dict) and {"name", "version"} <= each.keys()
        }
        if MODEL not in models:
            raise Stopped(
                f"{self.where}: does not serve {MODEL} (got {', '.join(models) or 'no models'}). "
                "Choose another --url."
            )
        return models[MODEL]

    def _answered(
        self,
        method: str,
        path: str,
        body: bytes | None,
        headers: Mapping[str, str],
        *,
        halves: bool = False,
    ) -> dict[str, Any]:
        """The JSON object of the first good answer."""
        why = ""
        for attempt in range(TRIES):
            try:
                response, content = self._send(method, path, body, headers)
            except (OSError, HTTPException) as error:
                why, asked_s = str(error) or type(error).__name__, None
            else:
                if response.status == 200:
                    return _document(content)
                if response.status == 504 and halves:
                    raise _TooSlow
                why = self._judge(response, content)
                asked_s = _retry_after_s(response.headers.get("Retry-After"))
            if self._wait(_pause_s(attempt, asked_s)):
                raise Stopped("stopped")
        raise Stopped(
            f"{self.where}: gave no answer in {TRIES} tries ({why[:_MAX_SHOWN]}). When it answers, "
            "run the same with --resume."
        )

    def _judge(self, response: HTTPResponse, content: bytes) -> str:
        """Why there is no answer yet; what no second try changes ends the run."""
        status, detail = response.status, str(_document(content).get("detail", response.reason))
        if status in _REFUSED:
            held = "the token is refused" if "Authorization" in self._headers else "wants a token"
            raise Stopped(
                f"{self.where}: {held} (status {status}). Name a good one with --token-file; "
                "make token makes one."
            )
        if status not in _TRY_AGAIN:
            raise Stopped(
                f"{self.where}: answered with status {status} ({detail[:_MAX_SHOWN]}). Check --url."
            )
        return f"status {status}: {detail}"

    def _send(
        self, method: str, path: str, body: bytes | None, headers: Mapping[str, str]
    ) -> tuple[HTTPResponse, bytes]:
        connection = self._connection()
        try:
            target = self._address.path.rstrip("/") + path
            connection.request(method, target, body, {**self._headers, **headers})
            response = connection.getresponse()
            return response, response.read()
        except BaseException:
            connection.close()  # the next request opens it anew
            raise

    def _connection(self) -> HTTPConnection:
        """The calling thread's own."""
        if not hasattr(self._of_thread, "connection"):
            kind = HTTPSConnection if self._address.scheme == "https" else HTTPConnection
            host = self._address.hostname or ""
            connection = kind(host, self._address.port, timeout=_TIMEOUT_S)
            self._of_thread.connection = connection
            self._connections.append(connection)
        mine: HTTPConnection = self._of_thread.connection
        return mine


class _TooSlow(Exception):
    """The model did not answer within its deadline."""


def _item(item: object) -> Mapping[str, Any] | Fault:
    match item:
        case {"answer": dict(answer)}:
            return answer
        case {"error": {"status": int(status), "detail": str(detail)}}:
            return Fault(detail, final=400 <= status < 500)
    return Fault("an answer that cannot be read", final=False)


def _document(content: bytes) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _pause_s(attempt: int, asked_s: float | None) -> float:
    """What the stack asked for, else twice as long each time; never the same for two clients."""
    pause_s = _FIRST_WAIT_S * 2**attempt if asked_s is None else asked_s
    return min(pause_s, _LONGEST_WAIT_S) * random.uniform(1, 1.25)  # noqa: S311  no secret


def _retry_after_s(value: str | None) -> float | None:
    """The header's seconds, or the seconds to its date; None where it tells neither."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            moment = parsedate_to_datetime(value)
        except ValueError:
            return None
        seconds = (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
    return max(0.0, seconds) if math.isfinite(seconds) else None
