"""Which arrangements are measured, and in which order."""

from random import Random

import pytest

from benchmarks import plan
from benchmarks.servers import is_same


def test_a_round_holds_every_load_once_and_under_each_every_arrangement_once():
    names = [a.name for a in plan.ARRANGEMENTS]
    found = list(plan.shuffled(names, plan.LOADS, Random(1)))  # noqa: S311
    assert sorted(each.name for each, _ in found) == sorted(each.name for each in plan.LOADS)
    assert all(sorted(order) == sorted(names) for _, order in found)


def test_rounds_differ_in_their_order():
    rng = Random(1)  # noqa: S311
    orders = [next(plan.shuffled("abcdef", plan.LOADS[:1], rng))[1] for _ in range(5)]
    assert len({tuple(order) for order in orders}) > 1


def test_only_leaves_the_other_rivals_out():
    assert {a.rival for a in plan.chosen(["ours", "fastapi"])} == {"ours", "fastapi"}
    assert plan.chosen([]) == plan.ARRANGEMENTS


def test_an_unknown_rival_is_one_line_that_lists_those_there_are():
    with pytest.raises(ValueError, match=r"^--only: .*ours, fastapi, .*got litserve"):
        plan.chosen(["ours", "litserve"])


def test_every_rival_is_measured_without_and_with_checks():
    for rival in plan.RIVALS[1:]:
        asked = {a.asks != plan.NOTHING for a in plan.ARRANGEMENTS if a.rival == rival}
        assert asked == {True, False}


EXPECTED = {"zone": 37878.43, "top": [{"label": "cat", "probability": 0.9}]}


@pytest.mark.parametrize(
    ("answer", "same"),
    [
        ({**EXPECTED, "model": "energy"}, True),
        ({**EXPECTED, "zone": 37878.44}, True),
        ({**EXPECTED, "zone": 37000.0}, False),
        ({**EXPECTED, "top": [{"label": "dog", "probability": 0.9}]}, False),
        ({**EXPECTED, "top": []}, False),
        ({"zone": 37878.43}, False),
        ([], False),
    ],
    ids=["more fields", "rounding", "a number", "a label", "fewer", "a field less", "no object"],
)
def test_a_server_is_let_in_only_with_the_models_own_answer(answer, same):
    assert is_same(EXPECTED, answer) is same
