"""A console of the provider that keeps what it is told, where no engine listens."""

import threading

from infra.provider.console import Console


class KeptConsole(Console):
    """Attributes:
    said: what was told for good; passing lines are left out.
    warned: the warnings.
    """

    def __init__(self) -> None:
        super().__init__("127.0.0.1:1", "urn", threading.Event())
        self.said: list[str] = []
        self.warned: list[str] = []

    def say(self, line: str, passing: bool = False) -> None:
        """Keeps the line."""
        if not passing:
            self.said.append(line)

    def warn(self, line: str) -> None:
        """Keeps the line."""
        self.warned.append(line)
