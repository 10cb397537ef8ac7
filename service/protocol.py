"""The outer server's connections: uvicorn's, with bounds on what it leaves open."""

from asyncio import BaseTransport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import connections, contract

KEEP_ALIVE_S = 75  # longer than the edge keeps an idle connection, so that the edge closes first
_PER_BODY_BYTE = 8  # a chunk of one byte has five beside it


class BoundedProtocol(HttpToolsProtocol):
    """Bounds what uvicorn leaves open: a head's size and time, a refused body's length."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """As uvicorn calls it."""
        super().__init__(*args, **kwargs)
        self._head_since: float | None = None
        self._head_bytes = 0
        self._discarded_bytes = 0
        self._in_body = False
        self._body_bytes = 0
        self._beside_bytes = 0
        self._answered_since: float | None = None
        self._idle_since: float | None = None
        self._unread_since: float | None = None
        self._runs: Any = None  # the request that the application works on
        self.between = True  # requests: the next byte begins a head

    def connection_made(self, transport: BaseTransport) -> None:
        """A connection that sends nothing counts as a slow head."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._head_since = self.loop.time()
        if len(self.connections) > connections.most():
            ours = [c for c in self.connections if isinstance(c, BoundedProtocol)]
            for idle in connections.longest_idle(ours):  # perhaps this one
                self.connections.discard(idle)
                idle.transport.abort()  # what such a client has not read by now waits for nobody

    def connection_lost(self, exc: Exception | None) -> None:
        """Of requests in a row, uvicorn tells only the last one that nobody waits any more."""
        if self._runs is not None:
            self._runs.disconnected = True
            self._runs.message_event.set()
        super().connection_lost(exc)

    def idle_since(self) -> float | None:
        """By the loop's clock, since when no request is in progress; None: there is one."""
        if self.cycle is not None and not self.cycle.response_complete:
            return None
        return self._head_since if self._idle_since is None else self._idle_since

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self.between = False
        self._head_since = self.loop.time()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """It is whole."""
        self.whole_head()
        self._discarded_bytes = 0
        self._in_body = True
        self._body_bytes = self._beside_bytes = 0
        self._answered_since = None
        self.begin_request()

    def whole_head(self) -> None:
        """A head came in, of a connection that is no longer idle."""
        self._head_since = self._idle_since = None

    def begin_request(self) -> None:
        """The head is known: a task for the application begins."""
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is, too."""
        self.end_body()
        super().on_message_complete()

    def end_body(self) -> None:
        """All of the request came in."""
        self._in_body = False
        self.between = True

    def on_response_complete(self) -> None:
        """As uvicorn does it, but without a timer: `close_if_late` looks after idle ones."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        else:
            self._idle_since = self.loop.time()

    def data_received(self, data: bytes) -> None:
        """Cuts a connection whose head has no end, or what stands beside its body's bytes."""
        cycle, body_bytes = self.cycle, self._body_bytes
        super().data_received(data)
        if self._head_since is not None:
            self._head_bytes += len(data)
            if self._head_bytes > contract.HEADER_BYTES:
                self._cut("The request's head is too large.")
        elif self._in_body and self.cycle is cycle:
            # Sizes of chunks, their extensions, trailers: uvicorn and its parser bound none.
            self._beside_bytes += len(data) - (self._body_bytes - body_bytes)
            if self._beside_bytes > contract.HEADER_BYTES + _PER_BODY_BYTE * self._body_bytes:
                self._cut("The request's chunks or trailers are too large.")

    def on_body(self, body: bytes) -> None:
        """A body that was refused is read on for a while, so that its sender sees the answer."""
        self.count_body(body)
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > contract.DISCARD_BYTES:
                self.transport.close()

    def count_body(self, body: bytes) -> None:
        """Keeps count of a body's bytes, for what stands beside them."""
        self._body_bytes += len(body)

    def close_if_late(self, now: float) -> None:
        """Cuts a connection that is idle, or whose head or rest of a body takes, for too long.

        So is one whose client does not read its answer: another request may wait behind it.
        """
        if not self.transport.get_write_buffer_size():
            self._unread_since = None
        elif self._unread_since is None:
            self._unread_since = now
        elif now - self._unread_since > contract.ANSWER_TIMEOUT_S:
            self.transport.abort()
            return
        slow_head = _is_over(self._head_since, contract.HEADER_TIMEOUT_S, now)
        if slow_head or _is_over(self._idle_since, KEEP_ALIVE_S, now):
            self.transport.close()
        elif self._in_body and self.cycle.response_complete:
            if self._answered_since is None:
                self._answered_since = now
            elif now - self._answered_since > contract.BODY_TIMEOUT_S:
                self.transport.close()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._runs = cycle
        super()._start_asgi_task(cycle, app)

    def _cut(self, reason: str) -> None:
        if self.transport.is_closing():
            return
        if self._in_body and self.cycle.response_started:
            self.transport.close()
        else:
            self.send_400_response(reason)


def _is_over(since: float | None, most_s: float, now: float) -> bool:
    return since is not None and now - since > most_s
