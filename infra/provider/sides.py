"""What both sides of a canary did: by the entries' edges and by the replicas' own metrics.

Whoever does not tell its figures, or others than were asked for, becomes a finding, never a zero.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from infra.commands import edge, scrape
from infra.commands.edge import Server
from infra.commands.scrape import Page
from infra.connection import HostError
from infra.provider.each import on_each
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from loadtests.analysis import CANDIDATE, LIVE
from loadtests.reasons import Finding, finding
from service import contract
from service.contract import metrics


@dataclass(frozen=True)
class Replica:
    """One replica of one side."""

    host: str
    side: str
    number: int


@dataclass(frozen=True)
class Look:
    """What one host told.

    Attributes:
        servers: the edge's, of an entry.
        down: sides of which the entry sees no replica up.
        faults: why something is missing.
    """

    pages: Mapping[Replica, Page] = field(default_factory=dict)
    servers: tuple[Server, ...] = ()
    down: frozenset[str] = frozenset()
    faults: tuple[Finding, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """What all hosts told at one moment.

    Attributes:
        at_s: by a clock that never goes backwards.
    """

    at_s: float
    hosts: Mapping[str, Look]

    @property
    def faults(self) -> tuple[Finding, ...]:
        """Of all hosts."""
        return tuple(fault for look in self.hosts.values() for fault in look.faults)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """Where the two sides are to be found.

    Attributes:
        slot: the candidate's on every host.
        lives: by host, the release that is live there.
        share: of the users' requests that every entry is to give the candidate.
    """

    plan: Plan
    entries: Sequence[Machine]
    machines: Sequence[Machine]
    slot: str
    live_slot: str
    lives: Mapping[str, Live]
    share: float

    def look(self, at_s: float) -> Snapshot:
        """Asks every host, side by side; one that does not answer is told in its place."""
        looks = on_each(self._look_at, self.machines)
        names = [machine.host.name for machine in self.machines]
        return Snapshot(at_s, dict(zip(names, looks, strict=True)))

    def _look_at(self, machine: Machine) -> Look:
        name = machine.host.name
        try:
            servers, found = self._edge_of(machine)
            pages, faults = self._pages_of(machine)
        except HostError as e:
            why = str(e).removeprefix(f"{name}: ").rstrip(".")
            return Look(faults=(finding("canary_silent", host=name, why=why),))
        if found is None:
            return Look(pages, faults=tuple(faults))
        told = tuple(self._entry_faults(name, servers, found))
        return Look(pages, servers, frozenset(self._down(servers)), (*told, *faults))

    # -- entries --------------------------------------------------------------------------------

    def _edge_of(self, machine: Machine) -> tuple[tuple[Server, ...], dict[str, str] | None]:
        if machine.host.name not in {m.host.name for m in self.entries}:
            return (), None
        return tuple(machine.edge_servers()), machine.edge_map()

    def _entry_faults(
        self, host: str, servers: Sequence[Server], found: Mapping[str, str]
    ) -> Iterator[Finding]:
        wanted = {
            edge.LIVE: self.live_slot,
            edge.CANARY: str(round(self.share * edge.BASIS_POINTS)),
            edge.release_key(self.slot): self.plan.release,
        }
        others = {
            key: found.get(key, "nothing") for key, v in wanted.items() if found.get(key) != v
        }
        if others:
            got = ", ".join(f"{key} is {value}" for key, value in others.items())
            yield finding("canary_weight_lost", host=host, got=got)
        for side, told in ((LIVE, self.of_live(servers)), (CANDIDATE, self.of_candidate(servers))):
            ways = told if side == LIVE else (*told, *self.ways(servers))
            if not told or not all(server.is_counted for server in ways):
                yield finding("canary_counters_missing", host=host, side=side)

    def _down(self, servers: Sequence[Server]) -> Iterator[str]:
        for side, told in ((LIVE, self.of_live(servers)), (CANDIDATE, self.of_candidate(servers))):
            if told and not any(server.is_up for server in told):
                yield side

    def of_live(self, servers: Sequence[Server]) -> list[Server]:
        """An entry's ways to live's replicas."""
        return [s for s in servers if s.group == "users" and s.slot == self.live_slot]

    def of_candidate(self, servers: Sequence[Server]) -> list[Server]:
        """An entry's ways to the candidate's replicas."""
        return [s for s in servers if s.group == "users" and s.slot == self.slot]

    def ways(self, servers: Sequence[Server]) -> list[Server]:
        """The two ways of the candidate's share on an entry: to it, and back to live."""
        wanted = {(self.slot, False), (self.live_slot, True)}
        return [s for s in servers if s.group == "canary" and (s.slot, s.is_backup) in wanted]

    # -- replicas -------------------------------------------------------------------------------

    def _pages_of(self, machine: Machine) -> tuple[dict[Replica, Page], list[Finding]]:
        pages, faults = {}, []
        for replica, release in self._replicas_on(machine.host.name):
            slot = self.slot if replica.side == CANDIDATE else self.live_slot
            answer = machine.get(machine.host.ports.metrics(slot, replica.number), contract.METRICS)
            page = scrape.parse(answer.text) if answer.status == 200 else None
            why = f"status {answer.status}" if answer.status else answer.text
            fault = page_fault(replica, page, release, why)
            if fault is not None:
                faults.append(fault)
            elif page is not None:
                pages[replica] = page
        return pages, faults

    def _replicas_on(self, host: str) -> Iterator[tuple[Replica, str]]:
        """Every replica that must answer on a host, and which release it must be."""
        for number in range(1, self.plan.replicas + 1):
            yield Replica(host, CANDIDATE, number), self.plan.release
        live = self.lives.get(host)
        for number in range(1, live.replicas + 1) if live else ():
            yield Replica(host, LIVE, number), live.release if live else ""


def page_fault(replica: Replica, page: Page | None, release: str, why: str) -> Finding | None:
    """Why a replica's page is none that can be counted on; None where it is."""
    who: dict[str, str | float] = {
        "host": replica.host,
        "replica": replica.number,
        "side": replica.side,
    }
    if page is None:
        return finding("canary_metrics_missing", **who, why=why)
    if not page.release:
        return finding("canary_metrics_missing", **who, why="it does not say which release it is")
    if page.release != release:
        return finding("canary_other_release", **who, got=page.release, wanted=release)
    if not page.has_durations:
        return finding("canary_histogram_missing", **who, metric=metrics.REQUEST_DURATION.name)
    return None
