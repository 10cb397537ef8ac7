"""The demand graph's input and answers, and the calendar."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from random import Random
from typing import Any

import numpy as np
import pytest

from bentos.demand import features
from bentos.demand.spec import SPEC
from service import contract


def named(item: dict[str, Any]) -> dict[str, float]:
    """The input by its names."""
    return dict(zip(features.NAMES, features.encode([item])[0].tolist(), strict=True))


def test_a_row_is_encoded_in_the_order_of_the_names(item: dict[str, Any]) -> None:
    x = named(item)
    assert (x["city_boston"], x["city_new_york"], x["city_philadelphia"]) == (1, 0, 0)
    assert (x["category_garden"], x["category_grocery"]) == (1, 0)
    assert (x["store_size"], x["promotion"], x["promotion_last_week"]) == (1, 1, 0)
    assert x["log_price_ratio"] == pytest.approx(math.log(6.8 / 8))
    assert x["level"] == pytest.approx((22.5 + 17.2) / 2)
    assert x["last_week_ratio"] == pytest.approx(27 / x["level"])
    assert (x["stock"], x["lead_weeks"]) == (20, 1)
    assert x["z"] == pytest.approx(1.6449, abs=1e-4)


def test_no_rows_make_no_rows() -> None:
    assert features.encode([]).shape == (0, len(features.NAMES))


@pytest.mark.parametrize("edge", ["minimum", "maximum"])
def test_the_ends_of_all_ranges_are_finite(item: dict[str, Any], edge: str) -> None:
    ends = {c.name: getattr(c, edge) for c in SPEC.takes.columns if hasattr(c, edge)}  # type: ignore[union-attr]
    assert np.isfinite(features.encode([{**item, **ends}])).all()


def test_whatever_the_load_test_draws_is_finite() -> None:
    rows = [
        contract.example_row(SPEC.takes.columns, Random(seed))  # type: ignore[union-attr]  # noqa: S311
        for seed in range(200)
    ]
    items = [{**row, "week_start": datetime.fromisoformat(str(row["week_start"]))} for row in rows]
    assert np.isfinite(features.encode(items)).all()


@pytest.mark.parametrize("year", [contract.FIRST_YEAR, contract.LAST_YEAR])
def test_the_first_and_last_moment_that_the_service_takes_are_encoded(
    item: dict[str, Any], year: int
) -> None:
    for moment in (datetime(year, 1, 1), datetime(year, 12, 31, 23, 59)):
        assert np.isfinite(features.encode([{**item, "week_start": moment}])).all()


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2025, 5, 5),
        datetime(2025, 5, 11, 23, 59, 59),
        datetime(2025, 5, 7, 12, tzinfo=UTC),
        datetime(2025, 5, 11, 23, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_any_moment_stands_for_its_week(item: dict[str, Any], moment: datetime) -> None:
    assert named({**item, "week_start": moment}) == named(item)


@pytest.mark.parametrize(
    ("name", "days"),
    [
        ("new_year", (date(2024, 1, 1), date(2025, 1, 1))),
        ("valentines", (date(2024, 2, 14), date(2025, 2, 14))),
        ("easter", (date(2022, 4, 17), date(2023, 4, 9), date(2024, 3, 31), date(2025, 4, 20))),
        ("mothers_day", (date(2023, 5, 14), date(2024, 5, 12), date(2025, 5, 11))),
        ("memorial_day", (date(2023, 5, 29), date(2024, 5, 27), date(2025, 5, 26))),
        ("independence_day", (date(2024, 7, 4),)),
        ("labor_day", (date(2023, 9, 4), date(2024, 9, 2), date(2025, 9, 1))),
        ("halloween", (date(2024, 10, 31),)),
        ("thanksgiving", (date(2023, 11, 23), date(2024, 11, 28), date(2025, 11, 27))),
        ("christmas", (date(2023, 12, 25), date(2024, 12, 25))),
    ],
)
def test_holidays_are_in_the_weeks_of_their_days(name: str, days: tuple[date, ...]) -> None:
    for day in days:
        week = features.monday(day)
        assert features.HOLIDAYS[features.holiday(week) - 1] == name


def test_weeks_without_a_holiday_have_none() -> None:
    assert features.holiday(date(2025, 8, 11)) == 0
    found = [features.holiday(date(2025, 1, 6) + timedelta(weeks=i)) for i in range(52)]
    assert len([number for number in found if number]) == len(features.HOLIDAYS)


def test_easter_is_right_in_the_years_that_gauss_excepts() -> None:
    known = {1954: (4, 18), 1981: (4, 19), 2049: (4, 18), 2076: (4, 19), 2038: (4, 25)}
    for year, (month, day) in known.items():
        assert features._easter(year) == date(year, month, day)


@pytest.mark.parametrize(
    ("need", "units"), [(0, 0), (-0.0, 0), (0.0005, 0), (0.2, 1), (7.0005, 7), (7.002, 8)]
)
def test_the_reorder_is_whole_units_upwards(need: float, units: int) -> None:
    (answer,) = features.answer(np.array([[12.345, 8, 17.999, need]], dtype=np.float32))
    assert answer == {
        "forecast_units": 12.35,
        "low_units": 8.0,
        "high_units": 18.0,
        "reorder_units": units,
    }
    assert type(answer["reorder_units"]) is int
