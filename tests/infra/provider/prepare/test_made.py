"""The record of what was made on a host: written, added to, and read."""

import pytest

from infra.provider.prepare import made
from infra.provider.prepare.made import NOTHING, Made

ONE = Made(packages=("podman", "crun"), groups=("render",), is_time_on=True)


def test_a_record_is_read_as_it_was_written() -> None:
    assert made.parse(made.text(ONE)) == ONE


def test_where_nothing_was_made_there_is_no_record() -> None:
    assert made.parse(None) == NOTHING


@pytest.mark.parametrize(
    "content",
    ["", "{", "[]", "{}", '{"packages": 1}', made.text(ONE).replace("groups", "group")],
)
def test_a_damaged_record_is_told_from_none(content: str) -> None:
    assert made.parse(content) is None


def test_what_is_made_later_is_added() -> None:
    later = Made(packages=("crun", "uidmap"), folders=("/etc/containers",), is_linger_on=True)

    assert ONE.and_(later) == Made(
        packages=("crun", "podman", "uidmap"),
        groups=("render",),
        folders=("/etc/containers",),
        is_time_on=True,
        is_linger_on=True,
    )


def test_what_could_not_be_made_is_taken_out() -> None:
    assert ONE.without(Made(packages=("crun",), is_time_on=True)) == Made(
        packages=("podman",), groups=("render",)
    )
