"""One request and one response, as the application's parts hand them on."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from service import contract

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_JSON_HEADER = (b"content-type", contract.JSON_TYPE.encode())


class Request:
    """What a handler needs to know.

    Attributes:
        headers: by lower-case name; of a repeated one the last.
        subject: whom the token names, once it was checked.
        held_bytes: of the body, while the request is in progress.
    """

    __slots__ = (
        "headers",
        "held_bytes",
        "id",
        "method",
        "model",
        "path",
        "receive",
        "route",
        "started",
        "subject",
        "traffic",
    )

    def __init__(self, scope: Scope, receive: Receive, started: float) -> None:
        """Reads the head of the request; the body waits."""
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        self.receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.started = started
        self.id = ""
        self.route = contract.ROUTE_OTHER
        self.model = ""
        self.traffic = contract.TRAFFIC_USER
        self.subject = ""
        self.held_bytes = 0


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
