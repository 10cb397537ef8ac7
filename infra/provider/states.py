"""The states of a walk and the ways between them: what the walk keeps to, and what docs draw."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """Where a walk is; the steps' values are their names in a verdict."""

    LIVE = "live"
    """What was live before has all the traffic, or nothing is live: where each walk begins."""

    READY = "ready"
    GATE = "gate"
    CANARY = "canary"
    PROMOTE = "promote"
    DRAIN = "drain"
    PUT_BACK = "put back"

    PASS = "pass"  # noqa: S105 - a verdict
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True)
class Transition:
    """One way from a state to another, and when it is taken."""

    source: State
    target: State
    when: str


ENDS = (State.PASS, State.FAIL, State.INCONCLUSIVE)
"""The verdicts: nothing follows them."""

UNDONE = (State.READY, State.GATE, State.CANARY, State.PROMOTE)
"""Steps that are undone when they do not pass; what comes after them is live."""

_NOT_PASSED = "not passed, or broken off"
_LOST = "another walk has the lock: the hosts are its own"

TRANSITIONS = (
    Transition(State.LIVE, State.READY, "a release that is not live"),
    Transition(State.READY, State.GATE, "golden answers, device and floor on every host"),
    Transition(State.READY, State.PROMOTE, "joins the live release, or goes back to a kept one"),
    Transition(State.GATE, State.CANARY, "SLOs met, and a release is live"),
    Transition(State.GATE, State.PROMOTE, "SLOs met; nothing is live, or no canary is asked for"),
    Transition(State.CANARY, State.CANARY, "no worse than live: the next weight"),
    Transition(State.CANARY, State.PROMOTE, "no worse than live at the last weight"),
    Transition(State.PROMOTE, State.DRAIN, "every entry gives it all the traffic"),
    Transition(State.DRAIN, State.PASS, "the old release has ended"),
    *(Transition(state, State.PUT_BACK, _NOT_PASSED) for state in UNDONE),
    *(Transition(state, State.INCONCLUSIVE, _LOST) for state in UNDONE),
    Transition(State.PUT_BACK, State.FAIL, "the candidate was not good enough"),
    Transition(State.PUT_BACK, State.INCONCLUSIVE, "nothing can be said of the candidate"),
)


class Course:
    """The states that one walk goes through, each by a way that is allowed."""

    def __init__(self) -> None:
        self._taken = [State.LIVE]

    @property
    def now(self) -> State:
        """Where the walk is."""
        return self._taken[-1]

    @property
    def taken(self) -> Sequence[State]:
        """Every state so far, in order."""
        return tuple(self._taken)

    def enter(self, state: State) -> None:
        """Goes on to `state`.

        Raises:
            ValueError: no way leads there from where the walk is.
        """
        if state not in after(self.now):
            msg = f"walk: no way leads from {self.now} to {state}."
            raise ValueError(msg)
        self._taken.append(state)


def after(state: State) -> tuple[State, ...]:
    """The states that may follow one."""
    return tuple(t.target for t in TRANSITIONS if t.source is state)
