"""A whole step of a canary, on hosts in memory with simulated users: what passes, what never."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness.canaries import GATE, NEW, OLD, Behaviour, CanaryWorld

from infra.config_analysis import Prometheus, Query
from infra.connection import HostError
from infra.provider import canary, shift
from infra.provider.outcome import StepFailed, Unsure
from infra.provider.promql import Client, NoValue
from loadtests.analysis import NO_CURE, Shift
from loadtests.reasons import find, finding
from service.contract.metrics import REQUEST_DURATION

SAME = Shift(model="energy", compared=24, differ=0, unanswered=0, is_same_version=True)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> CanaryWorld:
    made = CanaryWorld(tmp_path)
    monkeypatch.setattr(canary, "Fill", lambda *_: made.fill)
    monkeypatch.setattr(shift, "compare", lambda *_: (SAME,))
    return made


def step(world: CanaryWorld, index: int = 0) -> str:
    return canary.run(
        world.plan,
        world.entries,
        world.machines,
        "b",
        "a",
        index,
        world.record,  # type: ignore[arg-type]
        world.console,  # type: ignore[arg-type]
        world.go_on,
        world.clock,  # type: ignore[arg-type]
    )


def unsure(world: CanaryWorld, index: int = 0) -> set[str]:
    """The kinds of reasons for which a step is inconclusive; it is kept as such."""
    with pytest.raises(Unsure) as raised:
        step(world, index)
    assert world.record.steps[-1].result == "inconclusive"
    return kinds_of(raised.value)


def failed(world: CanaryWorld, index: int = 0) -> set[str]:
    """The same where it fails."""
    with pytest.raises(StepFailed) as raised:
        step(world, index)
    assert world.record.steps[-1].result == "fail"
    return kinds_of(raised.value)


def kinds_of(error: Exception) -> set[str]:
    found = {(told := find(str(reason))) and told.kind for reason in error.args}
    assert None not in found, error.args
    return {str(kind) for kind in found}


# -- what passes --------------------------------------------------------------------------------


def test_a_candidate_as_good_as_live_passes_at_each_weight(world: CanaryWorld) -> None:
    first, second = step(world, 0), step(world, 1)

    assert first.startswith("5.0% of the users: ")
    assert second.startswith("50.0% of the users: ")
    assert [s.result for s in world.record.steps] == ["pass", "pass"]
    assert [s.weight_percent for s in world.record.steps] == [5, 50]
    five, fifty = world.record.steps
    assert five.candidate.requests >= 100
    assert abs((five.achieved_share or 0) - 0.05) < 0.001
    assert abs((fifty.achieved_share or 0) - 0.5) < 0.001
    assert five.candidate.errors == five.live.errors == 0
    assert five.gate_share == 0
    assert [c.name for c in fifty.checks] == [
        "error_ratio",
        "p95_ratio",
        "p95_ratio:energy",
        "p95_ratio:octagon",
        "refusals",
    ]
    assert [c.name for c in five.checks] == [
        "error_ratio",
        "p95_ratio",
        "refusals",
        "answer_shift:energy",
    ]
    assert all(c.ok for c in five.checks)
    assert world.fill.wanted == []
    assert world.entries[0].map["canary"] == "5000"  # the walk goes on from there


def test_each_look_gives_a_point_of_the_timeline(world: CanaryWorld) -> None:
    step(world)

    points = world.record.points
    assert len(points) > 20
    assert {p.weight_percent for p in points} == {5}
    middle = points[5]
    assert 18 < middle.live_rps < 20
    assert 0.3 < middle.candidate_rps < 2
    assert middle.live_error_ratio == 0
    assert middle.live_p95_ms is not None


def test_the_hold_is_kept_however_many_samples_there_are(world: CanaryWorld) -> None:
    world.users.per_minute = 6_000
    step(world)
    assert 65 <= world.clock.now_s() < 65 + 2 * canary.POLL_S


def test_more_time_is_taken_until_the_samples_are_there(world: CanaryWorld) -> None:
    step(world)
    assert 100 < world.clock.now_s() < 120  # 100 at one a second, after five seconds


def test_several_entries_are_set_one_after_another_and_counted_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = CanaryWorld(tmp_path, hosts=3, entries=2)
    monkeypatch.setattr(shift, "compare", lambda *_: ())
    told = step(world)
    assert told.startswith("5.")
    assert [m.map["canary"] for m in world.machines] == ["500", "500", "0"]
    assert world.record.steps[0].candidate.requests >= 100


def test_users_that_err_and_live_that_is_slow_too_are_no_fault_of_the_candidate(
    world: CanaryWorld,
) -> None:
    for side in (world.live, world.candidate):
        side.refuses, side.slow_s = 10, 0.05
    step(world)
    assert world.record.steps[0].result == "pass"


# -- low traffic --------------------------------------------------------------------------------


@pytest.mark.parametrize("per_minute", [0, 2, 30, 120])
def test_low_traffic_reaches_a_verdict_with_the_gates_own_requests(
    world: CanaryWorld, per_minute: float
) -> None:
    world.users.per_minute = per_minute

    told = [step(world, 0), step(world, 1)]

    assert "filled up" in told[0]
    assert world.clock.now_s() < 2 * 240
    five, fifty = world.record.steps
    assert five.candidate.requests >= 100
    assert fifty.candidate.requests >= 100
    assert any("filled up" in note for note in five.notes)
    assert five.gate_share is not None
    assert five.gate_share > 0.9
    most = 1.5 * world.plan.slo.min_rps
    assert all(d.rate_rps + per_minute / 60 <= most + 0.2 for d in world.fill.wanted)
    assert len(world.fill.wanted) == (2 if per_minute <= 30 else 1)


def test_users_who_go_away_in_the_middle_are_filled_up_then(world: CanaryWorld) -> None:
    world.clock.at(30, lambda: setattr(world.users, "per_minute", 2.0))
    step(world)
    assert 1 <= len(world.fill.wanted) <= 2  # it was not known at once how many had gone


def test_what_fills_up_is_ended_where_the_candidate_fails(world: CanaryWorld) -> None:
    world.users.per_minute = 2
    world.clock.at(40, lambda: setattr(world.candidate, "fails", 2))
    assert failed(world) == {"canary_errors"}
    assert world.fill.was_stopped


def test_a_pass_waits_for_the_load_generators_own_figures(world: CanaryWorld) -> None:
    """It must not be promoted before it is known that the generator was fit."""
    world.users.per_minute = 2
    world.clock.at(40, lambda: setattr(world.users, "per_minute", 6_000))
    world.fill.finds = (finding("canary_fill_cpu", got=95, limit=80),)
    assert unsure(world) == {"canary_fill_cpu"}


# -- what fails ---------------------------------------------------------------------------------

FAILS: dict[str, tuple[str, Callable[[CanaryWorld], None]]] = {
    "answers 500": ("canary_errors", lambda w: setattr(w.candidate, "fails", 1)),
    "answers 500 now and then": ("canary_errors", lambda w: setattr(w.candidate, "fails", 50)),
    "is slow": ("canary_p95", lambda w: setattr(w.candidate, "slow_s", 0.5)),
    "refuses users": ("canary_refusals", lambda w: setattr(w.candidate, "refuses", 5)),
    "is gone": ("canary_down", lambda w: setattr(w.candidate, "is_up", False)),
}


@pytest.mark.parametrize("index", [0, 1])
@pytest.mark.parametrize(("kind", "make"), FAILS.values(), ids=FAILS)
def test_a_worse_candidate_fails_before_its_hold_is_over(
    world: CanaryWorld, kind: str, make: Callable[[CanaryWorld], None], index: int
) -> None:
    make(world)
    assert failed(world, index) & {kind, "canary_errors"}
    assert world.clock.now_s() <= 65


@pytest.mark.parametrize(("kind", "make"), FAILS.values(), ids=FAILS)
def test_so_does_one_that_becomes_worse_under_way(
    world: CanaryWorld, kind: str, make: Callable[[CanaryWorld], None]
) -> None:
    world.clock.at(70, lambda: make(world))
    assert failed(world) & {kind, "canary_errors"}


def test_a_candidate_that_users_fall_back_from_fails_by_their_number(world: CanaryWorld) -> None:
    world.clock.at(20, lambda: setattr(world.candidate, "is_up", False))
    assert failed(world) <= {"canary_errors", "canary_down"}
    assert world.record.steps[0].candidate.errors > 2


def test_other_answers_fail_before_any_user_is_asked(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "compare", lambda *_: (replace(SAME, differ=1),))
    assert failed(world) == {"canary_shift"}
    assert world.entries[0].map["canary"] == "0"


def test_another_version_of_a_model_is_told_and_passes(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = replace(SAME, differ=20, is_same_version=False)
    monkeypatch.setattr(shift, "compare", lambda *_: (other,))
    step(world)
    assert any("20 of 24 answers differ" in note for note in world.record.steps[0].notes)


# -- what says nothing of the candidate, and never promotes --------------------------------------


def restart(side: str) -> Callable[[CanaryWorld], None]:
    def happen(world: CanaryWorld) -> None:
        world.machines[1].replicas[side, 2].started += 50

    return happen


def crash(side: str) -> Callable[[CanaryWorld], None]:
    """Started again, and its page does not tell when: the counters do."""
    return lambda world: world.machines[1].replicas[side, 2].forget()


def page(side: str, change: Callable[[str], str]) -> Callable[[CanaryWorld], None]:
    def happen(world: CanaryWorld) -> None:
        world.machines[1].spoil_page = lambda s, n, text: (
            change(text) if (s, n) == (side, 1) else text
        )

    return happen


def servers(change: Callable[[Any], Any]) -> Callable[[CanaryWorld], None]:
    """Changes what the first entry's edge tells; None leaves a server out."""

    def happen(world: CanaryWorld) -> None:
        world.entries[0].spoil_servers = lambda told: [
            changed for server in told if (changed := change(server)) is not None
        ]

    return happen


