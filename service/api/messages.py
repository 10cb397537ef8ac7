"""One request and one response, as the application's parts hand them on."""

import itertools
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from service import contract
from service.auth import ANYONE

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID_HEADER = contract.REQUEST_ID_HEADER.lower().encode()
_PROCESS = secrets.token_hex(8)  # ids need to differ, not to be secret
_numbers = itertools.count()
_JSON_HEADER = (b"content-type", contract.JSON_TYPE.encode())


def by_name(headers: Sequence[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by lower-case name; the values of a repeated one stand together (RFC 9110, 5.3).

    A proxy before us may have read the first of two tokens, or the last: both are none.
    """
    found = dict(headers)
    if len(found) == len(headers):
        return found
    values: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    return {name: b", ".join(all_of_it) for name, all_of_it in values.items()}


async def _nothing() -> Message:
    return {"type": "http.disconnect"}


class Request:
    """What a handler needs to know.

    Attributes:
        headers: as `by_name` gives them.
        client: address and port of whoever is at the other end of the connection.
        receive: gives the body, where it is not there already.
        started: of `time.perf_counter`.
        caller: whom the token names, once it was checked.
        held_bytes: of the body, while the request is in progress.
    """

    __slots__ = (
        "caller",
        "client",
        "headers",
        "held_bytes",
        "id",
        "method",
        "model",
        "path",
        "receive",
        "route",
        "started",
    )

    def __init__(
        self,
        method: str,
        path: str,
        headers: dict[bytes, bytes],
        client: tuple[str, int] | None,
        receive: Receive = _nothing,
        *,
        request_id: bytes | None = None,
    ) -> None:
        """The head of a request."""
        self.method = method
        self.path = path
        self.headers = headers
        self.client = client
        self.receive = receive
        self.started = time.perf_counter()
        given = headers.get(_REQUEST_ID_HEADER) if request_id is None else request_id
        if given is not None and _REQUEST_ID.fullmatch(given):
            self.id = given.decode()
        else:
            self.id = f"{_PROCESS}{next(_numbers):016x}"
        self.route = contract.ROUTE_OTHER
        self.model = ""
        self.caller = ANYONE
        self.held_bytes = 0

    def again(self, request_id: bytes | None, client: tuple[str, int] | None) -> "Request":
        """Another request with the same head but for its id, allowed as this one was."""
        request = Request(self.method, self.path, self.headers, client, request_id=request_id)
        request.route, request.model, request.caller = self.route, self.model, self.caller
        return request


class Response:
    """Status, body and headers; always complete, nothing here streams."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self,
        status: int,
        body: bytes,
        headers: tuple[tuple[bytes, bytes], ...] = (_JSON_HEADER,),
    ) -> None:
        """Content length and request id are added when it is sent."""
        self.status = status
        self.body = body
        self.headers = headers
