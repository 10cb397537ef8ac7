"""Rows from weekly sales: what a shop knew, and nothing that came later."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from bentos.demand import features, panel
from bentos.demand.panel import LOOK_BACK_WEEKS, Panel, Rows


def test_there_is_a_row_for_every_series_and_week_after_the_first_quarter(
    few: Panel, learnt: Rows
) -> None:
    assert len(learnt.items) == len(few.series) * (len(few.weeks) - LOOK_BACK_WEEKS)
    assert learnt.week.min() == LOOK_BACK_WEEKS
    for place in (0, 100, len(learnt.items) - 1):
        series, week = few.series[learnt.series[place]], few.weeks[learnt.week[place]]
        item = learnt.items[place]
        assert (item["city"], item["category"]) == (series.city, series.category)
        assert item["week_start"].date() == week
        assert learnt.units[place] == few.units[learnt.series[place], learnt.week[place]]


def test_lags_are_those_of_the_weeks_before(few: Panel, learnt: Rows) -> None:
    for place in range(0, len(learnt.items), 997):
        item, week = learnt.items[place], learnt.week[place]
        sold = few.units[learnt.series[place]]
        assert item["units_last_week"] == sold[week - 1]
        assert item["units_mean_4_weeks"] == pytest.approx(sold[week - 4 : week].mean())
        assert item["units_mean_13_weeks"] == pytest.approx(sold[week - 13 : week].mean())
        year_ago = sold[week - 52] if week >= 52 else sold[week - 4 : week].mean()
        assert item["units_same_week_last_year"] == pytest.approx(year_ago)


def test_nothing_of_a_week_or_after_it_is_in_its_features(few: Panel) -> None:
    """All that a shop cannot know is changed from one week on."""
    first = 100
    changed = {name: values.copy() for name, values in few.columns().items()}
    for name in ("units", "demand", "mean"):
        changed[name][:, first:] = 7777
    changed["sold_out"][:, first:] = True
    other = panel.rows(replace(few, **changed))  # type: ignore[arg-type]
    same = other.week <= first
    before = panel.rows(few)
    assert np.array_equal(features.encode(other.items)[same], features.encode(before.items)[same])


def test_a_week_that_was_sold_out_is_learned_from_if_it_sold_more_than_usual() -> None:
    weeks = 16
    units = np.full((3, weeks), 10.0)
    units[:, -1] = (10.0, 4.0, 12.0)
    sold_out = np.zeros(units.shape, dtype=np.bool_)
    sold_out[1:, -1] = True
    one = panel.Series(store="s", city="Boston", store_size="small", product="p", category="garden")
    ones = np.ones(units.shape)
    given = Panel(
        series=(one,) * 3,
        weeks=tuple(date(2024, 1, 1) + timedelta(weeks=i) for i in range(weeks)),
        usual_price_usd=ones,
        price_usd=ones,
        promotion=np.zeros(units.shape, dtype=np.int64),
        temperature_c=ones,
        units=units,
        sold_out=sold_out,
        demand=units,
        mean=units,
    )
    rows = panel.rows(given)
    last = rows.week == weeks - 1
    assert rows.learned[last].tolist() == [True, False, True]
    assert rows.learned[~last].all()


def test_every_keeps_each_table_in_step(shops: Panel) -> None:
    few = shops.every(100)
    assert few.series == shops.series[::100]
    for name, values in few.columns().items():
        assert np.array_equal(values, shops.columns()[name][::100])
