"""The states of a walk: one way in, three ways out, and nothing that is not allowed."""

import pytest

from infra.provider.states import ENDS, TRANSITIONS, UNDONE, Course, State, after


def test_a_walk_with_a_canary_goes_through_every_step() -> None:
    course = Course()
    steps = (
        State.READY,
        State.GATE,
        State.CANARY,
        State.CANARY,
        State.PROMOTE,
        State.DRAIN,
        State.PASS,
    )

    for state in steps:
        course.enter(state)

    assert course.taken == (State.LIVE, *steps)


@pytest.mark.parametrize(
    ("taken", "state"),
    [
        ((), State.PROMOTE),
        ((), State.GATE),
        ((State.READY,), State.CANARY),
        ((State.READY, State.GATE), State.DRAIN),
        ((State.READY, State.PUT_BACK), State.PROMOTE),
        ((State.READY, State.PROMOTE, State.DRAIN), State.PUT_BACK),
        ((State.READY, State.PROMOTE), State.PASS),
        ((State.READY,), State.FAIL),
    ],
)
def test_no_way_leads_past_a_step_or_back_from_what_is_live(
    taken: tuple[State, ...], state: State
) -> None:
    course = Course()
    for each in taken:
        course.enter(each)

    with pytest.raises(ValueError, match=f"no way leads from {course.now} to {state}"):
        course.enter(state)


def test_every_state_is_reached_and_leads_to_a_verdict() -> None:
    assert {t.target for t in TRANSITIONS} == set(State) - {State.LIVE}
    assert all(after(state) == () for state in ENDS)
    reached = set(ENDS)
    for _ in State:
        reached |= {t.source for t in TRANSITIONS if t.target in reached}
    assert reached == set(State)


def test_a_pass_comes_by_promotion_alone_and_each_step_before_can_be_undone() -> None:
    assert [t.source for t in TRANSITIONS if t.target is State.PASS] == [State.DRAIN]
    assert [t.source for t in TRANSITIONS if t.target is State.DRAIN] == [State.PROMOTE]
    assert {t.source for t in TRANSITIONS if t.target is State.PUT_BACK} == set(UNDONE)
    assert State.DRAIN not in UNDONE
