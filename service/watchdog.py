"""Ends a process whose work stands still: a model's run, a decoder, or the event loop itself."""

import threading
import time
from collections.abc import Callable, Mapping

from service import contract, faults

_TICK_S = 1.0


class Watchdog:
    """Looks every second at what is at work; what is the same for too long is stuck for good.

    Time is counted in looks, not by a clock: a machine that was suspended, or a process that was
    stopped, ages by one look. What holds Python's lock and never gives it back stops the watchdog
    too; then health does not answer either, and that is for whoever watches health.
    """

    def __init__(
        self,
        marks: Callable[[], Mapping[str, object]],
        most_looks: int = contract.STUCK_S,
        end: Callable[[str], object] = faults.end_process,
    ) -> None:
        """Does not look yet.

        Args:
            marks: tells what is at work, each with a mark that changes as the work goes on; is
                called in a thread of the watchdog's own.
            most_looks: that may find the same mark.
            end: is told the reason.
        """
        self._marks = marks
        self._most_looks = most_looks
        self._end = end
        self._seen: dict[str, tuple[object, int]] = {}

    def start(self) -> None:
        """Looks from now on, until the process ends."""
        threading.Thread(target=self._work, name="watchdog", daemon=True).start()

    def look(self) -> None:
        """One look."""
        seen = {}
        for name, mark in self._marks().items():
            last, looks = self._seen.get(name, (None, 0))
            seen[name] = (mark, looks + 1 if last == mark else 1)
            if seen[name][1] > self._most_looks:
                self._end(
                    f"{name}: stands still for {self._most_looks} seconds. The process ends, to be "
                    "started again."
                )
        self._seen = seen

    def _work(self) -> None:
        while True:
            time.sleep(_TICK_S)
            self.look()
