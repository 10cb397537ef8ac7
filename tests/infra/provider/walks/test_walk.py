"""The walk's decisions on two hosts: what it promotes, and what leaves live as it was."""

import json
from typing import Any

import pytest
from harness.memory import MemoryMachine
from harness.walks import FIGURES, NEW, OLD, World

from infra.commands.rates import Rate
from infra.provider import floor, gate, live
from infra.provider.resource import Refused
from infra.provider.states import State


def test_a_good_release_is_live_everywhere_and_the_old_one_ends() -> None:
    world = World(parallel=2)

    walk = world.walk()

    assert world.serves(NEW)
    assert [m.map["live"] for m in world.machines] == ["b", "b"]
    assert world.fleet.faults == []
    assert world.verdict()["verdict"] == "pass"
    assert world.steps() == ["ready", "gate", "promote", "drain"]
    assert walk.course.now is State.PASS


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
    world = World("one", "two", "three", parallel=2)
    for name in ("two", "three"):
        world[name].faults.add("never ready")

    with pytest.raises(Refused) as refused:
        world.walk()

    assert "two: bentofleet-demo-" in str(refused.value)
    assert "three: bentofleet-demo-" in str(refused.value)
    assert world.verdict()["verdict"] == "fail"
    assert world.is_untouched()


def test_a_first_release_takes_the_first_slot_and_has_no_canary() -> None:
    world = World(was=None, canary=(5, 50))

    world.walk()

    assert [m.map["live"] for m in world.machines] == ["a", "a"]
    assert world.serves(NEW)
    assert world.steps() == ["ready", "gate", "promote", "drain"]


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("does not start", "one: bentofleet-demo-new000000000-1 does not start"),
        ("never ready", "golden answer 3 differs"),
    ],
)
def test_a_release_that_does_not_get_ready_fails_at_the_first_host(fault: str, words: str) -> None:
    world = World()
    world["one"].faults.add(fault)

    with pytest.raises(Refused, match=words):
        world.walk()

    assert world.is_untouched()
    assert not any(line.startswith("two:") and "started" in line for line in world.fleet.log)
    assert world.verdict()["verdict"] == "fail"
    assert world.steps() == ["ready", "put back"]


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
        world["two"].connection.opened += 1  # type: ignore[attr-defined]
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
    assert [m.map["live"] for m in world.machines] == ["a", "a"]
    assert world.verdict()["verdict"] == "inconclusive"
    assert "put back" not in world.steps()


def test_what_breaks_unforeseen_is_put_back_too() -> None:
    world = World()

    def bug(*_: object) -> dict[str, Any]:
        raise ZeroDivisionError

    gate.run = bug  # type: ignore[assignment]

    with pytest.raises(ZeroDivisionError):
        world.walk()

    assert world.is_untouched()
    assert world.verdict()["reasons"] == ["the walk broke off: ZeroDivisionError"]


def test_what_a_refused_candidate_printed_is_kept_beside_the_verdict() -> None:
    world = World()
    world["one"].faults.add("never ready")

    with pytest.raises(Refused):
        world.walk()

    kept = world.record.folder / f"one-bentofleet-demo-{NEW}-1.log"
    assert kept.read_text() == "boom: no such model\n"


def test_a_promotion_is_written_down_on_every_host() -> None:
    world = World()

    world.walk()

    for machine in world.machines:
        text = machine.read(machine.paths.releases / f"{NEW}.json")
        entry = json.loads(text or "")
        assert (entry["verdict"], entry["attempt"]) == ("pass", 1)
        assert entry["image"] == world.plan.image_of(machine.host)
        now = live.read(machine)
        assert now is not None
        assert now.since > "2026-01-01"


def below_the_floor(
    monkeypatch: pytest.MonkeyPatch, times: int, error: type[Exception] = floor.TooSlow
) -> list[str]:
    """The candidate is too slow so many times; the hosts that were measured, in their order."""
    asked: list[str] = []

    def check(machine: MemoryMachine, *_: object) -> floor.Measured:
        asked.append(machine.host.name)
        if len(asked) <= times:
            raise error("one: floor: energy does 1 items/s on its own")
        per_s = {"one": 100.0, "two": 50.0}[machine.host.name]
        return floor.Measured({"energy": Rate("cpu", per_s, None, "1", "1")}, was_busy=False)

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
    assert world.steps() == ["ready", "put back"]


def test_a_release_that_was_slow_once_is_promoted_and_its_rates_are_recorded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, asked = World(), below_the_floor(monkeypatch, times=1)

    world.walk()

    assert asked == ["one", "one", "two"]
    assert world.serves(NEW)
    assert [floor.recorded(m)["energy"].per_s for m in world.machines] == [100, 50]
    assert "one: energy 100/s; two: energy 50/s" in world.verdict()["steps"][0]["detail"]


def test_hosts_get_users_by_the_rates_that_were_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    world, _ = World(), below_the_floor(monkeypatch, times=0)

    world.walk()

    entry = world["one"]
    assert entry.weights == {"r1": 120, "r2": 120, "host:two": 120}
    assert "Weights: one 240, two 120." in world.verdict()["steps"][2]["detail"]


def test_a_release_below_the_floor_while_users_kept_the_host_busy_is_inconclusive(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, asked = World(), below_the_floor(monkeypatch, times=9, error=floor.TooBusy)

    with pytest.raises(Refused, match=": inconclusive: one: floor: "):
        world.walk()

    assert asked == ["one"]
    assert world.is_untouched()
