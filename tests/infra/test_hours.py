"""When releases may be made: nights over midnight, days of the week, and changed clocks."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from infra import hours
from infra.config_rollout import Day, Hours

MADRID = "Europe/Madrid"


def nights(*days: Day, start: str = "22:00", end: str = "06:00", timezone: str = MADRID) -> Hours:
    return Hours(start=start, end=end, timezone=timezone, **({"days": list(days)} if days else {}))


def at(text: str, zone: str = MADRID) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [
        ("2026-11-23 21:59", False),
        ("2026-11-23 22:00", True),
        ("2026-11-24 00:00", True),
        ("2026-11-24 05:59", True),
        ("2026-11-24 06:00", False),
        ("2026-11-24 12:00", False),
    ],
)
def test_a_night_goes_over_midnight(moment: str, is_open: bool) -> None:
    assert hours.is_open(nights(), at(moment)) is is_open


@pytest.mark.parametrize(
    ("moment", "is_open"),
    [("2026-11-23 09:00", True), ("2026-11-23 17:00", False), ("2026-11-24 03:00", False)],
)
def test_hours_of_a_day_end_on_that_day(moment: str, is_open: bool) -> None:
    assert hours.is_open(nights(start="09:00", end="17:00"), at(moment)) is is_open


def test_the_night_of_a_day_ends_on_the_next_whatever_that_is() -> None:
    friday = nights("fri")

    assert hours.is_open(friday, at("2026-11-28 05:00"))  # a Saturday
    assert not hours.is_open(friday, at("2026-11-28 23:00"))


def test_the_time_is_that_of_the_zone_and_not_of_the_machine() -> None:
    assert hours.is_open(nights(), datetime(2026, 11, 23, 21, 30, tzinfo=UTC))
    assert not hours.is_open(nights(), datetime(2026, 11, 23, 20, 30, tzinfo=UTC))


@pytest.mark.parametrize(
    ("moment", "next_one"),
    [
        ("2026-11-23 12:00", "2026-11-23 22:00"),
        ("2026-11-24 06:00", "2026-11-24 22:00"),
        ("2026-11-23 23:00", "2026-11-23 23:00"),
    ],
)
def test_the_next_time_is_found(moment: str, next_one: str) -> None:
    assert hours.opens_at(nights(), at(moment)) == at(next_one)


def test_the_next_time_may_be_a_week_away() -> None:
    tuesdays = nights("tue", start="09:00", end="10:00")

    assert hours.opens_at(tuesdays, at("2026-11-24 10:00")) == at("2026-12-01 09:00")


def test_a_night_in_which_the_clock_goes_back_is_an_hour_longer() -> None:
    night = nights(start="01:00", end="04:00")
    first = datetime(2026, 10, 24, 23, 0, tzinfo=UTC)  # 01:00 in summer time
    last = datetime(2026, 10, 25, 2, 59, tzinfo=UTC)  # 03:59 in winter time

    assert hours.is_open(night, first)
    assert hours.is_open(night, last)
    assert not hours.is_open(night, datetime(2026, 10, 25, 3, 0, tzinfo=UTC))


def test_a_night_in_which_the_clock_goes_forward_is_an_hour_shorter() -> None:
    night = nights(start="01:00", end="04:00")

    assert hours.is_open(night, datetime(2027, 3, 28, 1, 59, tzinfo=UTC))  # 03:59
    assert not hours.is_open(night, datetime(2027, 3, 28, 2, 0, tzinfo=UTC))  # 04:00


def test_the_line_names_the_next_time_and_the_way_round() -> None:
    assert hours.refusal(nights(), at("2026-11-23 12:05")) == (
        "bentofleet:stack.rollout.hours: no release may be made at this time "
        "(got mon 2026-11-23 12:05 Europe/Madrid). The next time begins on mon 2026-11-23 22:00; "
        "to release all the same, say NOW=1."
    )


def test_without_hours_any_time_is_good() -> None:
    assert hours.refusal(None, at("2026-11-23 12:05")) is None


@pytest.mark.parametrize(("value", "is_overridden"), [("1", True), ("0", False), ("", False)])
def test_only_a_one_overrides(
    value: str, is_overridden: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOW", value)

    assert hours.is_overridden() is is_overridden


NOON = at("2026-11-23 12:05")


def test_an_update_outside_the_hours_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOW", raising=False)

    with pytest.raises(ValueError, match="no release may be made at this time"):
        hours.hold(nights(), NOON, is_preview=False)


def test_a_preview_only_warns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOW", raising=False)

    assert hours.hold(nights(), NOON, is_preview=True) == hours.refusal(nights(), NOON)


def test_whoever_overrides_the_hours_may_release(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOW", "1")

    assert hours.hold(nights(), NOON, is_preview=False) is None
