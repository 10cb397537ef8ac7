"""The floor of readiness: a candidate must not be far slower than its host has shown to be able."""

import time
from dataclasses import dataclass

from infra.commands import rates
from infra.commands.rates import Rates
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from service import contract

FILE = "rates.json"
"""Beside the records of promotions, and gone with them."""

BUSY_RPS = 1.0
"""Requests a second to live from which on the candidate had to share the host."""


class TooSlow(Exception):
    """A candidate is below the floor of its host: one line."""


class TooBusy(Exception):
    """It is, but live was taking traffic, or the rates cannot be known: one line."""


@dataclass(frozen=True)
class Measured:
    """What a candidate does on its host.

    Attributes:
        was_busy: whether live took traffic meanwhile.
    """

    rates: Rates
    was_busy: bool


class Watch:
    """Counts what live answers on a host, from now until it is asked."""

    def __init__(self, machine: Machine, live: Live | None) -> None:
        self._machine = machine
        self._slot = live.slot if live else None
        self._since, self._before = time.monotonic(), self._answered()

    def live_rps(self) -> float:
        """Requests a second that live has taken meanwhile; 0 where nothing is live."""
        answered = max(0, self._answered() - self._before)
        return answered / max(time.monotonic() - self._since, 0.001)

    def _answered(self) -> int:
        """By this host's replicas: what its edge sends to other hosts is no work for it."""
        if self._slot is None:
            return 0
        servers = self._machine.edge_servers()
        return sum(s.requests for s in servers if s.slot == self._slot and s.number)


def check(machine: Machine, plan: Plan, slot: str, watch: Watch) -> Measured:
    """The rates of the candidate in `slot`, which has just become ready.

    Raises:
        TooSlow: below the floor, and nobody else used the host.
        TooBusy: below the floor while live took traffic, or a rate is missing.
    """
    ports = [machine.host.ports.metrics(slot, n) for n in range(1, plan.replicas + 1)]
    pages = [machine.get(port, contract.METRICS).text for port in ports]
    found = rates.parse(pages, plan.models, plan.env.get(contract.ENV_THREADS, "1"))
    rps, name = watch.live_rps(), machine.host.name
    if not plan.floor:
        return Measured(found, rps >= BUSY_RPS)
    before = {m: rate for m, rate in recorded(machine).items() if m in plan.models}
    if gone := rates.missing(found, before):
        raise TooBusy(f"{name}: floor: the candidate tells no rate of {', '.join(gone)}")
    slow = "; ".join(rates.too_slow(found, before, plan.floor))
    if slow and rps >= BUSY_RPS:
        raise TooBusy(f"{name}: floor: {slow}; live took {rps:.3g} requests/s at that time")
    if slow:
        raise TooSlow(
            f"{name}: floor: {slow}. Look with `make doctor`; where the host is meant to be slower "
            f"now, remove {machine.paths.releases / FILE} on it"
        )
    return Measured(found, rps >= BUSY_RPS)


def recorded(machine: Machine) -> Rates:
    """What the release that was promoted last did on this host; empty where nothing was."""
    return rates.from_json(machine.read(machine.paths.releases / FILE))


def record(machine: Machine, measured: Measured | None) -> None:
    """Leaves the rates of a promoted release for the next one."""
    if measured is None or not measured.rates:
        return
    kept = rates.to_record(measured.rates, recorded(machine), was_busy=measured.was_busy)
    machine.write(machine.paths.releases / FILE, rates.to_json(kept))
