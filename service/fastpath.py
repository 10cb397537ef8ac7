"""The fast path: rows of quick models, answered without a task or ASGI's messages.

It takes only requests of the ordinary form; everything else goes uvicorn's way to the same
application, so that each rule and each refusal has one place. A head that is byte for byte one
that was parsed and allowed before is not parsed again.
"""

import re
from dataclasses import dataclass
from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service import contract
from service.api.application import Application
from service.api.messages import Request, Response, by_name
from service.batching import Job
from service.models import Answer, Prepared
from service.protocol import BoundedProtocol

_MAX_KNOWN = 1024
_MAX_HEAD = 4096
_ID_HEADER = contract.REQUEST_ID_HEADER.lower().encode()
# What an edge adds, and alone differs from one request of a client to the next.
_ID_LINE = re.compile(
    rb"\r\n" + contract.REQUEST_ID_HEADER.encode() + rb": ([A-Za-z0-9._-]{1,64})(?=\r\n)", re.I
)
# Whatever has one of these is no ordinary request.
_UNUSUAL_HEADERS = frozenset(
    (b"transfer-encoding", b"content-encoding", b"expect", b"upgrade", b"trailer")
)


class FastProtocol(BoundedProtocol):
    """A connection whose ordinary rows take the fast path."""

    def __init__(
        self, application: Application, known: "KnownHeads", *args: Any, **kwargs: Any
    ) -> None:
        """As uvicorn calls it, after what all connections share."""
        super().__init__(*args, **kwargs)
        self.application = application
        self._known = known
        self._data: bytes | None = None  # that is being parsed and began with a head
        self._awaited: _Turn | None = None  # whose body is not all there
        self._chunks: list[bytes] = []

    def data_received(self, data: bytes) -> None:
        """Answers at once if the head is known."""
        at_start = self.between and self._is_free()
        if at_start and self._answer_known(data):
            return
        self._data = data if at_start else None
        super().data_received(data)
        self._data = None

    def begin_request(self) -> None:
        """Decides between the ways."""
        head = by_name(self.headers)
        if not (self._is_free() and self._is_ordinary(head)):
            super().begin_request()
            return
        turn = self._take(Request("POST", self.url.decode("ascii"), head, self.client))
        try:
            self.application.admit(turn.request)
        except Exception as error:
            self.conclude(turn, error)
        else:
            self._awaited = turn

    def on_body(self, body: bytes) -> None:
        """Keeps it until all of it is there."""
        if self._awaited is None:
            super().on_body(body)
        else:
            self.count_body(body)
            self._chunks.append(body)

    def on_message_complete(self) -> None:
        """Begins with the answer."""
        turn = self._awaited
        if turn is None:
            super().on_message_complete()
            return
        self.end_body()
        self._awaited = None
        body = b"".join(self._chunks)
        self._chunks.clear()
        if self._start(turn, body):
            self._remember(turn.request, body)

    def close_if_late(self, now: float) -> None:
        """A body that is not there by now is no longer awaited here."""
        self._hand_over()
        super().close_if_late(now)

    def shutdown(self) -> None:
        """Nobody calls `close_if_late` from now on."""
        self._hand_over()
        super().shutdown()

    def connection_lost(self, exc: Exception | None) -> None:
        """A body that was awaited will not come."""
        if self._awaited is not None:
            self.application.tell_gone(self._awaited.request)
            self._awaited = None
        super().connection_lost(exc)

    def conclude(self, turn: "_Turn", outcome: Response | Exception) -> None:
        """Sends the answer, and tells of it."""
        request = turn.request
        answer, headers, reason = self.application.conclude(outcome, request)
        if turn.disconnected or self.transport.is_closing():
            self.application.tell_gone(request)
            return
        turn.response_complete = True
        content = [STATUS_LINE[answer.status]]
        for name, value in self.server_state.default_headers:
            content += (name, b": ", value, b"\r\n")
        for name, value in headers:
            content += (name, b": ", value, b"\r\n")
        if not turn.keep_alive:
            content.append(b"connection: close\r\n")
        content += (b"\r\n", answer.body)
        self.transport.write(b"".join(content))
        if not turn.keep_alive:
            self.transport.close()
        self.on_response_complete()
        self.application.tell(request, answer.status, reason)

    def _is_free(self) -> bool:
        idle = self.cycle is None or self.cycle.response_complete
        # A client that does not read its answers gets no new ones.
        return idle and not self.flow.write_paused and not self.application.stopping

    def _is_ordinary(self, head: dict[bytes, bytes]) -> bool:
        path = self.application.rows.get(self.url)
        length = head.get(b"content-length", b"")
        return (
            path is not None
            and self.parser.get_method() == b"POST"
            and self.parser.get_http_version() == "1.1"
            and self.parser.should_keep_alive()
            and length.isdigit()
            and int(length) <= contract.TABLE_BODY_BYTES
            and _UNUSUAL_HEADERS.isdisjoint(head)
            and self.application.predictor.is_quick(self.application.routes[path].model)
        )

    def _hand_over(self) -> None:
        """Lets uvicorn wait for the rest of a body: what limits that is in the ordinary way."""
        if self._awaited is None or self.transport.is_closing():
            return
        self._awaited = self.cycle = None  # type: ignore[assignment]
        super().begin_request()
        for chunk in self._chunks:
            HttpToolsProtocol.on_body(self, chunk)
        self._chunks.clear()

    def _take(self, request: Request) -> "_Turn":
        turn = _Turn(self, request)
        self.cycle = turn  # type: ignore[assignment]
        return turn

    def _start(self, turn: "_Turn", body: bytes) -> bool:
        try:
            self.application.predictor.start_row(turn, turn.request, body)
        except Exception as error:
            self.conclude(turn, error)
            return False
        return True

    def _answer_known(self, data: bytes) -> bool:
        end = data.find(b"\r\n\r\n", 0, _MAX_HEAD) + 4
        head, request_id = _apart(data[:end])
        known = self._known.get(head)
        if (
            known is None
            or len(data) - end != known.body_bytes
            or not self.application.trusts(known.request.caller)
            or not self.application.predictor.is_quick(known.request.model)
        ):
            return False
        self.whole_head()
        self._start(self._take(known.request.again(request_id, self.client)), data[end:])
        return True

    def _remember(self, request: Request, body: bytes) -> None:
        """Keeps the head, if what came in was this request and nothing else."""
        data = self._data
        if data is None or data.find(b"\r\n\r\n", 0, _MAX_HEAD) + 4 != len(data) - len(body):
            return
        head, request_id = _apart(data[: len(data) - len(body)])
        if request_id or _ID_HEADER not in request.headers:
            request.headers.pop(_ID_HEADER, None)  # the next one has its own, or none
            self._known.put(head, KnownHead(request, len(body)))


