"""Hosts in memory that serve live and a candidate to simulated users, and a clock that they obey.

Only what a step of a canary asks of them is there: edges with counters, replicas with metrics.
"""

import math
import threading
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from harness.plans import REPLICAS, plan
from infra.commands.edge import Server
from infra.connection import Unreachable
from infra.host import Host, Paths
from infra.provider import live
from infra.provider.live import Live
from infra.provider.machine import Answer, Machine
from infra.provider.plan import CanaryStep, Plan
from loadtests.evidence import CanaryEvidence, TimelinePoint
from loadtests.filling import Demand
from loadtests.reasons import Finding
from service.contract.metrics import RELEASE_INFO, REQUEST_DURATION, REQUESTS_TOTAL

OLD, NEW = "0ld000000000", "abcdef012345"
SLOTS = {"live": "a", "candidate": "b"}
MODELS = ("energy", "octagon")
USER, GATE = "user", "gate"


@dataclass
class Behaviour:
    """How the replicas of one side answer.

    Attributes:
        slow_s: of every answer, beside what is usual.
        fails: every so many requests one fails with 500; 0: none.
        refuses: the same with 422.
        is_up: as the edges see it.
    """

    slow_s: float = 0.0
    fails: int = 0
    refuses: int = 0
    is_up: bool = True


class Replica:
    """One replica: what its page of metrics tells since it was started.

    The form of a real page is what tests/infra/commands/test_scrape.py reads.
    """

    def __init__(self, release: str) -> None:
        self.release = release
        self.started = 1000
        self.is_there = True
        self.slowness: Callable[[int], float] = lambda count: 0.0
        self._asked = 0
        self._durations: dict[tuple[str, str], Counter[float]] = {}
        self._refused: Counter[tuple[str, str]] = Counter()

    def forget(self) -> None:
        """As a process that begins anew."""
        self._durations.clear()
        self._refused.clear()

    def answer(self, model: str, traffic: str, code: int, seconds: float) -> None:
        """One prediction."""
        self._asked += 1
        seconds += self.slowness(self._asked)
        bound = next((b for b in REQUEST_DURATION.buckets if seconds <= b), math.inf)
        self._durations.setdefault((model, traffic), Counter())[bound] += 1
        self._refused[model, traffic] += code == 422

    def page(self) -> str:
        lines = [
            f"process_start_time_seconds {self.started}",
            f'{RELEASE_INFO.name}{{release="{self.release}"}} 1.0',
            f'{REQUEST_DURATION.name}_bucket{{le="+Inf",model="",route="readyz",traffic="user"}} 9',
        ]
        for (model, traffic), counts in self._durations.items():
            labels = f'model="{model}",route="predict",traffic="{traffic}"'
            below = 0
            for bound in (*REQUEST_DURATION.buckets, math.inf):
                below += counts[bound]
                shown = "+Inf" if bound == math.inf else bound
                lines.append(f'{REQUEST_DURATION.name}_bucket{{le="{shown}",{labels}}} {below}')
            refused = self._refused[model, traffic]
            lines.append(f'{REQUESTS_TOTAL.name}{{code="422",{labels}}} {refused}')
        return "\n".join([*lines, ""])


class CountingConnection:
    """What a canary asks of a connection."""

    def __init__(self) -> None:
        self.opened = 1

    def local_port(self, port: int) -> int:
        return port

    def openings(self) -> int:
        return self.opened

    def paths(self) -> Paths:
        return Paths(PurePosixPath("/memory"))


