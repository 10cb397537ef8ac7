"""The walk over entries and the hosts behind them: who moves when, and what a dead host does."""

import pytest
from harness.stand_ins import Trial
from harness.walks import NEW, OLD, World

from infra.connection import HostError
from infra.provider import live
from infra.provider.outcome import StepFailed, Unsure
from infra.provider.resource import Refused

NAMES = ("one", "two", "three", "four")


def fleet(canary: tuple[float, ...] = (5, 50)) -> World:
    """Two entries, and two hosts behind them."""
    return World(*NAMES, entries=2, canary=canary)


def moves(world: World) -> list[str]:
    """What was made live, and which shares were set, in order."""
    return [line for line in world.fleet.log if ": live" in line or ": canary" in line]


def test_entries_are_promoted_last_one_after_another() -> None:
    world = fleet(canary=())

    world.walk()

    assert moves(world) == [f"{name}: live b" for name in ("three", "four", "one", "two")]
    assert world.fleet.faults == []
    assert world.fleet.fewest == 8


def test_only_entries_hold_a_share_and_the_candidate_never_has_more_of_the_users(
    trial: Trial,
) -> None:
    world = fleet()
    world.fleet.may_have = lambda release, share: release == OLD or share <= trial.allowed

    world.walk()

    assert world.serves(NEW)
    assert world.fleet.faults == []
    assert trial.shares == [5, 50]
    assert moves(world)[:4] == [f"{n}: canary {p}" for p in (500, 5000) for n in ("one", "two")]
    assert not any(line.startswith(("three: canary", "four: canary")) for line in moves(world))
    assert world.steps() == ["ready", "gate", "canary", "canary", "promote", "drain"]


@pytest.mark.parametrize(
    ("error", "verdict"), [(StepFailed("p95: worse"), "fail"), (Unsure("few"), "inconclusive")]
)
def test_a_canary_that_does_not_pass_is_put_back_entries_first(
    error: Exception, verdict: str, trial: Trial
) -> None:
    world = fleet()
    trial.ends = {5: error}

    with pytest.raises(Refused, match=rf": {verdict}: .*{OLD} stays live"):
        world.walk()

    assert world.is_untouched()
    assert world.fleet.faults == []
    assert trial.shares == [5]
    back = {world.fleet.log.index(f"{name}: canary 0") for name in ("one", "two")}
    ended = [i for i, line in enumerate(world.fleet.log) if f"{NEW}-1 ended" in line]
    assert len(ended) == 4
    assert max(back) < min(ended)
    assert world.verdict()["verdict"] == verdict
    assert world.steps() == ["ready", "gate", "canary", "put back"]


def test_ctrl_c_in_the_canary_puts_back(trial: Trial) -> None:
    world = fleet()
    trial.meanwhile = world.console.stopped.set

    with pytest.raises(Refused, match=": inconclusive: interrupted"):
        world.walk()

    assert world.is_untouched()
    assert world.fleet.faults == []


def test_a_walker_that_lost_its_lock_in_the_canary_changes_nothing_more(trial: Trial) -> None:
    world = fleet()

    def taken() -> None:
        world.lock.ours = False

    trial.meanwhile = taken

    with pytest.raises(Refused, match="another walk has taken the lock"):
        world.walk()

    assert [e.share for e in world.fleet.entries] == [0.05, 0.05]
    assert world.releases() == [{OLD, NEW}] * 4


def test_an_entry_that_refuses_the_promotion_takes_the_others_back() -> None:
    world = fleet()
    world["two"].refuses = "b"

    with pytest.raises(Refused, match=": inconclusive: two: the edge is gone"):
        world.walk()

    assert world.is_untouched()
    assert world.fleet.faults == []
    assert [line for line in world.fleet.log if "one: live" in line] == [
        "one: live b",
        "one: live a",
    ]


