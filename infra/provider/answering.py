"""Work on the hosts that answer: one that does not is told once, and not waited for again."""

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial

from infra.connection import HostError
from infra.host import Host
from infra.provider.console import Console
from infra.provider.each import on_each
from infra.provider.machine import Machine, open_machine
from infra.provider.members import Members

CONNECT_TIMEOUT_S = 5.0
"""Nobody waits longer for a host here, nor for one that boots: the others' users need the way."""


def reached(hosts: Sequence[Host], console: Console) -> list[Machine]:
    """The machines of the hosts that answer soon; the others are named."""

    def reach(host: Host) -> Machine | None:
        timeout_s = min(CONNECT_TIMEOUT_S, host.connect_timeout_s)
        hasty = dataclasses.replace(host, connect_timeout_s=timeout_s, boot_timeout_s=0)
        try:
            machine = open_machine(hasty)
            is_set_up = bool(machine.names_in(machine.paths.edge))
        except HostError as e:
            console.warn(f"{e} It goes on without it.")
            return None
        if not is_set_up:
            console.warn(f"{host.name}: has nothing of the stack yet. It goes on without it.")
        return machine if is_set_up else None

    return [machine for machine in on_each(reach, hosts) if machine is not None]


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
