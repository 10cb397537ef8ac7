"""Tells how a run goes: one line that is written over on a terminal, else a line now and then."""

import time
from collections.abc import Callable
from typing import TextIO

_TERMINAL_EVERY_S, _FILE_EVERY_S = 0.2, 15.0


class Progress:
    """Counts photos."""

    def __init__(
        self, total: int, out: TextIO, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Starts the clock.

        Args:
            total: photos to ask.
            out: where the line goes.
            clock: in seconds.
        """
        self.done = self.failed = 0
        self._total, self._out, self._clock = total, out, clock
        self._started = self._told = clock()
        self._line = out.isatty()

    @property
    def duration_s(self) -> float:
        """Since the start."""
        return self._clock() - self._started

    def add(self, done: int, failed: int) -> None:
        """Counts photos that are done, and how many of them have no answer."""
        self.done += done
        self.failed += failed
        now = self._clock()
        if now - self._told >= (_TERMINAL_EVERY_S if self._line else _FILE_EVERY_S):
            self._told = now
            self._tell()

    def end(self) -> None:
        """The last line."""
        self._tell()
        if self._line:
            self._out.write("\n")

    def _tell(self) -> None:
        rate = self.done / max(self.duration_s, 1e-9)
        left_s = (self._total - self.done) / rate if rate else 0.0
        text = f"{self.done} of {self._total} photos, {rate:.1f} per s"
        if self.failed:
            text += f", {self.failed} without an answer"
        if self.done < self._total:
            text += f", {_spoken(left_s)} left"
        self._out.write(f"\r{text:<78}" if self._line else f"{text}\n")
        self._out.flush()


def _spoken(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
