"""The line to a host that lives in memory."""

from pathlib import PurePosixPath

from infra.connection import Done
from infra.host import Paths


class MemoryConnection:
    """What the walk asks of a connection."""

    def __init__(self, stack: str) -> None:
        self._root = PurePosixPath("/memory") / stack
        self.opened = 1

    def paths(self) -> Paths:
        return Paths(self._root)

    def operator(self) -> str:
        return "tester@memory"

    def local_port(self, port: int) -> int:
        return port

    def openings(self) -> int:
        return self.opened

    def run(self, argv: list[str], stdin: str = "", timeout_s: float = 1) -> Done:
        assert argv[:2] == ["podman", "logs"]
        return Done(0, "boom: no such model\n", "")
