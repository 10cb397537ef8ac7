"""What is live on a stack, told from its hosts' records."""

from dataclasses import replace

import pytest

from infra.provider import standing
from infra.provider.live import Live

A = Live(release="aaa", slot="a", replicas=2, since="2026-01-01T00:00:00+00:00", image="x")
B = Live(release="bbb", slot="b", replicas=2, since="2026-01-01T00:00:00.001+00:00", image="x")


@pytest.mark.parametrize(
    ("records", "found"),
    [
        ({"one": A, "two": A}, A),
        ({"one": A, "two": B}, A),
        ({"one": A, "two": None}, A),
        ({"one": None, "two": None}, None),
        ({"one": None, "two": B}, B),
        ({"one": None, "two": B, "three": None}, None),
        ({"one": None, "two": B, "three": A}, None),
        ({"one": None}, None),
    ],
    ids=[
        "all alike",
        "a host ahead of the entry",
        "a new host",
        "nothing anywhere",
        "an entry set up anew",
        "a host that could not be put back",
        "hosts that do not agree",
        "a new stack",
    ],
)
def test_a_stack_with_one_entry(records: dict[str, Live | None], found: Live | None) -> None:
    assert standing.of(records, {"one"}) == found


def test_of_entries_that_differ_the_one_that_was_written_last_counts() -> None:
    assert standing.of({"one": A, "two": B, "three": A}, {"one", "two"}) == B
    assert standing.of({"one": B, "two": A}, {"one", "two"}) == B
    put_back = replace(A, since="2026-01-01T00:00:00.002+00:00")
    assert standing.of({"one": put_back, "two": B}, {"one", "two"}) == put_back


@pytest.mark.parametrize("since", ["", "today", "2025-12-31", "2025-12-31T23:59:59Z"])
def test_a_time_as_an_engine_writes_it_or_none_at_all_is_no_fault(since: str) -> None:
    assert standing.of({"one": replace(B, since=since), "two": A}, {"one", "two"}) == A


def test_a_host_is_level_with_the_same_release_in_the_same_slot() -> None:
    assert standing.is_level(replace(A, since="later", replicas=3, image="y"), A)
    assert not standing.is_level(replace(A, slot="b"), A)
    assert not standing.is_level(replace(A, release="bbb"), A)
    assert not standing.is_level(None, A)
    assert not standing.is_level(A, None)
