"""A console for commands that change hosts without Pulumi: lines on the terminal, and Ctrl-C."""

import signal
import sys
import threading
from types import FrameType

from infra.provider.console import Console


class Terminal(Console):
    """What the provider's work tells, for whoever typed a command."""

    def __init__(self) -> None:
        super().__init__("", "", threading.Event())

    def say(self, line: str, passing: bool = False) -> None:
        """Prints a line; a passing one is not worth a line of its own."""
        if not passing:
            sys.stdout.write(f"{line}\n")
            sys.stdout.flush()

    def warn(self, line: str) -> None:
        """Prints a warning."""
        sys.stderr.write(f"{line}\n")

    def engine_answers(self) -> bool:
        """Nobody else has to be there."""
        return True

    def listen(self) -> None:
        """The first Ctrl-C asks the work to end in order, the second ends it."""
        signal.signal(signal.SIGINT, self._stop)

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self.stopped.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)