class CanaryMachine(Machine):
    """One host; `dead` answers nothing, `spoil_page` and `spoil_servers` change what it tells."""

    def __init__(self, name: str, first: int) -> None:
        host = Host(
            name=name,
            address="127.0.0.1",
            connection="local",
            accelerator="cpu",
            stack="demo",
            ports_from=first,
        )
        super().__init__(host, CountingConnection(), "podman")  # type: ignore[arg-type]
        self.replicas = {
            (side, n): Replica({"live": OLD, "candidate": NEW}[side])
            for side in SLOTS
            for n in range(1, REPLICAS + 1)
        }
        self.counted: Counter[tuple[str, str, str, str]] = Counter()
        self.map = {"live": "a", "canary": "0", "release_a": OLD, "release_b": NEW}
        self.record: str | None = live.text(
            Live(release=OLD, slot="a", replicas=REPLICAS, since="2026-01-01", image="x")
        )
        self.dead = False
        self.spoil_page: Callable[[str, int, str], str] = lambda side, number, text: text
        self.spoil_servers: Callable[[list[Server]], list[Server]] = lambda servers: servers
        self.behaviour: dict[str, Behaviour] = {}

    def _answer(self) -> None:
        if self.dead:
            raise Unreachable(f"{self.host.name}: does not answer.")

    def read(self, path: PurePosixPath) -> str | None:
        self._answer()
        return self.record

    def edge_command(self, command: str) -> str:
        self._answer()
        if command.startswith("show map"):
            return "".join(f"0x1 {key} {value}\n" for key, value in self.map.items())
        for one in command.strip().split(";"):
            *_, key, value = one.split()
            self.map[key] = value
        return ""

    def edge_servers(self) -> list[Server]:
        self._answer()
        servers = [
            self._server("users", slot, f"r{n}", is_up=self.behaviour[side].is_up)
            for side, slot in SLOTS.items()
            for n in range(1, REPLICAS + 1)
        ]
        servers.append(self._server("canary", "b", "candidate", is_own=False))
        servers.append(self._server("canary", "a", "live", is_own=False, is_backup=True))
        return self.spoil_servers(servers)

    def _server(self, group: Any, slot: str, name: str, **kind: Any) -> Server:
        is_up = kind.pop("is_up", True)
        return Server(
            group=group,
            slot=slot,
            name=name,
            status="UP" if is_up else "DOWN",
            **{what: self.counted[group, slot, name, what] for what in ("requests", "answers")},
            **kind,
        )

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        self._answer()
        for (side, number), replica in self.replicas.items():
            if self.host.ports.metrics(SLOTS[side], number) == port and path == "/metrics":
                if not replica.is_there:
                    return Answer(0, {}, "connection refused")
                return Answer(200, {}, self.spoil_page(side, number, replica.page()))
        raise AssertionError(f"nobody listens there (got {port}{path})")

    def count(self, group: str, slot: str, name: str, *, is_good: bool) -> None:
        """One request by a server of the edge."""
        self.counted[group, slot, name, "requests"] += 1
        self.counted[group, slot, name, "answers"] += is_good

    def restart_edge(self) -> None:
        """As HAProxy comes back: nothing counted, live alone."""
        self.counted.clear()
        self.map.update(canary="0", release_b="none")


class Users:
    """What comes to the entries, second by second.

    Attributes:
        per_minute: requests of the users, evenly over the entries.
        gate_rps: of the load generator.
    """

    def __init__(self, machines: Sequence[CanaryMachine], entries: int) -> None:
        self.machines = machines
        self.entries = machines[:entries]
        self.per_minute, self.gate_rps = 1200.0, 0.0
        self.behaviour = {"live": Behaviour(), "candidate": Behaviour()}
        for machine in machines:
            machine.behaviour = self.behaviour
        self._due = {USER: 0.0, GATE: 0.0}
        self._to_candidate = [0.0] * entries
        self._sent = 0
        self._of_side: Counter[str] = Counter()

    def come(self, seconds: float) -> None:
        """All that come in so many seconds."""
        for traffic, rps in ((USER, self.per_minute / 60), (GATE, self.gate_rps)):
            self._due[traffic] += rps * seconds
            while self._due[traffic] >= 1:
                self._due[traffic] -= 1
                self._one(traffic)

    def _one(self, traffic: str) -> None:
        number = self._sent % len(self.entries)
        entry = self.entries[number]
        self._sent += 1
        self._to_candidate[number] += int(entry.map["canary"]) / 10_000
        if self._to_candidate[number] < 1:
            self._serve(entry, "live", traffic)
            return
        self._to_candidate[number] -= 1
        is_up = self.behaviour["candidate"].is_up
        entry.count("canary", "b", "candidate", is_good=is_up)
        if is_up:
            self._serve(entry, "candidate", traffic)
        else:
            entry.count("canary", "a", "live", is_good=True)
            self._serve(entry, "live", traffic)

    def _serve(self, entry: CanaryMachine, side: str, traffic: str) -> None:
        behaviour = self.behaviour[side]
        if not behaviour.is_up:
            return  # the edge answers 503 by itself, and counts it for no server
        self._of_side[side] += 1
        count = self._of_side[side]
        is_failed = behaviour.fails > 0 and count % behaviour.fails == 0
        is_refused = behaviour.refuses > 0 and count % behaviour.refuses == 0
        machine = self.machines[count % len(self.machines)]
        number = 1 + count // len(self.machines) % REPLICAS
        entry.count("users", SLOTS[side], f"r{number}", is_good=not is_failed)
        code = 500 if is_failed else 422 if is_refused else 200
        seconds = 0.01 + 0.0007 * (count * 7 % 60) + behaviour.slow_s
        machine.replicas[side, number].answer(MODELS[count % len(MODELS)], traffic, code, seconds)


