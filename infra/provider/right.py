"""Whether a walk may go on: nobody stopped it, its engine lives, and its locks are its own."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from infra.connection import HostError
from infra.provider.console import Console
from infra.provider.lock import HEARTBEAT_S, Lock
from infra.provider.outcome import Unsure

FRESH_S = 1.0
"""So long one look counts for all that wait at the same time: each asks every host."""


class Right:
    """Asked before each step and while waiting: a walker that lost its right must stop."""

    def __init__(self, console: Console, lock: Lock) -> None:
        self._console = console
        self._lock = lock
        self._looking = threading.Lock()
        self._looked = -FRESH_S
        self._ended = threading.Event()
        self.why_lost = "interrupted"

    def go_on(self) -> None:
        """Passes while the walk may go on; a look of this second counts.

        Raises:
            Unsure: it may not; the reason.
            HostError: a host does not answer.
        """
        self._refuse_stopped()
        with self._looking:
            if time.monotonic() - self._looked < FRESH_S:
                return
            self.look()

    def look(self) -> None:
        """The same, and every host is asked now."""
        self._refuse_stopped()
        lost = self._lost()
        if lost is not None:
            self.why_lost = lost
            self._console.stopped.set()
        self._refuse_stopped()
        self._looked = time.monotonic()

    def is_ours(self) -> bool:
        """Whether nobody else walks now: what another walk put there is not ours to change."""
        try:
            is_held = self._lock.is_held()
        except HostError:
            return True
        if not is_held:
            self.why_lost = _taken()
        return is_held

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Ends what takes long, such as the gate, within a heartbeat of losing the right to it."""
        guard = threading.Thread(target=self._guard, name="guard", daemon=True)
        guard.start()
        try:
            yield
        finally:
            self._ended.set()
            guard.join()

    def _guard(self) -> None:
        while not self._ended.wait(HEARTBEAT_S):
            with suppress(Unsure, HostError):
                self.go_on()

    def _refuse_stopped(self) -> None:
        if self._console.stopped.is_set():
            raise Unsure(self.why_lost)

    def _lost(self) -> str | None:
        """Why this walk may not go on; None: it may."""
        if not self._console.engine_answers():
            return "the Pulumi engine is gone"
        return None if self._lock.is_held() else _taken()


def _taken() -> str:
    return "another walk has taken the lock"