def without_histogram(text: str) -> str:
    return "\n".join(line for line in text.splitlines() if REQUEST_DURATION.name not in line)


def set_on(entry: int, key: str, value: str) -> Callable[[CanaryWorld], None]:
    return lambda world: world.entries[entry].map.__setitem__(key, value)


def fill_that(kind: str, **values: Any) -> Callable[[CanaryWorld], None]:
    def happen(world: CanaryWorld) -> None:
        world.users.per_minute = 2
        world.fill.finds = (finding(kind, **values),)

    return happen


def weak_fill(world: CanaryWorld) -> None:
    world.users.per_minute = 2
    world.fill.delivers = 0.01


def slow_live(world: CanaryWorld) -> None:
    world.users.per_minute = 2
    world.live.slow_s = world.candidate.slow_s = 0.4


def both_sick(world: CanaryWorld) -> None:
    world.live.fails = world.candidate.fails = 10


def nobody_comes(world: CanaryWorld) -> None:
    world.users.per_minute = 0
    world.fill.delivers = 0.0


INCONCLUSIVE: dict[str, tuple[str, Callable[[CanaryWorld], Any]]] = {
    "too few samples, though it was filled up": ("canary_few", weak_fill),
    "users go away, and what fills up brings nothing": ("canary_few", nobody_comes),
    "what fills up did not run": (
        "canary_fill_failed",
        fill_that("canary_fill_failed", why="gate: no such port"),
    ),
    "load generator short of CPU": (
        "canary_fill_cpu",
        fill_that("canary_fill_cpu", got=97, limit=80),
    ),
    "load generator that offers too little": (
        "canary_fill_offered",
        fill_that("canary_fill_offered", got=3.0, asked=30.0),
    ),
    "load generator that is late": (
        "canary_fill_lag",
        fill_that("canary_fill_lag", got=80.0, limit=50.0),
    ),
    "requests that fill up without an answer": (
        "canary_fill_unanswered",
        fill_that("canary_fill_unanswered", got=90, asked=900),
    ),
    "the line was cut while it was filled up": (
        "canary_fill_line",
        fill_that("canary_fill_line", host="h1"),
    ),
    "live gets too slow beside what fills up": ("canary_fill_overload", slow_live),
    "counters are missing at an entry": (
        "canary_counters_missing",
        servers(lambda s: replace(s, is_counted=False) if s.group == "users" else s),
    ),
    "an entry knows no server of live": (
        "canary_counters_missing",
        servers(lambda s: None if (s.group, s.slot) == ("users", "a") else s),
    ),
    "an entry does not count the candidate's share": (
        "canary_counters_missing",
        servers(lambda s: replace(s, is_counted=False) if s.group == "canary" else s),
    ),
    "an edge was restarted": ("canary_weight_lost", lambda w: w.entries[0].restart_edge()),
    "counters went backwards": ("canary_counters_back", lambda w: w.entries[0].counted.clear()),
    "an entry lost its weight": ("canary_weight_lost", set_on(0, "canary", "0")),
    "an entry has another weight": ("canary_weight_lost", set_on(0, "canary", "9000")),
    "an entry sends users to another slot": ("canary_weight_lost", set_on(0, "live", "b")),
    "an entry was told of another candidate": (
        "canary_weight_lost",
        set_on(0, "release_b", "fedcba543210"),
    ),
    "a replica of the candidate tells no metrics": (
        "canary_metrics_missing",
        lambda w: setattr(w.machines[1].replicas["candidate", 1], "is_there", False),
    ),
    "a replica of live tells no metrics": (
        "canary_metrics_missing",
        lambda w: setattr(w.machines[0].replicas["live", 2], "is_there", False),
    ),
    "a page without a release": ("canary_metrics_missing", page("live", lambda _: "x 1\n")),
    "a histogram is missing": ("canary_histogram_missing", page("candidate", without_histogram)),
    "a replica is of another release": (
        "canary_other_release",
        page("candidate", lambda text: text.replace(NEW, OLD)),
    ),
    "a replica of the candidate was restarted": ("canary_restarted", restart("candidate")),
    "a replica of live was restarted": ("canary_restarted", restart("live")),
    "a replica's counters began anew": ("canary_restarted", crash("candidate")),
    "no replica of live is up": ("canary_live_down", lambda w: setattr(w.live, "is_up", False)),
    "a host is cut off": ("canary_silent", lambda w: setattr(w.machines[1], "dead", True)),
    "the entry is cut off": ("canary_silent", lambda w: setattr(w.machines[0], "dead", True)),
    "both sides are sick": ("canary_both_sick", both_sick),
}


