"""The walk's decisions, on machines that live in memory: the real ones are walked in tests/live."""

import json
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from infra.commands import edge
from infra.commands.containers import SPEC_LABEL, Container, Running
from infra.commands.rates import Rate
from infra.connection import Done, HostError
from infra.host import Host, Paths
from infra.provider import floor, gate, live, record
from infra.provider.live import Live
from infra.provider.machine import Answer, Machine
from infra.provider.plan import Plan
from infra.provider.record import Record
from infra.provider.release import converge
from infra.provider.resource import Refused
from infra.provider.walk import Walk
from loadtests.slo import Slo
from service import contract

OLD = "0ld000000000"
NEW = "new000000000"
NEWER = "newer0000000"


class MemoryConnection:
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

    def run(self, argv: list[str], stdin: str = "", timeout_s: float = 1) -> Any:
        assert argv[:2] == ["podman", "logs"]
        return Done(0, "boom: no such model\n", "")


class Killed(BaseException):
    """What `kill -9` is to a process: nothing it would do afterwards happens."""


class Life:
    """How many effects on hosts a process has before it is killed."""

    def __init__(self, effects: int | None = None) -> None:
        self.left = effects

    def spend(self) -> None:
        if self.left is None:
            return
        if self.left <= 0:
            raise Killed
        self.left -= 1


class MemoryMachine(Machine):
    """Files, containers and an edge in memory; faults are planted by name."""

    life = Life()

    def __init__(self, name: str, faults: set[str]) -> None:
        host = Host(
            name=name,
            address="127.0.0.1",
            connection="local",
            accelerator="cpu",
            stack="demo",
            ports_from=21000,
        )
        super().__init__(host, MemoryConnection("demo"), "podman")  # type: ignore[arg-type]
        self.faults = faults
        self.files: dict[str, str] = {}
        self.there: dict[str, Running] = {}
        self.live_slot: str | None = None
        self.fewest = 2
        self.answers_as = NEW
        self.history: list[str | None] = []

    def spend(self) -> None:
        """Before each effect: how many replicas serve users now, and whether the process lives."""
        if self.live_slot is not None:
            self.fewest = min(self.fewest, len(replicas_in(self, self.live_slot)))
        self.life.spend()

    def read(self, path: PurePosixPath) -> str | None:
        return self.files.get(str(path))

    def write(self, path: PurePosixPath, content: str, mode: str = "0644") -> None:
        self.spend()
        self.files[str(path)] = content

    def remove(self, path: PurePosixPath) -> None:
        self.spend()
        self.files.pop(str(path), None)

    def names_in(self, folder: PurePosixPath) -> list[str]:
        return [PurePosixPath(f).name for f in self.files if PurePosixPath(f).parent == folder]

    def containers(self) -> list[Running]:
        return list(self.there.values())

    def ensure(self, wanted: Container, there: object) -> bool:
        self.spend()
        self.there[wanted.name] = Running(
            name=wanted.name,
            status="exited" if "does not start" in self.faults else "running",
            image_id="image",
            labels={**wanted.labels, SPEC_LABEL: wanted.spec},
            started_at="",
            restarts=0,
        )
        return True

    def stop(self, names: Sequence[str], timeout_s: int) -> None:
        self.spend()
        for name in names:
            self.there.pop(name, None)

    def remove_container(self, name: str) -> None:
        self.spend()
        self.there.pop(name, None)

    def image_id(self, tag: str) -> str | None:
        return "image"

    def image_tags(self, repository: str) -> list[str]:
        return []

    def edge_command(self, command: str) -> str:
        self.spend()
        if command.startswith("set server"):
            return ""
        assert command.startswith("set map")
        if "refuses weights" in self.faults and command == edge.set_live("b"):
            raise HostError(f"{self.host.name}: the edge is gone.")
        slot = command.split()[-1]
        self.live_slot = None if slot == "none" else slot
        self.history.append(self.live_slot)
        return ""

    def edge_live(self) -> str | None:
        return self.live_slot

    def edge_servers(self) -> list[edge.Server]:
        return [
            edge.Server(
                c.labels["bentofleet.slot"], int(c.labels["bentofleet.number"]), "UP", 0, ""
            )
            for c in self.there.values()
        ]

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        if "does not start" in self.faults:
            return Answer(0, {}, "connection refused")
        if "never ready" in self.faults:
            return Answer(503, {}, json.dumps({"reasons": ["energy: golden answer 3 differs"]}))
        return Answer(200, {contract.RELEASE_HEADER: self.answers_as}, "{}")

    def run(self, argv: Any, stdin: str = "", timeout_s: float = 60.0) -> str:
        return ""


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
    """A lock that is ours until somebody takes it."""

    def __init__(self) -> None:
        self.ours = True

    def is_held(self) -> bool:
        return self.ours


