"""How answers of both sides are compared: what differs, what says nothing, what is not judged."""

from typing import Any

import pytest

from bentos.catalog import MODELS
from infra.provider import shift
from infra.provider.shift import Told
from loadtests.analysis import Shift
from service import contract

SPEC = MODELS["energy"]
REQUESTS = [contract.example_request(SPEC)] * 4


def told(status: int = 200, value: float = 10.0, version: str = "1") -> Told:
    answer = {"power": value, "model": "energy", "version": version, "release": "x"}
    return Told(status, answer if status == 200 else {})


def compared(live: Told, candidate: Told) -> Shift | None:
    def ask(slot: str, request: Any, timeout_s: float) -> Told:
        return {"a": live, "b": candidate}[slot]

    return shift.of_model(SPEC, REQUESTS, "b", "a", ask)


@pytest.mark.parametrize(
    ("live", "candidate", "found"),
    [
        (told(), told(), (4, 0, 0, True)),
        (told(), told(value=10 + SPEC.golden_tolerance / 2), (4, 0, 0, True)),
        (told(), told(value=10 + SPEC.golden_tolerance * 2), (4, 4, 0, True)),
        (told(), told(status=500), (4, 4, 0, True)),
        (told(), told(status=422), (4, 4, 0, True)),
        (told(), told(status=503), (0, 0, 4, True)),
        (told(), told(status=0), (0, 0, 4, True)),
        (told(status=401), told(status=401), (0, 0, 4, True)),
        (told(status=500), told(), (0, 0, 4, True)),
        (told(), told(value=99, version="2"), (4, 4, 0, False)),
    ],
    ids=[
        "same",
        "within the tolerance",
        "beyond it",
        "candidate fails",
        "candidate refuses",
        "candidate is busy",
        "candidate is silent",
        "token refused by both",
        "live fails",
        "another version",
    ],
)
def test_answers_are_compared(
    live: Told, candidate: Told, found: tuple[int, int, int, bool]
) -> None:
    seen = compared(live, candidate)
    assert seen is not None
    assert (seen.compared, seen.differ, seen.unanswered, seen.is_same_version) == found


def test_a_model_that_live_does_not_have_is_left_out() -> None:
    assert compared(told(status=404), told()) is None


def test_a_busy_release_is_asked_once_more() -> None:
    answers = {"a": [told(status=503), told()] * 4, "b": [told()] * 4}
    seen = shift.of_model(SPEC, REQUESTS, "b", "a", lambda slot, *_: answers[slot].pop(0))
    assert seen is not None
    assert (seen.compared, seen.unanswered) == (4, 0)
