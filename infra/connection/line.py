"""One SSH connection that is kept: opened when it is needed, and again after a cut.

All of them live in one thread of their own; `wait` hands work to it from any other.
"""

import asyncio
import atexit
import functools
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh

from infra.connection.entering import Visitor, enter
from infra.connection.refusals import Door, KeptOut, Silent, may_be_booting, told

T = TypeVar("T")

SESSIONS = 8
"""Commands at once on one connection; sshd's own limit (MaxSessions) is 10."""

SESSION_TRIES, SESSION_WAIT_S = 10, 0.3
"""sshd clears a session away a little after its command has ended."""

ASK_AGAIN_S = 1.0
REMEMBERED_S = 5.0
"""So long a dead host's failure is told again without another try: many may ask for it at once."""

CLOSE_TIMEOUT_S = 3.0
PROBE_TIMEOUT_S = 5.0


class Cut(Exception):
    """The line was cut while a command ran: nobody knows how far it came."""


class Forbidden(Exception):
    """sshd does not allow what was asked of it."""


@dataclass(frozen=True)
class Output:
    """What a command left."""

    status: int
    out: bytes
    err: bytes


class Line:
    """The connection through one door. Its coroutines run in the thread of all lines."""

    def __init__(self, door: Door) -> None:
        self.door = door
        self.opened = 0
        """How often it was opened."""
        self._via = to(door.via) if door.via else None
        self._conn: asyncssh.SSHClientConnection | None = None
        self._opening = asyncio.Lock()
        self._sessions = asyncio.Semaphore(SESSIONS)
        self._failed: tuple[float, Silent | KeptOut] | None = None
        self._local: dict[int, asyncssh.SSHListener] = {}
        self._reverse: dict[int, asyncssh.SSHListener] = {}

    # -- opening --------------------------------------------------------------------------------

    async def connection(self) -> asyncssh.SSHClientConnection:
        """The open connection.

        Raises:
            Silent: the machine does not answer.
            KeptOut: it does not let us in, or is not the one that was pinned.
        """
        async with self._opening:
            if self._conn is not None and not self._conn.is_closed():
                return self._conn
            now = asyncio.get_running_loop().time()
            if self._failed is not None and now < self._failed[0] + REMEMBERED_S:
                raise self._failed[1]
            try:
                self._conn = await self._open()
            except (Silent, KeptOut) as e:
                self._failed = (asyncio.get_running_loop().time(), e)
                raise
            self._failed, self.opened = None, self.opened + 1
            self._reverse.clear()
            await self._lead_again(self._conn)
            return self._conn

    async def _open(self) -> asyncssh.SSHClientConnection:
        loop = asyncio.get_running_loop()
        began = loop.time()
        while True:
            visitor = Visitor()
            try:
                return await self._knock(visitor)
            except (Silent, KeptOut):
                raise
            except (OSError, asyncssh.Error) as e:
                asked_s = loop.time() - began
                if may_be_booting(e) and asked_s < self.door.boot_timeout_s:
                    await asyncio.sleep(ASK_AGAIN_S)
                    continue
                raise told(self.door, e, visitor.offered, asked_s) from e

    async def _knock(self, visitor: Visitor) -> asyncssh.SSHClientConnection:
        return await enter(self.door, visitor, await self._way())

    async def _way(self) -> asyncssh.SSHClientConnection | None:
        """What leads there: the machine in between, or nothing but the network."""
        if self._via is None:
            return None
        try:
            return await self._via.connection()
        except (Silent, KeptOut) as e:
            raise type(e)(f"the machine in between: {e}") from e

    # -- commands -------------------------------------------------------------------------------

    async def run(self, command: str, stdin: bytes, timeout_s: float) -> Output:
        """Runs a command line to its end.

        Raises:
            Cut: the line was cut meanwhile.
            TimeoutError: it did not end in time.
            Forbidden: sshd gives us no session.
            Silent, KeptOut: as `connection`.
        """
        async with self._sessions:
            process = await self._start(command)
            try:
                with suppress(OSError):  # a command may end without having read everything
                    if stdin:
                        process.stdin.write(stdin)
                    process.stdin.write_eof()
                out, err = await asyncio.wait_for(process.communicate(), timeout_s)
            except TimeoutError:
                with suppress(OSError):
                    process.kill()
                raise
            except (asyncssh.Error, OSError) as e:
                raise Cut(str(e)) from e
            finally:
                process.close()
        if process.returncode is None:
            msg = "it ended without an exit status"
            raise Cut(msg)
        return Output(process.returncode, out, err)

    async def _start(self, command: str) -> "asyncssh.SSHClientProcess[bytes]":
        """Begins a command; on a new connection where the old one turns out to be cut."""
        openings = self.opened
        for attempt in range(SESSION_TRIES):
            conn = await self.connection()
            try:
                return await conn.create_process(command, encoding=None, request_pty=False)
            except (asyncssh.Error, OSError) as e:
                if not conn.is_closed():  # the last ones may not have been cleared away there yet
                    if attempt == SESSION_TRIES - 1:
                        raise Forbidden(str(e)) from e
                    await asyncio.sleep(SESSION_WAIT_S)
                elif self.opened > openings + 1:
                    raise Cut(str(e)) from e
        msg = "no session was to be had"
        raise Cut(msg)

    # -- ports ----------------------------------------------------------------------------------

    async def local_port(self, port: int) -> int:
        """A port here that leads to `port` on the other side's loopback; made once, and kept.

        Raises:
            Forbidden: sshd does not forward.
            Silent, KeptOut: as `connection`.
        """
        conn = await self.connection()
        if port not in self._local:
            await _probe(conn, port)
            self._local[port] = await conn.forward_local_port("127.0.0.1", 0, "127.0.0.1", port)
        return self._local[port].get_port()

    async def _lead_again(self, conn: asyncssh.SSHClientConnection) -> None:
        """The same ports here lead over the new connection: somebody may know them."""
        for port, old in list(self._local.items()):
            here = old.get_port()
            try:
                new = await conn.forward_local_port("127.0.0.1", here, "127.0.0.1", port)
            except OSError:  # somebody else took it
                new = await conn.forward_local_port("127.0.0.1", 0, "127.0.0.1", port)
            self._local[port] = new

    async def reverse_port(self, local_port: int) -> int:
        """A port on the other side's loopback that leads to ours; kept until the line is cut.

        Raises:
            Forbidden: sshd does not forward.
            Silent, KeptOut: as `connection`.
        """
        conn = await self.connection()
        if local_port not in self._reverse:
            try:
                self._reverse[local_port] = await conn.forward_remote_port(
                    "127.0.0.1", 0, "127.0.0.1", local_port
                )
            except asyncssh.ChannelListenError as e:
                raise Forbidden(str(e)) from e
        return self._reverse[local_port].get_port()

    async def close(self) -> None:
        """Ends the connection; the next use opens another."""
        if self._conn is not None:
            self._conn.close()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._conn.wait_closed(), CLOSE_TIMEOUT_S)