@pytest.mark.parametrize(("kind", "spoil"), INCONCLUSIVE.values(), ids=INCONCLUSIVE)
def test_what_happens_under_way_makes_it_inconclusive(
    world: CanaryWorld, kind: str, spoil: Callable[[CanaryWorld], Any]
) -> None:
    world.clock.at(20, lambda: spoil(world))
    assert kind in unsure(world)


TOLD_WHEN_IT_BEGINS = {
    name: case
    for name, case in INCONCLUSIVE.items()
    if case[0]
    in {
        "canary_counters_missing",
        "canary_metrics_missing",
        "canary_histogram_missing",
        "canary_other_release",
        "canary_live_down",
        "canary_both_sick",
        "canary_fill_failed",
    }
}


@pytest.mark.parametrize(("kind", "spoil"), TOLD_WHEN_IT_BEGINS.values(), ids=TOLD_WHEN_IT_BEGINS)
@pytest.mark.parametrize("index", [0, 1])
def test_so_does_what_was_wrong_from_the_start(
    world: CanaryWorld, kind: str, spoil: Callable[[CanaryWorld], Any], index: int
) -> None:
    spoil(world)
    assert kind in unsure(world, index)


def test_no_traffic_at_all_is_inconclusive(world: CanaryWorld) -> None:
    nobody_comes(world)
    assert unsure(world) == {"canary_no_requests", "canary_live_few"}
    assert len(world.fill.wanted) > 0


