"""What part of the users' requests each host gets."""

import pytest

from infra.commands import weights

FAST = {"energy": 1000.0, "wildlife": 40.0}
HALF = {"energy": 500.0, "wildlife": 20.0}


@pytest.mark.parametrize(
    ("rates", "expected"),
    [
        ({"a": FAST}, {"a": 240}),
        ({"a": FAST, "b": HALF}, {"a": 240, "b": 120}),
        ({"a": FAST, "b": {"energy": 500.0, "wildlife": 40.0}}, {"a": 240, "b": 231}),
        ({"a": FAST, "b": HALF, "new": {}}, {"a": 240, "b": 120, "new": 180}),
        ({"a": {}, "b": {}}, {"a": 240, "b": 240}),
        ({"a": FAST, "b": {"energy": 0.001, "wildlife": 0.001}}, {"a": 240, "b": 1}),
        ({"a": FAST, "b": {"energy": 250.0}}, {"a": 240, "b": 60}),
        ({"a": {"energy": 9.0}, "b": {"octagon": 1.0}}, {"a": 240, "b": 240}),
        ({"a": {"energy": 0.0}, "b": {"energy": 0.0}}, {"a": 240, "b": 240}),
        ({}, {}),
    ],
    ids=[
        "one host",
        "half as fast",
        "what is slow counts most",
        "a new host is as good as the middle",
        "nobody has shown anything",
        "nobody is left out",
        "a model that one lacks does not count",
        "no model that all have",
        "rates of nothing",
        "no host",
    ],
)
def test_hosts_get_what_they_can_do(
    rates: dict[str, dict[str, float]], expected: dict[str, int]
) -> None:
    assert weights.shares(rates) == expected


@pytest.mark.parametrize(
    ("weight", "replicas", "expected"), [(240, 2, 120), (240, 7, 34), (3, 16, 1), (0, 2, 0)]
)
def test_a_host_shares_its_weight_among_its_replicas(
    weight: int, replicas: int, expected: int
) -> None:
    assert weights.of_own_replicas(weight, replicas) == expected


def test_what_is_written_is_read_back() -> None:
    given = {"lab-2": 0, "lab-1": 240}

    assert weights.from_json(weights.to_json(given)) == given


@pytest.mark.parametrize(
    "content", [None, "", "{", "[]", '{"a": true}', '{"a": 241}', '{"a": -1}', '{"a": "7"}']
)
def test_damage_is_no_weight(content: str | None) -> None:
    assert weights.from_json(content) == {}