def test_a_host_that_an_entry_cannot_reach_makes_the_walk_inconclusive_before_any_user(
    monkeypatch: pytest.MonkeyPatch, trial: Trial
) -> None:
    monkeypatch.setattr("infra.provider.replicas.EDGE_SEES_TIMEOUT_S", 0.02)
    world = fleet()
    world["two"].unseen = {"four"}

    with pytest.raises(Refused, match=r"inconclusive: two: .*does not see the release on four \("):
        world.walk()

    assert trial.shares == []
    assert world.steps() == ["ready", "put back"]


def test_a_host_that_was_emptied_by_hand_gets_the_candidate_too() -> None:
    world = fleet()
    world["four"].files.clear()
    world.configure(world["four"])
    world["four"].there.clear()
    world["four"].map |= {"live": "none", "release_a": "none"}

    world.walk()

    assert world.serves(NEW)
    assert world.fleet.faults == []


# -- a host that dies --------------------------------------------------------------------------


def every_death(name: str) -> list[int]:
    """The effects of a walk at which a host could die, by their numbers."""
    world = fleet()
    world.walk()
    return list(range(1, world.fleet.life.spent + 1))


def told(world: World) -> str:
    """How a walk ends, in words; empty: well."""
    try:
        world.walk()
    except (Refused, HostError) as e:
        return str(e)
    return ""


@pytest.mark.parametrize("name", ["one", "three"], ids=["entry", "host"])
def test_a_host_that_dies_in_any_step_is_named_and_live_has_all_the_others_users(
    name: str,
) -> None:
    verdicts = []
    for point in every_death(name):
        world = fleet()
        world.fleet.dies = (name, point)
        said = told(world)
        if not world[name].dead:
            continue  # that effect was on another host
        assert f"{name}: does not answer" in said
        verdicts.append(world.verdict()["verdict"])
        others = [m for m in world.machines if not m.dead]
        kept = NEW if verdicts[-1] == "pass" else OLD
        assert {now.release for m in others if (now := live.read(m))} == {kept}
        assert all(
            {c.labels["bentofleet.release"] for _, c in e.routes(e.map["live"])} == {kept}
            and e.share == 0
            for e in world.fleet.entries
            if not e.dead
        )
        if kept == OLD:
            assert not any(NEW in line for line in others[0].there)
        assert world.fleet.faults == []

        world[name].reboot()
        world.next_run()
        world.converge()

        assert world.serves(NEW), f"{name} died at effect {point}"

    assert set(verdicts) == {"inconclusive", "pass"}
    assert len(verdicts) > 8


def test_an_entry_that_dies_while_it_is_promoted_comes_back_with_what_its_file_says() -> None:
    world = fleet(canary=())
    written = dies_after_its_record_was_written(world, "two")
    assert written.release == NEW

    world["two"].reboot()

    assert world["two"].map["live"] == "b"
    assert {c.labels["bentofleet.release"] for _, c in world["two"].routes("b")} == {NEW}
    assert {c.labels["bentofleet.release"] for _, c in world["one"].routes("a")} == {OLD}

    world.next_run(OLD)
    world.converge()

    assert world.is_untouched()


def test_a_refused_promotion_never_becomes_live_by_the_entry_that_could_not_be_put_back() -> None:
    world = fleet(canary=())
    dies_after_its_record_was_written(world, "two")
    world["two"].reboot()
    world.next_run(NEW)

    verdict = world.converge()

    assert verdict != ""  # walked anew, and not taken for live already
    assert world.serves(NEW)


def dies_after_its_record_was_written(world: World, name: str) -> live.Live:
    """The walk ends inconclusive; what the entry's file says."""
    machine, write = world[name], live.write

    def written(to: object, now: live.Live | None) -> None:
        write(to, now)  # type: ignore[arg-type]
        if to is machine and now is not None and now.release == NEW:
            machine.dead = True

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(live, "write", written)
        with pytest.raises(Refused, match=rf"inconclusive: {name}: does not answer"):
            world.walk()
    now = live.parse(machine.files[str(machine.paths.live_map)])
    assert now is not None
    return now