FIGURES: dict[str, Any] = json.loads((Path(__file__).parent / "gate_figures.json").read_text())


class World:
    """Two hosts on which OLD is live, and a walk that brings NEW."""

    def __init__(self, *faults_of_hosts: set[str], first: bool = False) -> None:
        names = ("one", "two")
        faults = faults_of_hosts or (set(), set())
        self.machines = [MemoryMachine(n, f) for n, f in zip(names, faults, strict=False)]
        self.console, self.lock = Quiet(), Held()
        self.plan = plan(self.machines)
        self.was = Live(release=OLD, slot="a", replicas=2, since="2026-01-01", image="old")
        for machine in self.machines if not first else []:
            live.write(machine, self.was)
            machine.live_slot = "a"
            old = plan(self.machines, release=OLD)
            for number in (1, 2):
                machine.ensure(old.container(machine.host, machine.paths, "a", number), [])
                machine.there[f"bentofleet-demo-{OLD}-{number}"] = Running(
                    **{
                        **vars(machine.there[f"bentofleet-demo-{OLD}-{number}"]),
                        "status": "running",
                    }
                )
        for machine in self.machines:
            machine.fewest = 2  # from here on users are counted on
        self.record = Record(self.plan, self.console)  # type: ignore[arg-type]

    def walk(self) -> None:
        Walk(self.plan, self.machines, self.console, self.lock, self.record).run()  # type: ignore[arg-type]

    def converge(self) -> str:
        return converge(self.plan, self.machines, self.console, self.lock)  # type: ignore[arg-type]

    def serves(self, release: str) -> bool:
        """Whether every host gives users that release from all replicas, also after a restart."""
        return all(
            (now := live.read(m)) is not None
            and now.release == release
            and m.live_slot == now.slot
            and len(replicas_in(m, now.slot, release)) == self.plan.replicas
            for m in self.machines
        )

    def releases(self) -> list[set[str]]:
        return [{c.labels["bentofleet.release"] for c in m.there.values()} for m in self.machines]

    def verdict(self) -> dict[str, Any]:
        text = (self.record.folder / "verdict.json").read_text()
        verdict: dict[str, Any] = json.loads(text)
        return verdict

    def is_untouched(self) -> bool:
        return (
            self.releases() == [{OLD}, {OLD}]
            and all(live.read(m) == self.was for m in self.machines)
            and all(m.live_slot == "a" for m in self.machines)
        )


def replicas_in(machine: MemoryMachine, slot: str | None, release: str | None = None) -> list[str]:
    """Names of the replicas that run in a slot."""
    return [
        c.name
        for c in machine.there.values()
        if c.labels["bentofleet.slot"] == slot
        and c.is_running
        and release in (None, c.labels["bentofleet.release"])
    ]


def plan(machines: list[MemoryMachine], release: str = NEW) -> Plan:
    return Plan(
        stack="demo",
        target="local",
        release=release,
        images={"cpu": "localhost/bentofleet-demo/service:cpu-1"},
        bento="bentofleet:1",
        models={"energy": "1"},
        env={},
        hosts=tuple(m.host for m in machines),
        replicas=2,
        memory_mib=512,
        port=8080,
        profile="short",
        runner="here",
        saturation=False,
        slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20),
        keep=3,
        parallel=2,
        ready_timeout_s=1,
        drain_timeout_s=1,
        language="en",
        tokens_key=None,
    )


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reports go to the test's own folder, without a page; the gate gives good figures."""
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(Record, "_write_page", lambda _: None)
    monkeypatch.setattr(gate, "run", lambda *_: FIGURES)
    return


def test_a_good_release_is_live_everywhere_and_the_old_one_ends() -> None:
    world = World()

    world.walk()

    assert world.releases() == [{NEW}, {NEW}]
    assert [m.live_slot for m in world.machines] == ["b", "b"]
    assert {live.read(m).release for m in world.machines} == {NEW}  # type: ignore[union-attr]
    assert world.verdict()["verdict"] == "pass"
    assert [s["step"] for s in world.verdict()["steps"]] == ["ready", "gate", "promote", "drain"]


def test_the_gate_asks_the_candidates_of_all_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(gate, "run", lambda *given: asked.append(given) or FIGURES)
    world = World()
    led = {"one": 31065, "two": 32065}
    for machine in world.machines:
        there = machine.connection
        monkeypatch.setattr(there, "local_port", lambda port, n=machine.host.name: led[n])

    world.walk()

    (given,) = asked
    assert given[1:3] == ([31065, 32065], False)


