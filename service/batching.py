"""Greedy batches: a run takes what arrived during the last one, and never waits for more.

Knows nothing of models, HTTP or metrics; it is given a function of a list.
"""

import asyncio
import logging
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Generic, TypeVar

from service import faults

_LONG_S = 0.1  # what holds up everybody for so long, time and again, needs a thread
_MAX_LONG_RUNS = 3  # in a row: a busy machine makes any single run long

_log = logging.getLogger("bentofleet.batching")

Item = TypeVar("Item")
Result = TypeVar("Result")


class QueueFullError(Exception):
    """There is no place for these items now."""


class ExpiredError(Exception):
    """The item waited for longer than its job may, and was not run."""


class Job(ABC, Generic[Item, Result]):
    """Some items of one request, until they have their results.

    Attributes:
        items: at most `max_batch` of them.
        given_up: nobody waits any more; what does not run yet is left out.
        until: by the loop's clock; items that still wait then get an ExpiredError each.
        waits: in the queue.
    """

    __slots__ = ("given_up", "items", "until", "waits")

    def __init__(self, items: Sequence[Item], until: float = float("inf")) -> None:
        """Waits for a `submit`."""
        self.items = items
        self.until = until
        self.given_up = False
        self.waits = False

    @abstractmethod
    def done(self, results: list[Result | Exception]) -> None:
        """Takes one result per item; is called in the loop's thread."""


