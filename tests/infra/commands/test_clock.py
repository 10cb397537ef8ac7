"""How far a host's clock is off."""

import pytest

from infra.commands import clock


def test_the_host_is_asked_for_its_seconds() -> None:
    assert clock.now() == ["date", "-u", "+%s"]


@pytest.mark.parametrize(
    ("host_s", "asked_s", "answered_s", "skew_s"),
    [
        (100, 100.9, 101.2, 0),
        (150, 100.0, 200.0, 0),
        (100, 90.5, 95.5, 4.5),
        (100, 190.5, 191.0, -90),
    ],
    ids=["in step", "a slow line", "ahead", "behind"],
)
def test_only_what_the_line_cannot_explain_counts(
    host_s: float, asked_s: float, answered_s: float, skew_s: float
) -> None:
    assert clock.skew_s(host_s, asked_s, answered_s) == skew_s


def test_a_time_is_told_in_utc() -> None:
    assert clock.shown(0) == "1970-01-01 00:00:00 UTC"


def test_a_time_service_is_turned_on_and_off() -> None:
    assert clock.keep_right(on=True) == ["timedatectl", "set-ntp", "true"]
    assert clock.keep_right(on=False) == ["timedatectl", "set-ntp", "false"]
