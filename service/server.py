"""The outer server: one uvicorn in one process, with bounds on request heads and a soft stop."""

import asyncio
import contextlib
import gc
import logging
import socket
from collections.abc import Generator
from functools import partial

import uvicorn

from service import allocator, signals
from service.fastpath import FastProtocol, KnownHeads
from service.process import Process
from service.protocol import KEEP_ALIVE_S, BoundedProtocol
from service.telemetry import LOGGER
from service.watchdog import Watchdog

_COLLECT_AFTER = 20_000  # new objects; after Python's own 700 it would run for every few requests

_log = logging.getLogger(LOGGER)


class Server(uvicorn.Server):
    """Runs a process until SIGTERM or SIGINT, and then lets everything accepted finish.

    At the signal readiness turns 503 and connections are closed after their next answer; after
    `drain_s`, when proxies have looked, listening ends; the process ends with the last answer. A
    second signal leaves out the waiting, and there is none while models are still being loaded.
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
            http=partial(FastProtocol, process.application, KnownHeads()),  # type: ignore[arg-type]
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=KEEP_ALIVE_S,
            timeout_graceful_shutdown=int(longest_s) + 1,
        )
        super().__init__(config)
        self._process = process
        self._drain_s = drain_s
        self._stopping = False
        self._ticks = 0

    async def run_until_stopped(self, listener: socket.socket, inner_host: str) -> None:
        """Serves on the socket.

        Raises:
            OSError: the inner port cannot be had.
        """
        await self._process.open_inner(inner_host)
        await self._process.start(when_loaded=_settle)
        _log.info("listening on %s port %d", *listener.getsockname()[:2])
        Watchdog(self._marks).start()
        try:
            await self.serve(sockets=[listener])
        finally:
            await self._process.stop()

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Takes the signals for itself: uvicorn would stop listening at once, and die of them."""
        loop = asyncio.get_running_loop()
        for number in signals.STOPPING:
            loop.add_signal_handler(number, self._stop_soon)
        try:
            yield
        finally:
            for number in signals.STOPPING:
                loop.remove_signal_handler(number)
            signals.end_at_once()

    async def on_tick(self, counter: int) -> bool:
        """Ten times a second; once a second late connections are looked for."""
        self._ticks += 1
        if counter % 10 == 0:
            now = asyncio.get_running_loop().time()
            for connection in list(self.server_state.connections):
                if isinstance(connection, BoundedProtocol):
                    connection.close_if_late(now)
        return await super().on_tick(counter)

    def _stop_soon(self) -> None:
        if self._stopping or not self._process.settled:
            self.should_exit = True
        self._stopping = True
        self._process.application.stop_soon()
        asyncio.get_running_loop().call_later(self._drain_s, self._stop_listening)

    def _marks(self) -> dict[str, object]:
        return {**self._process.marks(), "the event loop": self._ticks}

    def _stop_listening(self) -> None:
        self.should_exit = True


def _settle() -> None:
    """What is loaded stays: the garbage collector need not walk it again, and the rest rarely.

    A walk over four loaded models takes 20 ms, in which nobody is answered.
    """
    gc.collect()
    gc.freeze()
    allocator.give_back()
    gc.set_threshold(_COLLECT_AFTER, 20, 20)
