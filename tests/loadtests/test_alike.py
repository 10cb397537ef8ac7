"""When two answers say the same."""

import math

import pytest

from loadtests.alike import is_alike, own_fields


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.0009),
        (-2.0, -2.001),
        ("cat", "cat"),
        ([1, {"a": 2.0}], [1, {"a": 2.0005}]),
        (None, None),
        (True, True),
    ],
)
def test_numbers_within_the_tolerance_are_alike(one: object, other: object) -> None:
    assert is_alike(one, other, 0.001 + 1e-9)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (1, 1.1),
        (1, math.nan),
        (1, math.inf),
        (1, "1"),
        (1, True),
        (True, False),
        ("cat", "dog"),
        ([1], [1, 2]),
        ({"a": 1}, {"b": 1}),
        ({"a": 1}, {"a": 1, "b": 2}),
        (None, 0),
    ],
)
def test_anything_else_is_not(one: object, other: object) -> None:
    assert not is_alike(one, other, 0.001)


def test_what_tells_of_the_release_and_the_moment_is_no_part_of_an_answer() -> None:
    answer = {
        "demand": 3,
        "model": "m",
        "version": "v",
        "release": "r",
        "processing_time_ms": 1.5,
    }
    assert own_fields(answer) == {"demand": 3}