def test_every_host_on_which_the_candidate_is_not_ready_is_named() -> None:
    world = World(set(), {"never ready"})
    third = MemoryMachine("three", {"never ready"})
    world.machines.append(third)

    with pytest.raises(Refused) as refused:
        world.walk()

    assert "two: bentofleet-demo-" in str(refused.value)
    assert "three: bentofleet-demo-" in str(refused.value)
    assert world.verdict()["verdict"] == "fail"


def test_a_first_release_takes_the_first_slot() -> None:
    world = World(first=True)

    world.walk()

    assert [m.live_slot for m in world.machines] == ["a", "a"]
    assert world.verdict()["verdict"] == "pass"


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("does not start", "one: bentofleet-demo-new000000000-1 does not start"),
        ("never ready", "golden answer 3 differs"),
    ],
)
def test_a_release_that_does_not_get_ready_fails_at_the_first_host(fault: str, words: str) -> None:
    world = World({fault}, set())

    with pytest.raises(Refused, match=words):
        world.walk()

    assert world.is_untouched()
    assert world.verdict()["verdict"] == "fail"
    assert [s["step"] for s in world.verdict()["steps"]] == ["ready"]


def test_a_slow_release_fails_in_the_gate() -> None:
    world = World()
    slow = {**FIGURES, "latency_ms": {"p50": 300.0, "p95": 900.0, "p99": 950.0}}
    gate.run = lambda *_: slow  # type: ignore[assignment] # the fixture puts it back

    with pytest.raises(Refused, match=rf": fail: latency: .*{OLD} stays live"):
        world.walk()

    assert world.is_untouched()
    assert world.verdict()["slo"][0]["ok"] is False


@pytest.mark.parametrize(("p95", "verdict"), [(900, "inconclusive"), (50, "pass")])
def test_a_gate_whose_line_was_cut_blames_no_release(
    monkeypatch: pytest.MonkeyPatch, p95: float, verdict: str
) -> None:
    world = World()

    def cut(*_: object) -> dict[str, Any]:
        world.machines[1].connection.opened += 1  # type: ignore[attr-defined]
        return {**FIGURES, "latency_ms": {**FIGURES["latency_ms"], "p95": p95}}

    monkeypatch.setattr(gate, "run", cut)
    if verdict == "pass":
        world.walk()
    else:
        with pytest.raises(Refused, match=r"two: the line to it was cut during the gate\. Run"):
            world.walk()
        assert world.is_untouched()

    assert world.verdict()["verdict"] == verdict


def test_a_gate_without_figures_is_inconclusive_and_never_promoted() -> None:
    world = World()

    def no_figures(*_: object) -> dict[str, Any]:
        raise gate.GateDidNotRun("gate: the target is not there.")

    gate.run = no_figures  # type: ignore[assignment]

    with pytest.raises(Refused, match=": inconclusive: gate: the target is not there"):
        world.walk()

    assert world.is_untouched()
    assert world.verdict()["verdict"] == "inconclusive"


def test_a_missing_figure_is_inconclusive_and_never_promoted() -> None:
    world = World()
    gate.run = lambda *_: {k: v for k, v in FIGURES.items() if k != "latency_ms"}  # type: ignore[assignment]

    with pytest.raises(Refused, match=": inconclusive: "):
        world.walk()

    assert world.is_untouched()


def test_a_host_that_fails_while_promoting_takes_the_others_back() -> None:
    world = World(set(), {"refuses weights"})

    with pytest.raises(Refused, match="two: the edge is gone"):
        world.walk()

    assert world.machines[0].history == ["b", "a"]
    assert world.is_untouched()


def test_ctrl_c_puts_back() -> None:
    world = World()

    def interrupted(*_: object) -> dict[str, Any]:
        world.console.stopped.set()
        raise gate.GateDidNotRun("gate: interrupted.")

    gate.run = interrupted  # type: ignore[assignment]

    with pytest.raises(Refused, match=": inconclusive: interrupted"):
        world.walk()

    assert world.is_untouched()


def test_a_walker_whose_engine_is_gone_stops_and_puts_back() -> None:
    world = World()

    def engine_dies(*_: object) -> dict[str, Any]:
        world.console.engine = False
        return FIGURES

    gate.run = engine_dies  # type: ignore[assignment]

    with pytest.raises(Refused, match="the Pulumi engine is gone"):
        world.walk()

    assert world.is_untouched()


def test_a_walker_that_lost_its_lock_leaves_the_hosts_to_the_one_who_has_it() -> None:
    world = World()

    def lock_goes(*_: object) -> dict[str, Any]:
        world.lock.ours = False
        return FIGURES

    gate.run = lock_goes  # type: ignore[assignment]

    with pytest.raises(Refused, match="another walk has taken the lock"):
        world.walk()

    assert world.releases() == [{OLD, NEW}, {OLD, NEW}]
    assert [m.live_slot for m in world.machines] == ["a", "a"]


