"""A `pulumi up` that goes on while a test does something else: its lines, and where it is."""

import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from harness.stack import wait_until

if TYPE_CHECKING:
    from harness.stack import LiveStack

STEP_TIMEOUT_S = 240
END_TIMEOUT_S = 300


class Up:
    """One run, whose lines are kept as they come."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self.process = process
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        with self.process.stdout as lines:
            self.lines += lines  # one by one, as they come

    @property
    def text(self) -> str:
        """What it has said so far."""
        return "".join(self.lines)

    @property
    def failed(self) -> bool:
        """Whether it has ended, and not well."""
        return bool(self.process.poll())

    def wait_for(self, words: str, count: int = 1) -> float:
        """Until it has said so, on as many lines; the seconds it took."""
        return wait_until(
            lambda: self._is_said(words, count), f"it did not say {words!r}", STEP_TIMEOUT_S
        )

    def _is_said(self, words: str, count: int) -> bool:
        said = sum(words in line for line in list(self.lines))
        assert said >= count or self.process.poll() is None, f"no {words!r} in:\n{self.text}"
        return said >= count

    def wait_for_step(self, step: str, count: int = 1) -> float:
        """Until a step has begun, for the how-manieth time."""
        return self.wait_for(f": {step} …", count)

    def end(self, timeout_s: float = END_TIMEOUT_S) -> str:
        """Waits for its end; all that it said."""
        self.process.wait(timeout_s)
        self._reader.join(30)
        return self.text

    def kill(self) -> None:
        """Ends the engine at once; the provider finds out by itself."""
        self.process.send_signal(signal.SIGKILL)


@contextmanager
def going_on(stack: "LiveStack", environ: dict[str, str] | None = None) -> Iterator[Up]:
    """`pulumi up` from here on; it has ended afterwards, whatever became of the test."""
    up = Up(stack.start_up(environ))
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.process.send_signal(signal.SIGINT)
            deadline = time.monotonic() + END_TIMEOUT_S
            while up.process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.5)
        if up.process.poll() is None:
            up.kill()
        up.end()