CURED = {
    name: case
    for name, case in INCONCLUSIVE.items()
    if case[0] in {"canary_metrics_missing", "canary_counters_missing", "canary_silent"}
}


@pytest.mark.parametrize(("kind", "spoil"), CURED.values(), ids=CURED)
def test_what_is_well_again_in_time_passes(
    world: CanaryWorld, kind: str, spoil: Callable[[CanaryWorld], Any]
) -> None:
    """One look that fails is no verdict: the counters go on, and nothing was lost."""

    def mend() -> None:
        for machine in world.machines:
            machine.dead = False
            machine.spoil_page = lambda side, number, text: text
            machine.spoil_servers = lambda told: told
            for replica in machine.replicas.values():
                replica.is_there = True

    assert kind not in NO_CURE
    world.clock.at(20, lambda: spoil(world))
    world.clock.at(50, mend)
    step(world)
    assert world.record.steps[0].result == "pass"


def test_a_candidate_that_is_slower_perhaps_by_chance_is_held_and_not_promoted(
    world: CanaryWorld,
) -> None:
    """Seven of a hundred answers are slow: too many for chance only when there are enough."""
    world.users.per_minute = 2
    for machine in world.machines:
        for (side, _), replica in machine.replicas.items():
            if side == "candidate":
                replica.slowness = lambda count: 0.3 if count % 15 == 0 else 0.0
    with pytest.raises((Unsure, StepFailed)) as raised:
        step(world)
    assert kinds_of(raised.value) & {"canary_p95_unsure", "canary_p95", "canary_p95_model"}
    assert len(world.fill.wanted) > 1


