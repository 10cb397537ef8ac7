"""What stands beside a walk in memory: its console, its lock, and the canary's analysis."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from harness.memory import MemoryMachine
from infra.provider import traffic
from infra.provider.machine import Machine
from infra.provider.plan import Plan


class Quiet:
    """A console that nobody reads."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.lines: list[str] = []
        self.engine = True

    def say(self, line: str, passing: bool = False) -> None:
        self.lines.append(line)

    def warn(self, line: str) -> None:
        self.lines.append(line)

    def engine_answers(self) -> bool:
        return self.engine


class Held:
    """A lock that is ours until somebody takes it; a host that is dead is told."""

    def __init__(self, machines: Sequence[MemoryMachine]) -> None:
        self.ours = True
        self._machines = machines

    def is_held(self) -> bool:
        for machine in self._machines if self.ours else []:
            machine.read(machine.paths.lock)
        return self.ours


class Trial:
    """Stands for the canary's analysis: sets the share, and says what a test wants it to.

    Attributes:
        shares: that were set so far, in percent.
        allowed: largest share of the users that the candidate may have now.
        ends: what is raised at a share.
        meanwhile: what happens while it is watched.
    """

    def __init__(self) -> None:
        self.shares: list[float] = []
        self.allowed = 0.0
        self.ends: dict[float, Exception] = {}
        self.meanwhile: Callable[[], object] = lambda: None

    def run(self, plan: Plan, entries: Sequence[Machine], *given: Any) -> str:
        index, go_on = given[3], given[6]
        weight = plan.canary[index].weight_percent
        self.shares.append(weight)
        self.allowed = weight / 100
        for entry in entries:
            go_on()
            traffic.set_canary(entry, weight / 100)
        self.meanwhile()
        go_on()
        if weight in self.ends:
            raise self.ends[weight]
        if index == len(plan.canary) - 1:
            self.allowed = 1.0
        return f"{weight:g} %"