@dataclass(frozen=True, slots=True)
class KnownHead:
    """A request that was allowed, and the length of its body."""

    request: Request
    body_bytes: int


class KnownHeads:
    """The heads of late requests, without their ids; the oldest goes first."""

    def __init__(self, most: int = _MAX_KNOWN) -> None:
        """Keeps so many."""
        self._most = most
        self._heads: dict[bytes, KnownHead] = {}

    def get(self, head: bytes) -> KnownHead | None:
        """The request that this was the head of."""
        return self._heads.get(head)

    def put(self, head: bytes, known: KnownHead) -> None:
        """Keeps it."""
        self._heads.pop(head, None)
        if len(self._heads) >= self._most:
            del self._heads[next(iter(self._heads))]
        self._heads[head] = known


class _NoEvent:
    """Nobody waits for a body that is there already."""

    def set(self) -> None:
        """Does nothing."""


class _Turn(Job[Prepared, Answer]):
    """One row in the queue; for uvicorn it stands where that keeps the request in progress."""

    __slots__ = (
        "_connection",
        "disconnected",
        "keep_alive",
        "request",
        "response_complete",
        "response_started",
    )

    message_event = _NoEvent()

    def __init__(self, connection: FastProtocol, request: Request) -> None:
        super().__init__([])
        self._connection = connection
        self.request = request
        self.disconnected = False
        self.keep_alive = True
        self.response_complete = False
        self.response_started = False

    def done(self, results: list[Answer | Exception]) -> None:
        connection = self._connection
        try:
            outcome: Response | Exception = connection.application.predictor.finish_row(
                self.request, results[0]
            )
        except Exception as error:
            outcome = error
        connection.conclude(self, outcome)


def _apart(head: bytes) -> tuple[bytes, bytes | None]:
    """A head without the line that names the request, and the name."""
    found = _ID_LINE.search(head)
    if found is None:
        return head, None
    return head[: found.start()] + head[found.end() :], found[1]