def test_a_host_without_a_record_of_live_stops_it_before_it_begins(world: CanaryWorld) -> None:
    world.entries[0].record = None
    with pytest.raises(Unsure, match="what is live there is not known"):
        step(world)
    assert world.entries[0].map["canary"] == "0"


def test_an_entry_that_does_not_take_the_share_is_told(world: CanaryWorld) -> None:
    world.entries[0].edge_command = (  # type: ignore[method-assign]
        lambda command: "0x1 canary 0\n" if command.startswith("show") else ""
    )
    with pytest.raises(HostError, match="did not take the candidate's share"):
        step(world)
    assert world.record.steps[-1].result == "inconclusive"


def test_answers_that_cannot_be_compared_stop_it_before_any_user_is_asked(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shift, "compare", lambda *_: (replace(SAME, compared=20, unanswered=4),))
    assert unsure(world) == {"canary_shift_unanswered"}
    assert world.entries[0].map["canary"] == "0"


def test_answers_are_compared_once_and_not_at_each_weight(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.setattr(shift, "compare", lambda *given: asked.append(given) or ())
    step(world, 0)
    step(world, 1)
    assert len(asked) == 1


# -- who may stop it ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", [Unsure("interrupted"), HostError("h2: does not answer.")])
@pytest.mark.parametrize("moment_s", [0, 3, 30, 90])
def test_a_walk_that_may_not_go_on_ends_at_once_and_keeps_what_it_saw(
    world: CanaryWorld, error: Exception, moment_s: float
) -> None:
    def refuse() -> None:
        if world.clock.now_s() >= moment_s:
            raise error

    world.go_on = refuse  # type: ignore[method-assign]
    with pytest.raises(type(error)):
        step(world)
    assert [s.result for s in world.record.steps] == ["inconclusive"]
    assert world.clock.now_s() <= moment_s + canary.POLL_S


def test_it_asks_all_the_time_whether_it_may_go_on(world: CanaryWorld) -> None:
    step(world)
    assert world.went_on >= world.clock.now_s() / canary.POLL_S


# -- queries ------------------------------------------------------------------------------------


def watched(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch, value: Callable[[str], float]
) -> list[float]:
    """Lets one query be asked, which gives `value` of its text; when it was asked."""
    asked: list[float] = []

    def answer(self: Client, name: str, side: str, text: str) -> float:
        if text == "vector(1)":
            return 1.0
        asked.append(world.clock.now_s())
        return value(text)

    monkeypatch.setattr(Client, "value", answer)
    world.change(
        prometheus=Prometheus(url="http://127.0.0.1:1"),
        queries=(Query(name="orders", query='o{release="{release}"}', ratio_to_live_at_least=0.9),),
    )
    return asked


def test_a_query_that_holds_passes_and_has_its_row(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = watched(world, monkeypatch, lambda text: 10.0 if OLD in text else 9.5)
    step(world)
    row = world.record.steps[0].checks[-1]
    assert (row.name, row.limit, row.measured, row.ok) == ("query:orders", 9.0, 9.5, True)
    assert len(asked) > 10


def test_a_query_that_goes_on_to_miss_fails_before_the_hold_is_over(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    watched(world, monkeypatch, lambda text: 10.0 if OLD in text else 5.0)
    assert failed(world) == {"canary_query_below"}
    assert world.clock.now_s() < 60


def test_a_query_that_misses_for_a_moment_passes(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def value(text: str) -> float:
        return 10.0 if OLD in text or world.clock.now_s() > 30 else 5.0

    watched(world, monkeypatch, value)
    step(world)
    assert world.record.steps[0].result == "pass"


QUERY_FAULTS = {
    "canary_prometheus_silent": {"url": "http://p", "why": "timed out"},
    "canary_query_refused": {"name": "orders", "why": "parse error"},
    "canary_query_empty": {"name": "orders", "side": "candidate"},
    "canary_query_many": {"name": "orders", "side": "live", "got": 2},
    "canary_query_nan": {"name": "orders", "side": "live", "got": "NaN"},
    "canary_query_kind": {"name": "orders", "side": "live", "got": "matrix"},
    "canary_query_negative": {"name": "orders", "got": -1},
    "canary_token_file": {"path": "token", "why": "others may read it"},
}


@pytest.mark.parametrize("kind", QUERY_FAULTS)
def test_a_query_without_a_number_is_inconclusive(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    def nothing(_: str) -> float:
        raise NoValue(finding(kind, **QUERY_FAULTS[kind]))

    watched(world, monkeypatch, nothing)
    assert unsure(world) == {kind}


def test_a_prometheus_that_is_silent_from_the_start_costs_no_user_anything(
    world: CanaryWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody(*_: object) -> float:
        raise NoValue(finding("canary_prometheus_silent", url="http://p", why="refused"))

    watched(world, monkeypatch, lambda _: 1.0)
    monkeypatch.setattr(Client, "value", nobody)
    assert unsure(world) == {"canary_prometheus_silent"}
    assert world.entries[0].map["canary"] == "0"


# -- in the plan's language ---------------------------------------------------------------------


def test_notes_and_words_are_in_the_plans_language(world: CanaryWorld) -> None:
    world.change(language="es", models={"energy": "1", "octagon": "1", "wildlife": "1"})
    world.users.per_minute = 2
    told = step(world)
    assert "de los usuarios" in told
    assert any("wildlife" in note for note in world.record.steps[0].notes)
    assert all("completaron" in n or "Muy pocas" in n for n in world.record.steps[0].notes)


def test_what_a_step_leaves_is_the_traffic_of_both_kinds(world: CanaryWorld) -> None:
    world.users.per_minute = 2
    step(world)
    page = world.machines[0].replicas["candidate", 1].page()
    assert f'traffic="{GATE}"' in page
    assert Behaviour() == world.candidate
