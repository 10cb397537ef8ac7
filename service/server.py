"""The outer server: one uvicorn in one process, with bounds on request heads and a soft stop."""

import asyncio
import contextlib
import logging
import signal
import socket
from asyncio import BaseTransport
from collections.abc import Generator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service import contract
from service.process import Process
from service.telemetry import LOGGER

_log = logging.getLogger(LOGGER)

_PER_BODY_BYTE = 8  # a chunk of one byte has five beside it
_KEEP_ALIVE_S = 75  # longer than the edge keeps an idle connection, so that the edge closes first


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

    def connection_made(self, transport: BaseTransport) -> None:
        """A connection that sends nothing counts as a slow head."""
        super().connection_made(transport)  # type: ignore[arg-type]
        self._head_since = self.loop.time()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._head_since = self.loop.time()
        self._head_bytes = 0

    def on_headers_complete(self) -> None:
        """It is whole."""
        self._head_since = None
        self._discarded_bytes = 0
        self._in_body = True
        self._body_bytes = self._beside_bytes = 0
        self._answered_since = None
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        """The body is, too."""
        self._in_body = False
        super().on_message_complete()

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
        self._body_bytes += len(body)
        super().on_body(body)
        if self.cycle.response_complete:
            self._discarded_bytes += len(body)
            if self._discarded_bytes > contract.DISCARD_BYTES:
                self.transport.close()

    def close_if_late(self, now: float) -> None:
        """Cuts a connection whose head, or the rest of an answered body, takes too long."""
        if self._head_since is not None and now - self._head_since > contract.HEADER_TIMEOUT_S:
            self.transport.close()
        elif self._in_body and self.cycle.response_complete:
            if self._answered_since is None:
                self._answered_since = now
            elif now - self._answered_since > contract.BODY_TIMEOUT_S:
                self.transport.close()

    def _cut(self, reason: str) -> None:
        if self.transport.is_closing():
            return
        if self._in_body and self.cycle.response_started:
            self.transport.close()
        else:
            self.send_400_response(reason)


class Server(uvicorn.Server):
    """Runs a process until SIGTERM or SIGINT, and then lets everything accepted finish.

    At the signal readiness turns 503 and connections are closed after their next answer; after
    `drain_s`, when proxies have looked, listening ends; the process ends with the last answer. A
    second signal leaves out the waiting.
    """

    def __init__(self, process: Process, drain_s: int, longest_s: float) -> None:
        """Listens nowhere yet.

        Args:
            process: is started before and stopped after.
            drain_s: from the signal to the end of listening.
            longest_s: that any request may take.
        """
        config = uvicorn.Config(
            process.application,
            interface="asgi3",
            loop="uvloop",
            http=BoundedProtocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=_KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(longest_s) + 1,
        )
        super().__init__(config)
        self._process = process
        self._drain_s = drain_s
        self._stopping = False

    async def run_until_stopped(self, listener: socket.socket, inner_host: str) -> None:
        """Serves on the socket.

        Raises:
            OSError: the inner port cannot be had.
        """
        await self._process.open_inner(inner_host)
        await self._process.start()
        _log.info("listening on %s port %d", *listener.getsockname()[:2])
        try:
            await self.serve(sockets=[listener])
        finally:
            await self._process.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Takes the signals for itself: uvicorn would stop listening at once, and die of them."""
        loop = asyncio.get_running_loop()
        signals = (signal.SIGTERM, signal.SIGINT)
        for number in signals:
            loop.add_signal_handler(number, self._stop_soon)
        try:
            yield
        finally:
            for number in signals:
                loop.remove_signal_handler(number)

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; once a second late connections are looked for."""
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.close_if_late(now)
        return await super().on_tick(counter)

    def _stop_soon(self) -> None:
        if self._stopping:
            self.should_exit = True
            return
        self._stopping = True
        self._process.application.stop_soon()
        asyncio.get_running_loop().call_later(self._drain_s, self._stop_listening)

    def _stop_listening(self) -> None:
        self.should_exit = True
