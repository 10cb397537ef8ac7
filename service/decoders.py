"""Threads for photos: all models share them, and none of them can hold them all.

Knows nothing of photos, HTTP or metrics; it is given functions.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from service import faults

Result = TypeVar("Result")
_Call = tuple["Future[Any]", Callable[[], Any]]


class Decoders:
    """A pool in which each owner's calls run in order, and the owners take turns."""

    def __init__(self, share: int) -> None:
        """Starts a thread when one is needed first.

        Args:
            share: threads that one owner may hold at a time; there is one more, for the others.
        """
        self._share = share
        self._changed = threading.Condition()
        self._waiting: dict[str, deque[_Call]] = {}  # the owner whose turn is next comes first
        self._busy: dict[str, int] = {}
        self._marks: list[int] = [0] * (share + 1)  # odd: at work
        self._threads = 0
        self._idle = 0
        self._closed = False

    async def run(self, owner: str, function: Callable[..., Result], *arguments: Any) -> Result:
        """The function's result; a cancelled call is not run if it waits."""
        future: Future[Result] = Future()
        call = (future, partial(function, *arguments))
        with self._changed:
            self._waiting.setdefault(owner, deque()).append(call)
            self._start_thread()
            self._changed.notify()
        try:
            return await asyncio.wrap_future(future)
        finally:
            if future.cancelled():
                self._forget(owner, call)
            del future, call  # an error in it would hold this frame, and this frame the error

    def marks(self) -> dict[str, object]:
        """Of the threads at work, for a watchdog."""
        return {f"decoder {i}": mark for i, mark in enumerate(self._marks) if mark % 2}

    def close(self) -> None:
        """Ends the threads when their present calls are over; what waits is not run."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _start_thread(self) -> None:
        waiting = sum(map(len, self._waiting.values()))
        if waiting > self._idle and self._threads < len(self._marks):
            # A daemon: a call that hangs must not keep a stopped process alive.
            threading.Thread(
                target=self._work,
                args=(self._threads,),
                name=f"decode-{self._threads}",
                daemon=True,
            ).start()
            self._threads += 1

    def _forget(self, owner: str, call: _Call) -> None:
        with self._changed, suppress(KeyError, ValueError):  # a thread took it just now
            self._waiting[owner].remove(call)

    def _work(self, number: int) -> None:
        while (taken := self._take()) is not None:
            owner, (future, function) = taken
            if future.set_running_or_notify_cancel():
                self._marks[number] += 1
                _settle(future, function)
                self._marks[number] += 1
            del future, function, taken  # an idle thread must not keep the last photo
            with self._changed:
                self._busy[owner] -= 1
                self._changed.notify()

    def _take(self) -> tuple[str, _Call] | None:
        """Waits for a call whose turn it is; None at the end."""
        with self._changed:
            self._idle += 1
            self._changed.wait_for(lambda: self._closed or self._next_owner() is not None)
            self._idle -= 1
            owner = self._next_owner()
            if self._closed or owner is None:
                return None
            calls = self._waiting.pop(owner)
            call = calls.popleft()
            if calls:
                self._waiting[owner] = calls
            self._busy[owner] = self._busy.get(owner, 0) + 1
            return owner, call

    def _next_owner(self) -> str | None:
        for owner, calls in self._waiting.items():
            if calls and self._busy.get(owner, 0) < self._share:
                return owner
        return None


def _settle(future: "Future[Any]", function: Callable[[], Any]) -> None:
    try:
        future.set_result(function())
    except Exception as error:
        future.set_exception(error)
    except BaseException as error:
        faults.end_process(f"a decoder ended with {error!r}. The process ends with it.")
    finally:
        del future, function  # as above
