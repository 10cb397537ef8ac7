"""When releases may be made: whether that is now, and when the next time begins. Pure."""

import os
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from infra.config_rollout import DAYS, Hours

OVERRIDE = "NOW"
"""Environment variable: 1 lets a release be made outside the hours; the verdict records it."""

SEARCH_DAYS = 8
"""A day of the week comes again within so many days."""


def is_overridden() -> bool:
    """Whether whoever runs this asked for it to be done now."""
    return os.environ.get(OVERRIDE) == "1"


def is_open(hours: Hours, now: datetime) -> bool:
    """Whether releases may be made at `now`, an aware time."""
    moment = now.astimezone(UTC)  # two times of one zone would be compared by the wall clock
    return any(start <= moment < end for start, end in _spans(hours, now))


def opens_at(hours: Hours, now: datetime) -> datetime:
    """When they may be made next, in the hours' time zone; `now` itself where they may be now."""
    if is_open(hours, now):
        return now
    moment = now.astimezone(UTC)
    following = min(start for start, _ in _spans(hours, now) if start > moment)
    return following.astimezone(ZoneInfo(hours.timezone))


def refusal(hours: Hours | None, now: datetime) -> str | None:
    """Why nothing may change at `now`, in one line; None: it may."""
    if hours is None or is_open(hours, now):
        return None
    zone = ZoneInfo(hours.timezone)
    return (
        "bentofleet:stack.rollout.hours: no release may be made at this time "
        f"(got {_shown(now.astimezone(zone))} {hours.timezone}). The next time begins on "
        f"{_shown(opens_at(hours, now))}; to release all the same, say {OVERRIDE}=1."
    )


def hold(hours: Hours | None, now: datetime, *, is_preview: bool) -> str | None:
    """What a preview has to warn of at this time; None: nothing.

    Raises:
        ValueError: this is no preview, nobody overrode the hours, and nothing may change now.
    """
    line = refusal(hours, now)
    if line is None or is_overridden():
        return None
    if not is_preview:
        raise ValueError(line)
    return line


def _spans(hours: Hours, now: datetime) -> Iterator[tuple[datetime, datetime]]:
    """Each time around `now`, its begin and end in UTC, from the day before on.

    Begin and end are wall-clock times: where clocks are changed meanwhile, a span is an hour
    longer or shorter, and a time that does not exist that day is the same number of hours after
    midnight (PEP 495, fold 0).
    """
    zone = ZoneInfo(hours.timezone)
    start, end = time.fromisoformat(hours.start), time.fromisoformat(hours.end)
    today = now.astimezone(zone).date()
    for number in range(-1, SEARCH_DAYS):
        day = today + timedelta(days=number)
        if DAYS[day.weekday()] not in hours.days:
            continue
        last = day if end > start else day + timedelta(days=1)
        yield _moment(day, start, zone), _moment(last, end, zone)


def _moment(day: date, at: time, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, at, zone).astimezone(UTC)


def _shown(moment: datetime) -> str:
    return f"{DAYS[moment.weekday()]} {moment:%Y-%m-%d %H:%M}"