class _Part(Job[Item, Result]):
    """A part of what a coroutine waits for."""

    __slots__ = ("results",)

    def __init__(self, items: Sequence[Item], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(items)
        self.results: asyncio.Future[list[Result | Exception]] = loop.create_future()

    def done(self, results: list[Result | Exception]) -> None:
        if not self.results.done():  # cancelled: whoever waits has not had its turn to give up
            self.results.set_result(results)


_Batch = list[Job[Item, Result]]


class Batcher(Generic[Item, Result]):
    """Runs a function over items from many requests.

    Either in one thread of its own or, where a run takes no longer than handing it to a thread and
    back, in the event loop itself. All methods but the function run in the loop's thread. A
    function that fails is tried again with each item alone, so that one bad item does not fail its
    neighbours.

    Attributes:
        max_batch: most items in one run.
        in_loop: whether runs take the loop's time; ends when they prove to be long after all.
        mark: odd while the function runs, another one each time.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[list[Item]], Sequence[Result | Exception]],
        *,
        max_batch: int,
        queue_items: int,
        in_loop: bool = False,
    ) -> None:
        """Starts nothing yet: the thread comes with the first job.

        Args:
            name: of the thread.
            run: one result per item, in order; an exception in a place fails that item alone.
            max_batch: most items in one run.
            queue_items: items that may wait beside those that run.
            in_loop: run there, not in a thread.
        """
        self.max_batch = max_batch
        self.in_loop = in_loop
        self.mark = 0
        self._name = name
        self._run = run
        self._limit = queue_items + max_batch
        self._admitted = 0
        self._running = 0
        self._jobs: deque[Job[Item, Result]] = deque()
        self._busy = False
        self._long_runs = 0
        self._inbox: SimpleQueue[_Batch[Item, Result] | None] = SimpleQueue()
        self._thread: threading.Thread | None = None

    @property
    def depth(self) -> int:
        """Items that were admitted and do not run now."""
        return max(0, self._admitted - self._running)  # some of those that run may be given up

    @property
    def free(self) -> int:
        """Places that `take` gives; negative where an idle batcher gave more than it has."""
        return self._limit - self._admitted

    def take(self, count: int) -> None:
        """Takes places for so many items, from before they are prepared until they are answered.

        An idle batcher takes any count, so that the largest batch request always finds a place.

        Raises:
            QueueFullError: too many items are in the house.
        """
        if self._admitted and self._admitted + count > self._limit:
            raise QueueFullError
        self._admitted += count

    def give(self, count: int) -> None:
        """Gives so many places back."""
        self._admitted -= count

    def submit(self, job: Job[Item, Result]) -> None:
        """Puts a job of at most `max_batch` items into the queue."""
        job.waits = True
        self._jobs.append(job)
        if not self._busy:
            self._busy = True
            loop = asyncio.get_running_loop()
            # One more turn of the loop: requests whose bytes are there already join this batch.
            loop.call_soon(loop.call_soon, self._next)

    async def run(self, items: Sequence[Item]) -> list[Result | Exception]:
        """One result or exception per item; a cancelled call's items are not run if they wait."""
        loop = asyncio.get_running_loop()
        parts = [
            _Part[Item, Result](items[start : start + self.max_batch], loop)
            for start in range(0, len(items), self.max_batch)
        ]
        for part in parts:
            self.submit(part)
        try:
            return [result for part in parts for result in await part.results]
        finally:
            for part in parts:
                self.give_up(part)

    def give_up(self, job: Job[Item, Result]) -> None:
        """Nobody waits for the job any more; does nothing to one that is done."""
        job.given_up = True
        if job.waits:
            job.waits = False
            self._jobs.remove(job)

    def close(self) -> None:
        """Ends the thread when its present run is over."""
        if self._thread is not None:
            self._inbox.put(None)
            self._thread = None

    def _next(self) -> None:
        batch = self._waiting()
        self._busy = bool(batch)
        if not batch:
            return
        if self.in_loop:
            self._run_here(batch)
        else:
            self._start_thread()
            self._inbox.put(batch)

    def _run_here(self, batch: _Batch[Item, Result]) -> None:
        started = time.perf_counter()
        outcomes = self._outcomes(batch)
        if time.perf_counter() - started <= _LONG_S:
            self._long_runs = 0
        else:
            self._long_runs += 1
            if self._long_runs >= _MAX_LONG_RUNS:
                self.in_loop = False
                _log.warning(
                    "%s: %d runs in a row took more than %g s; from now on they have a thread.",
                    self._name,
                    self._long_runs,
                    _LONG_S,
                )
        self._finish(batch, outcomes)

    def _waiting(self) -> _Batch[Item, Result]:
        """What the next run takes from the queue."""
        now = asyncio.get_running_loop().time()
        batch: _Batch[Item, Result] = []
        size = 0
        while self._jobs and size + len(self._jobs[0].items) <= self.max_batch:
            job = self._jobs.popleft()
            job.waits = False
            if job.until <= now:
                expired: list[Result | Exception] = [ExpiredError()] * len(job.items)
                _tell(job, expired)
            else:
                batch.append(job)
                size += len(job.items)
        self._running = size
        return batch

    def _start_thread(self) -> None:
        if self._thread is None:
            self._thread = threading.Thread(
                target=_work,
                args=(self._inbox, self._outcomes, asyncio.get_running_loop(), self._finish),
                name=f"model-{self._name}",
                daemon=True,  # a run that hangs must not keep a stopped process alive
            )
            self._thread.start()

    def _finish(
        self, batch: _Batch[Item, Result], outcomes: Sequence[list[Result | Exception]]
    ) -> None:
        for job, outcome in zip(batch, outcomes, strict=True):
            if not job.given_up:
                _tell(job, outcome)
        if self._jobs and self.in_loop:
            asyncio.get_running_loop().call_soon(self._next)  # others have their turn between
        else:
            self._next()

    def _outcomes(self, batch: _Batch[Item, Result]) -> list[list[Result | Exception]]:
        items = [item for job in batch for item in job.items]
        results = iter(self._try(items))
        return [[next(results) for _ in job.items] for job in batch]

    def _try(self, items: list[Item]) -> Sequence[Result | Exception]:
        self.mark += 1
        try:
            results = self._run(items)
            if len(results) == len(items):
                return results
            failure: Exception = ValueError(
                f"{self._name}: {len(results)} results for {len(items)} items."
            )
        except Exception as error:  # whatever the model raises belongs to its request
            failure = error
        except BaseException as error:  # it would end this thread, and leave the rest of us
            faults.end_process(f"{self._name}: the model ended with {error!r}, and so do we.")
        finally:
            self.mark += 1
        if len(items) == 1:
            return [failure]
        return [result for item in items for result in self._try([item])]


def _tell(job: Job[Item, Result], outcome: list[Result | Exception]) -> None:
    try:
        job.done(outcome)
    except Exception:  # the other jobs must have their outcome, and the queue go on
        _log.exception("an outcome could not be told")


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