def test_what_breaks_unforeseen_is_put_back_too() -> None:
    world = World()

    def bug(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError

    gate.run = bug  # type: ignore[assignment]

    with pytest.raises(ZeroDivisionError):
        world.walk()

    assert world.is_untouched()
    assert world.verdict()["reasons"] == ["the walk broke off: ZeroDivisionError"]


def effects_of_a_walk() -> int:
    """How many effects on hosts a whole walk has."""
    world = World()
    life = Life(10_000)
    for machine in world.machines:
        machine.life = life
    world.walk()
    assert life.left is not None
    return 10_000 - life.left


def killed_at(point: int) -> World:
    """What a walk leaves that was killed before its effect number `point`, for the next run."""
    world = World()
    life = Life(point)
    for machine in world.machines:
        machine.life = life
    with pytest.raises(Killed):
        world.walk()
    for machine in world.machines:
        machine.life = Life()
    return world


def test_a_walk_that_is_killed_anywhere_never_leaves_users_alone_and_the_next_run_converges() -> (
    None
):
    points = effects_of_a_walk()

    for point in range(points):
        world = killed_at(point)

        world.converge()

        assert [m.fewest for m in world.machines] == [2, 2], f"killed at effect {point}"

        assert world.serves(NEW), f"killed at effect {point}"
        assert world.releases() == [{NEW}, {NEW}], f"killed at effect {point}"

    assert points > 10


def test_after_a_kill_anywhere_another_release_can_be_walked_and_users_are_never_alone() -> None:
    for point in range(effects_of_a_walk()):
        world = killed_at(point)
        for machine in world.machines:
            machine.answers_as = NEWER
        world.plan = plan(world.machines, release=NEWER)

        world.converge()

        assert [m.fewest for m in world.machines] == [2, 2], f"killed at effect {point}"
        assert world.serves(NEWER), f"killed at effect {point}"
        assert world.releases() == [{NEWER}, {NEWER}], f"killed at effect {point}"


def test_what_a_refused_candidate_printed_is_kept_beside_the_verdict() -> None:
    world = World({"never ready"}, set())

    with pytest.raises(Refused):
        world.walk()

    kept = world.record.folder / f"one-bentofleet-demo-{NEW}-1.log"
    assert kept.read_text() == "boom: no such model\n"


def test_a_release_that_is_live_already_is_mended_and_not_walked_again() -> None:
    world = World()
    world.walk()
    victim = world.machines[0]
    victim.there.pop(f"bentofleet-demo-{NEW}-1")

    assert world.converge() == ""

    assert world.serves(NEW)


def test_a_promotion_that_reached_one_host_only_is_finished_by_the_next_run() -> None:
    world = World()
    world.walk()
    behind = World()
    world.machines[1] = behind.machines[1]

    world.converge()

    assert world.serves(NEW)
    assert world.releases() == [{NEW}, {NEW}]
    assert [m.fewest for m in world.machines] == [2, 2]


def below_the_floor(
    monkeypatch: pytest.MonkeyPatch, times: int, error: type[Exception] = floor.TooSlow
) -> list[str]:
    """The candidate is too slow so many times; the hosts that were measured, in their order."""
    asked: list[str] = []

    def check(machine: MemoryMachine, *_: object) -> floor.Measured:
        asked.append(machine.host.name)
        if len(asked) <= times:
            raise error("one: floor: energy does 1 items/s on its own")
        return floor.Measured({"energy": Rate("cpu", 100, None, "1", "1")}, was_busy=False)

    monkeypatch.setattr(floor, "check", check)
    return asked


def test_a_release_below_the_floor_is_tried_once_more_and_then_fails(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, asked = World(), below_the_floor(monkeypatch, times=2)

    with pytest.raises(Refused, match=rf": fail: one: floor: .*{OLD} stays live"):
        world.walk()

    assert asked == ["one", "one"]
    assert world.is_untouched()
    assert [s["step"] for s in world.verdict()["steps"]] == ["ready"]


def test_a_release_that_was_slow_once_is_promoted_and_its_rates_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, asked = World(), below_the_floor(monkeypatch, times=1)

    world.walk()

    assert asked == ["one", "one", "two"]
    assert world.serves(NEW)
    assert [floor.recorded(m)["energy"].per_s for m in world.machines] == [100, 100]
    assert "one: energy 100/s; two: energy 100/s" in world.verdict()["steps"][0]["detail"]


def test_a_release_below_the_floor_while_users_kept_the_host_busy_is_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, asked = World(), below_the_floor(monkeypatch, times=9, error=floor.TooBusy)

    with pytest.raises(Refused, match=": inconclusive: one: floor: "):
        world.walk()

    assert asked == ["one"]
    assert world.is_untouched()
