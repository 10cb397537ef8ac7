"""The inner port: /metrics for those who watch the service, and nothing else."""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, Generator

import uvicorn
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from service import contract
from service.api.messages import Receive, Scope, Send


class InnerServer:
    """A second server in the process's own loop."""

    def __init__(self, render: Callable[[], Awaitable[bytes]]) -> None:
        """Listens nowhere yet; `render` gives the scrape's text."""
        self._render = render
        config = uvicorn.Config(
            self._app,
            interface="asgi3",
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=1,
        )
        self._server = _QuietServer(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self, host: str, port: int) -> None:
        """Listens.

        Raises:
            OSError: the port cannot be had.
        """
        listener = listen(host, port, contract.ENV_METRICS_PORT)
        self._task = asyncio.create_task(self._server.serve(sockets=[listener]))

    async def stop(self) -> None:
        """Closes the port."""
        if self._task is not None:
            self._server.should_exit = True
            await self._task

    async def _app(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = scope["type"] == "http" and scope["path"] == contract.METRICS
        body = await self._render() if found else b"There is only /metrics here.\n"
        headers = [
            (b"content-type", CONTENT_TYPE_PLAIN_0_0_4.encode()),
            (b"content-length", str(len(body)).encode()),
        ]
        status = 200 if found else 404
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})


class _QuietServer(uvicorn.Server):
    """Leaves signals to the outer server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        yield


def listen(host: str, port: int, setting: str) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: one line that names the setting.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(
            f"{setting}: cannot listen on {host} port {port} ({reason}). Choose another."
        ) from error
