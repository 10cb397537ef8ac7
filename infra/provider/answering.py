"""Work on the hosts that answer: one that does not is told once, and not waited for again."""

from collections.abc import Callable, Sequence
from functools import partial

from infra.connection import HostError
from infra.provider.each import on_each
from infra.provider.machine import Machine
from infra.provider.members import Members


class Answering:
    """Whatever one host does, the others go on.

    Attributes:
        silent: why each host that failed did, by its name.
    """

    def __init__(self, tell: Callable[[HostError], None]) -> None:
        self._tell = tell
        self.silent: dict[str, str] = {}

    def on(self, machines: Sequence[Machine], work: Callable[[Machine], object]) -> None:
        """Works on each that has answered so far, side by side."""
        on_each(partial(self._try, work), machines)

    def of(self, members: Members) -> Members:
        """Those of them that have answered so far."""
        return members.without(self.silent)

    def _try(self, work: Callable[[Machine], object], machine: Machine) -> None:
        if machine.host.name in self.silent:
            return
        try:
            work(machine)
        except HostError as e:
            self.silent[machine.host.name] = str(e)
            self._tell(e)
