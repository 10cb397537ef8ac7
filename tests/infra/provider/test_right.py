"""Whether a walk may go on: asked often, and of every host at most once a second."""

import pytest
from harness.console import KeptConsole

from infra.connection import Unreachable
from infra.provider import right
from infra.provider.outcome import Unsure
from infra.provider.right import Right


class Lock:
    def __init__(self) -> None:
        self.asked = 0
        self.ours = True
        self.silent = ""

    def is_held(self) -> bool:
        self.asked += 1
        if self.silent:
            raise Unreachable(self.silent)
        return self.ours


class Console(KeptConsole):
    answers = True

    def engine_answers(self) -> bool:
        return self.answers


@pytest.fixture
def lock() -> Lock:
    return Lock()


@pytest.fixture
def console() -> Console:
    return Console()


@pytest.fixture
def mine(console: Console, lock: Lock) -> Right:
    return Right(console, lock)  # type: ignore[arg-type]


def test_all_who_wait_share_one_look_and_a_step_has_its_own(mine: Right, lock: Lock) -> None:
    for _ in range(100):
        mine.go_on()
    assert lock.asked == 1

    mine.look()
    assert lock.asked == 2


def test_a_look_counts_for_a_second_at_most(
    mine: Right, lock: Lock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right, "FRESH_S", 0)

    for _ in range(3):
        mine.go_on()

    assert lock.asked == 3


def test_a_lost_lock_stops_everything_that_goes_on(
    mine: Right, lock: Lock, console: Console
) -> None:
    lock.ours = False

    with pytest.raises(Unsure, match="another walk has taken the lock"):
        mine.go_on()

    assert console.stopped.is_set()
    with pytest.raises(Unsure, match="another walk has taken the lock"):
        mine.go_on()
    assert not mine.is_ours()


def test_an_engine_that_is_gone_stops_it(mine: Right, console: Console) -> None:
    console.answers = False

    with pytest.raises(Unsure, match="the Pulumi engine is gone"):
        mine.go_on()


def test_ctrl_c_is_noticed_at_once_whatever_was_looked_at_before(
    mine: Right, console: Console
) -> None:
    mine.go_on()
    console.stopped.set()

    with pytest.raises(Unsure, match="interrupted"):
        mine.go_on()


def test_a_silent_host_is_named_and_its_lock_still_counts_as_ours(mine: Right, lock: Lock) -> None:
    lock.silent = "two: does not answer."

    with pytest.raises(Unreachable, match="two: does not answer"):
        mine.go_on()

    assert mine.is_ours()


def test_what_takes_long_is_ended_by_the_guard(
    mine: Right, lock: Lock, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(right, "HEARTBEAT_S", 0.01)
    monkeypatch.setattr(right, "FRESH_S", 0)
    with mine.guarded():
        lock.ours = False
        assert console.stopped.wait(10)
