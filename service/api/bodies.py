"""Reads request bodies: bounded each and together, and for no longer than a client may take."""

import asyncio

from service import contract
from service.api import problems
from service.api.messages import Request
from service.shares import OverShareError, Shares


class ClientGoneError(Exception):
    """The client closed the connection before its request was complete."""


class Bodies:
    """Counts the bytes that all requests in progress hold."""

    def __init__(self, total_bytes: int = contract.BODIES_BYTES) -> None:
        """Takes at most so many bytes at a time, over all requests."""
        self._total_bytes = total_bytes
        self._held_bytes = 0
        self._on_their_way = 0
        self._shares = Shares()

    async def read(self, request: Request, limit_bytes: int) -> bytes:
        """The whole body; `release` gives its place back.

        Raises:
            ProblemError: too large, too slow, compressed, or no place for it now.
            ClientGoneError: the connection is closed.
        """
        _refuse_encoding(request)
        length = request.headers.get(b"content-length", b"")
        if length.isdigit() and int(length) > limit_bytes:
            raise problems.too_large("body", limit_bytes)
        if self._on_their_way >= contract.BODIES:
            raise problems.busy("Too many bodies are on their way. Try again.")
        self._on_their_way += 1
        try:
            async with asyncio.timeout(contract.BODY_TIMEOUT_S):
                return await self._receive(request, limit_bytes)
        except TimeoutError:
            raise problems.ProblemError(
                problems.BAD_REQUEST,
                f"The body did not arrive within {contract.BODY_TIMEOUT_S:g} seconds.",
            ) from None
        finally:
            self._on_their_way -= 1

    def release(self, request: Request) -> None:
        """Gives back what the request holds; its answer is out."""
        if request.held_bytes:
            self._held_bytes -= request.held_bytes
            self._shares.remove(request.caller.subject, request.held_bytes)
            request.held_bytes = 0

    async def _receive(self, request: Request, limit_bytes: int) -> bytes:
        chunks = []
        while True:
            message = await request.receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            chunk: bytes = message.get("body", b"")
            self._hold(request, len(chunk), limit_bytes)
            chunks.append(chunk)
            if not message.get("more_body", False):
                return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def _hold(self, request: Request, size: int, limit_bytes: int) -> None:
        if request.held_bytes + size > limit_bytes:
            raise problems.too_large("body", limit_bytes)
        if self._held_bytes + size > self._total_bytes:
            raise problems.busy("Other requests fill the memory for bodies. Try again.")
        caller = request.caller.subject
        try:
            self._shares.check(caller, size, self._total_bytes - self._held_bytes)
        except OverShareError:
            raise problems.too_many("bytes of bodies") from None
        self._shares.add(caller, size)
        request.held_bytes += size
        self._held_bytes += size


def _refuse_encoding(request: Request) -> None:
    encoding = request.headers.get(b"content-encoding", b"identity").strip().lower()
    if encoding != b"identity":
        raise problems.ProblemError(
            problems.UNSUPPORTED, "Send the body without a content encoding."
        )
