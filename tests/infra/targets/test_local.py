"""The hosts of a local stack: which of them users reach, decided once."""

from typing import Any

import pytest

from infra import config
from infra.targets import local


def entry(number: int, **changes: Any) -> dict[str, Any]:
    return {
        "name": f"lab-{number}",
        "address": f"192.0.2.{number}",
        "user": "deploy",
        **changes,
    }


@pytest.mark.parametrize(
    ("hosts", "expected"),
    [
        ([entry(1)], {"lab-1": True}),
        ([entry(1), entry(2)], {"lab-1": True, "lab-2": False}),
        ([entry(1, out=True), entry(2)], {"lab-1": False, "lab-2": True}),
        ([entry(1), entry(2, entry=True)], {"lab-1": False, "lab-2": True}),
        (
            [entry(1, entry=True), entry(2), entry(3, entry=True)],
            {"lab-1": True, "lab-2": False, "lab-3": True},
        ),
        (
            [entry(1, entry=True, out=True), entry(2, entry=True), entry(3)],
            {"lab-1": True, "lab-2": True, "lab-3": False},
        ),
    ],
    ids=[
        "one host",
        "nobody says so",
        "the first is out",
        "the second",
        "two",
        "one of two is out",
    ],
)
def test_where_no_host_says_that_it_is_an_entry_the_first_that_takes_part_is_one(
    hosts: list[dict[str, Any]], expected: dict[str, bool]
) -> None:
    parsed = config.parse({"kind": "local", "hosts": hosts})

    assert {host.name: host.entry for host in local.all_hosts("lab", parsed)} == expected


def test_hosts_that_take_part_keep_the_order_of_the_file() -> None:
    parsed = config.parse({"kind": "local", "hosts": [entry(3), entry(1, out=True), entry(2)]})

    assert [host.name for host in local.hosts("lab", parsed)] == ["lab-3", "lab-2"]
    assert [host.name for host in local.all_hosts("lab", parsed)] == ["lab-3", "lab-1", "lab-2"]
