"""The simulated shops: the same for a seed, and every effect is in them."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentos.demand import generator, world
from bentos.demand.features import HOLIDAYS, holiday
from bentos.demand.panel import Panel
from bentos.demand.spec import CATEGORIES, CITIES, PROMOTIONS, SIZES


def of(panel: Panel, category: str) -> Any:
    """Which series are of the category."""
    return np.array([one.category == category for one in panel.series])


def test_the_same_seed_makes_the_same_bytes_and_another_makes_others(shops: Panel) -> None:
    assert generator.as_csv(generator.simulate()) == generator.as_csv(shops)
    assert generator.as_csv(generator.simulate(1)) != generator.as_csv(shops)


def test_the_csv_has_a_line_for_each_series_and_week(few: Panel) -> None:
    header, *lines = csv.reader(io.StringIO(generator.as_csv(few).decode()))
    assert header[:6] == ["week", "store", "city", "store_size", "product", "category"]
    assert header[6:] == list(few.columns())
    assert len(lines) == len(few.series) * len(few.weeks)
    assert lines[0][:3] == ["2022-07-04", "Philadelphia, small 1", "Philadelphia"]


def test_shops_of_all_sizes_in_all_cities_sell_all_categories(shops: Panel) -> None:
    found = {(one.city, one.store_size, one.category) for one in shops.series}
    assert len(found) == len(CITIES) * len(SIZES) * len(CATEGORIES)
    assert set(world.CITY) == set(CITIES)
    assert set(world.SIZE) == set(SIZES)
    assert set(world.CATEGORIES) == set(CATEGORIES) == set(world.PRODUCTS)
    assert tuple(world.PROMOTION_LIFT) == PROMOTIONS
    assert {week.weekday() for week in shops.weeks} == {0}


def test_every_holiday_with_an_effect_is_on_the_calendar() -> None:
    named = {name for category in world.CATEGORIES.values() for name in category.holidays}
    assert named == set(HOLIDAYS)


def test_nobody_sells_more_than_was_asked_for_or_than_there_was(shops: Panel) -> None:
    assert (shops.units <= shops.demand).all()
    assert (shops.units[~shops.sold_out] == shops.demand[~shops.sold_out]).all()
    lost = shops.demand[shops.sold_out] - shops.units[shops.sold_out]
    assert (lost >= 0).all()
    assert lost.sum() > 0
    assert 0.05 < shops.sold_out.mean() < 0.12


def test_demand_scatters_around_its_mean_as_the_negative_binomial_does(shops: Panel) -> None:
    for name, category in world.CATEGORIES.items():
        chosen = of(shops, name)[:, None] & (shops.mean > 5)
        mean, demand = shops.mean[chosen], shops.demand[chosen]
        assert demand.mean() == pytest.approx(mean.mean(), rel=0.02)
        expected = (mean + mean**2 / category.size).mean()
        assert ((demand - mean) ** 2).mean() == pytest.approx(expected, rel=0.1)


def test_slow_products_are_asked_for_in_some_weeks_only(shops: Panel) -> None:
    slow = shops.mean.mean(axis=1) < world.ACTIVE_BELOW
    assert 0.1 < slow.mean() < 0.5
    assert (shops.demand[slow] == 0).mean() > 0.5
    assert (shops.demand[~slow] == 0).mean() < 0.1
    ratio = shops.demand[slow].mean() / shops.mean[slow].mean()
    assert ratio == pytest.approx(1, abs=0.1)


def test_promotions_and_low_prices_sell(shops: Panel) -> None:
    level = shops.mean / np.median(shops.mean, axis=1, keepdims=True)
    for number, name in enumerate(PROMOTIONS[1:], 1):
        gain = level[shops.promotion == number].mean() / level[shops.promotion == 0].mean()
        assert gain > world.PROMOTION_LIFT[name]
    cut = (shops.promotion == 0) & (shops.price_usd < shops.usual_price_usd)
    plain = (shops.promotion == 0) & (shops.price_usd == shops.usual_price_usd)
    assert level[cut].mean() > 1.2 * level[plain].mean()
    assert (shops.price_usd <= shops.usual_price_usd).all()


def test_garden_sells_in_may_and_accessories_before_christmas(shops: Panel) -> None:
    month = np.array([week.month for week in shops.weeks])
    named = np.array([(None, *HOLIDAYS)[holiday(week)] == "christmas" for week in shops.weeks])
    garden, accessories = (shops.mean[of(shops, name)] for name in ("garden", "accessories"))
    assert garden[:, month == 5].mean() > 3 * garden[:, month == 12].mean()
    assert accessories[:, named].mean() > 1.5 * accessories.mean()


def test_winters_are_cold_and_boston_is_the_coldest(shops: Panel) -> None:
    month = np.array([week.month for week in shops.weeks])
    january = {
        one.city: shops.temperature_c[index, month == 1].mean()
        for index, one in enumerate(shops.series)
    }
    assert min(january, key=january.__getitem__) == "Boston"
    assert all(-5 < degrees < 4 for degrees in january.values())
    assert shops.temperature_c[:, month == 7].min() > 12


def test_the_command_writes_the_file(tmp_path: Path, shops: Panel) -> None:
    path = tmp_path / "shops.csv"
    assert generator.main([str(path)]) == 0
    assert path.read_bytes() == generator.as_csv(shops)


def test_a_file_that_cannot_be_written_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert generator.main([str(tmp_path)]) == 1
    told = capsys.readouterr().err
    assert told == f"{tmp_path}: cannot be written (Is a directory). Choose another file.\n"
