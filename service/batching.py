"""Greedy batches: a run takes what arrived during the last one, and never waits for more.

Knows nothing of models, HTTP or metrics; it is given a function of a list.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFullError(Exception):
    """There is no place for these items now."""


@dataclass(slots=True, eq=False)
class _Job(Generic[Item, Result]):
    items: Sequence[Item]
    done: asyncio.Future[list[Result | Exception]]


_Batch = list[_Job[Item, Result]]


class Batcher(Generic[Item, Result]):
    """Runs a function over items from many requests, in one thread of its own.

    All methods but the function itself run in the event loop's thread. A function that fails is
    tried again with each item alone, so that one bad item does not fail its neighbours.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        max_batch: int,
        queue_items: int,
    ) -> None:
        """Starts nothing yet: the thread comes with the first job.

        Args:
            name: of the thread.
            run: one result per item, in order; an exception in a place fails that item alone.
            max_batch: most items in one run.
            queue_items: items that may wait beside those that run.
        """
        self._name = name
        self._run = run
        self._max_batch = max_batch
        self._limit = queue_items + max_batch
        self._admitted = 0
        self._running = 0
        self._jobs: deque[_Job[Item, Result]] = deque()
        self._busy = False
        self._inbox: SimpleQueue[_Batch[Item, Result] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def depth(self) -> int:
        """Items that were admitted and do not run now."""
        return max(0, self._admitted - self._running)  # some of those that run may be given up

    @contextmanager
    def admit(self, count: int) -> Iterator[None]:
        """Holds a place for so many items, from before they are prepared until they are answered.

        An idle batcher takes any count, so that the largest batch request always finds a place.

        Raises:
            QueueFullError: too many items are in the house.
        """
        if self._admitted and self._admitted + count > self._limit:
            raise QueueFullError
        self._admitted += count
        try:
            yield
        finally:
            self._admitted -= count

    async def run(self, items: Sequence[Item]) -> list[Result | Exception]:
        """One result or exception per item; a cancelled call's items are not run if they wait."""
        loop = asyncio.get_running_loop()
        jobs = [
            _Job(items[start : start + self._max_batch], loop.create_future())
            for start in range(0, len(items), self._max_batch)
        ]
        self._jobs.extend(jobs)
        if not self._busy:
            self._busy = True
            # One more turn of the loop: requests whose bytes are there already join this batch.
            loop.call_soon(loop.call_soon, self._next)
        try:
            return [result for job in jobs for result in await job.done]
        finally:
            for job in jobs:
                self._drop(job)

    def close(self) -> None:
        """Ends the thread when its present run is over."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread = None

    def _drop(self, job: _Job[Item, Result]) -> None:
        job.done.cancel()  # does nothing to a job that has its results
        if job.done.cancelled():
            with suppress(ValueError):  # it runs now, and is not in the queue
                self._jobs.remove(job)

    def _next(self) -> None:
        batch: _Batch[Item, Result] = []
        size = 0
        while self._jobs and size + len(self._jobs[0].items) <= self._max_batch:
            job = self._jobs.popleft()
            if not job.done.done():  # else its caller has given up
                batch.append(job)
                size += len(job.items)
        self._running = size
        self._busy = bool(batch)
        if batch:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=_work,
                    args=(self._inbox, self._outcomes, asyncio.get_running_loop(), self._finish),
                    name=f"model-{self._name}",
                    daemon=True,  # a run that hangs must not keep a stopped process alive
                )
                self._thread.start()
            self._inbox.put(batch)

    def _finish(
        self, batch: _Batch[Item, Result], outcomes: Sequence[Sequence[Result | Exception]]
    ) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            if not job.done.done():
                job.done.set_result(list(outcome))
        self._next()

    def _outcomes(self, batch: _Batch[Item, Result]) -> list[list[Result | Exception]]:
        items = [item for job in batch for item in job.items]
        results = iter(self._try(items))
        return [[next(results) for _ in job.items] for job in batch]

    def _try(self, items: list[Item]) -> Sequence[Result | Exception]:
        try:
            results = self._run(items)
            if len(results) == len(items):
                return results
            failure: Exception = ValueError(
                f"{self._name}: {len(results)} results for {len(items)} items."
            )
        except Exception as error:  # whatever the model raises belongs to its request
            failure = error
        if len(items) == 1:
            return [failure]
        return [result for item in items for result in self._try([item])]


def _work(
    inbox: "SimpleQueue[_Batch[Item, Result] | None]",
    outcomes: Callable[[_Batch[Item, Result]], list[list[Result | Exception]]],
    loop: asyncio.AbstractEventLoop,
    finish: Callable[[_Batch[Item, Result], list[list[Result | Exception]]], None],
) -> None:
    while (batch := inbox.get()) is not None:
        result = outcomes(batch)
        with suppress(RuntimeError):  # the loop was closed meanwhile: nobody waits any more
            loop.call_soon_threadsafe(finish, batch, result)