class SimulatedClock:
    """Time that passes only by waiting; users come meanwhile, and what was planned happens."""

    def __init__(self, users: Users, stopped: threading.Event) -> None:
        self._users = users
        self._stopped = stopped
        self._now_s = 0.0
        self.plans: list[tuple[float, Callable[[], None]]] = []

    def now_s(self) -> float:
        return self._now_s

    def wait(self, seconds: float) -> None:
        if self._stopped.is_set():
            return
        end_s = self._now_s + max(seconds, 0.01)
        while self._now_s < end_s:
            step_s = min(1.0, end_s - self._now_s)
            self._users.come(step_s)
            self._now_s += step_s
            for at_s, happen in [p for p in self.plans if p[0] <= self._now_s]:
                self.plans.remove((at_s, happen))
                happen()

    def at(self, seconds: float, happen: Callable[[], object]) -> None:
        """Lets something happen at a moment."""
        self.plans.append((seconds, lambda: (happen(), None)[1]))


class SimulatedFill:
    """In the place of the load generator: its traffic comes as it was demanded.

    Attributes:
        wanted: what was demanded, each time.
        finds: what keeps its traffic from being counted on, once it has ended.
        delivers: share of what was demanded that really comes.
    """

    finds: tuple[Finding, ...] = ()
    delivers = 1.0

    def __init__(self, world: "CanaryWorld") -> None:
        self._world = world
        self.wanted: list[Demand] = []
        self.findings: tuple[Finding, ...] = ()
        self.is_running = False
        self.was_stopped = False

    @property
    def times(self) -> int:
        return len(self.wanted)

    def start(self, demand: Demand) -> None:
        self.wanted.append(demand)
        self.is_running = True
        self._world.users.gate_rps = demand.rate_rps * self.delivers
        clock = self._world.clock
        clock.at(clock.now_s() + demand.duration_s, self._end)

    def _end(self) -> None:
        self._world.users.gate_rps = 0.0
        if self.is_running:
            self.findings += self.finds
        self.is_running = False

    def look(self) -> None:
        pass

    def stop(self) -> None:
        self.was_stopped = self.was_stopped or self.is_running
        self.is_running = False
        self._world.users.gate_rps = 0.0


class Kept:
    """In the place of the record."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: list[CanaryEvidence] = []
        self.points: list[TimelinePoint] = []

    def canary(self, evidence: CanaryEvidence) -> None:
        self.steps.append(evidence)

    def timeline(self, point: TimelinePoint) -> None:
        self.points.append(point)

    def elapsed_s(self) -> float:
        return 7.0


class QuietConsole:
    """A console that keeps what it is told."""

    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.lines: list[str] = []

    def say(self, line: str, passing: bool = False) -> None:
        self.lines.append(line)

    warn = say


class CanaryWorld:
    """A stack on which OLD is live in slot a and NEW was started in b."""

    def __init__(self, folder: Path, hosts: int = 2, entries: int = 1) -> None:
        self.machines = [CanaryMachine(f"h{n}", 20_000 + 100 * n) for n in range(1, hosts + 1)]
        self.entries = self.machines[:entries]
        self.users = Users(self.machines, entries)
        self.console = QuietConsole()
        self.clock = SimulatedClock(self.users, self.console.stopped)
        self.fill = SimulatedFill(self)
        self.record = Kept(folder)
        self.plan = _plan(self.machines)
        self.went_on = 0

    @property
    def live(self) -> Behaviour:
        return self.users.behaviour["live"]

    @property
    def candidate(self) -> Behaviour:
        return self.users.behaviour["candidate"]

    def change(self, **values: Any) -> None:
        """Changes the plan."""
        self.plan = replace(self.plan, **values)

    def go_on(self) -> None:
        self.went_on += 1


def _plan(machines: Sequence[CanaryMachine]) -> Plan:
    return plan(
        (m.host for m in machines),
        NEW,
        models=dict.fromkeys(MODELS, "1"),
        parallel=2,
        canary=(CanaryStep(weight_percent=5, hold_s=60), CanaryStep(weight_percent=50, hold_s=60)),
        min_samples=100,
        max_hold_s=240,
        settle_s=5,
    )