async def _probe(conn: asyncssh.SSHClientConnection, port: int) -> None:
    """Finds out now, with a reason, what would only show as a dead port later."""
    try:
        _, writer = await asyncio.wait_for(conn.open_connection("127.0.0.1", port), PROBE_TIMEOUT_S)
        writer.close()
    except asyncssh.ChannelOpenError as e:
        if e.code == asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED:
            raise Forbidden(e.reason) from e
    except TimeoutError:
        return


# -- the thread ---------------------------------------------------------------------------------

_lines: dict[Door, Line] = {}
_lines_lock = threading.Lock()


def to(door: Door) -> Line:
    """The one line through a door."""
    with _lines_lock:
        if door in _lines:
            return _lines[door]
    line = Line(door)
    with _lines_lock:
        return _lines.setdefault(door, line)


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="ssh", daemon=True).start()
    atexit.register(close_all)
    return loop


def wait(work: Coroutine[Any, Any, T]) -> T:
    """Does the work of a line in the lines' thread, and gives its result or its error here."""
    with _lines_lock:  # two threads that come first at a time would make a loop each
        loop = _loop()
    return asyncio.run_coroutine_threadsafe(work, loop).result()


def close_all() -> None:
    """Ends every line; each may be opened again."""
    with _lines_lock:
        lines = list(_lines.values())
    for line in lines:
        with suppress(Exception):
            wait(line.close())
