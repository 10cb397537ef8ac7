"""Simulates the weekly sales of the shops and products in world.py; always the same for a seed.

What a series (a product in a shop) is asked for in week t is drawn with the mean

    mean(t) = base · level(t) · season(t) · weather(t) · price(t) · promotion(t) · holiday(t)

- base: the product's units a week x size x city x the shop's own factor.
- level: exp of growth · years and of a slow drift, d(t) = kept · d(t-1) + step · normal.
- season: exp(amplitude · cos(2π (week of the year - peak) / 52.18)).
- weather: exp(per_degree · (temperature - the month's normal)); the temperature is the city's
  normal plus an anomaly that half forgets itself in a week.
- price: (price / usual price) ^ elasticity.
- promotion: the lift of a flyer or a display; the week after one has the category's dip.
- holiday: the category's factor in the holiday's week, a share of it in the week before.
- noise: negative binomial, variance = mean + mean² / size; series that sell little are asked for
  in some weeks only, and then for more (intermittent demand).
- stock-outs: sold = min(demand, stock). Stock follows the last four weeks' sales, and a delivery
  fails now and then, so that recorded sales are censored as a real shop's are.

Constants and their sources: world.py. The command `python -m bentos.demand.generator FILE.csv`
writes what the model is trained on.
"""

import argparse
import csv
import io
import math
import sys
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.demand import world
from bentos.demand.features import HOLIDAYS, holiday
from bentos.demand.panel import Panel, Series
from bentos.demand.spec import PROMOTIONS

Values = NDArray[np.float64]

SEED = 20_250
_WEEKS_PER_YEAR = 52.18
_HEADER = ("week", "store", "city", "store_size", "product", "category")


def simulate(seed: int = SEED) -> Panel:
    """All series over all weeks."""
    rng = np.random.default_rng(seed)
    series = _series()
    weeks = tuple(world.FIRST_WEEK + timedelta(weeks=i) for i in range(world.WEEKS))
    categories = [world.CATEGORIES[one.category] for one in series]
    usual, price, promotion = _prices(rng, series, len(weeks))
    normal, actual = _temperatures(rng, weeks)
    cities = [list(world.CITY).index(one.city) for one in series]
    lift = np.array([world.PROMOTION_LIFT[name] for name in PROMOTIONS])
    after = np.roll(promotion > 0, 1, axis=1)
    after[:, 0] = False
    mean = (
        _base(rng, series)[:, None]
        * _level(rng, series, len(weeks))
        * np.exp(_each(categories, "per_degree") * (actual - normal)[cities])
        * (price / usual) ** _each(categories, "elasticity")
        * lift[promotion]
        * np.where(after, _each(categories, "dip"), 1.0)
        * np.array([_calendar(one, weeks) for one in categories])
    )
    demand = _demand(rng, mean, _each(categories, "size"))
    units, stock = _sales(rng, demand)
    forecast = actual + rng.normal(0, world.FORECAST_ERROR_C, actual.shape)
    return Panel(
        series=series,
        weeks=weeks,
        usual_price_usd=usual,
        price_usd=price,
        promotion=promotion,
        temperature_c=np.round(forecast, 1)[cities],
        units=units,
        sold_out=units >= stock,
        demand=demand,
        mean=np.round(mean, 4),
    )


def as_csv(panel: Panel) -> bytes:
    """The data set as CSV: its sha256 is the data's version."""
    text = io.StringIO()
    lines = csv.writer(text, lineterminator="\n")
    tables = panel.columns()
    lines.writerow((*_HEADER, *tables))
    for index, one in enumerate(panel.series):
        named = (one.store, one.city, one.store_size, one.product, one.category)
        columns = [values[index].tolist() for values in tables.values()]
        lines.writerows(
            (week, *named, *values) for week, *values in zip(panel.weeks, *columns, strict=True)
        )
    return text.getvalue().encode()


def main(arguments: Sequence[str] | None = None) -> int:
    """The command."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.demand.generator", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("file", type=Path, help="where the CSV goes")
    path: Path = parser.parse_args(arguments).file
    try:
        path.write_bytes(as_csv(simulate()))
    except OSError as error:
        sys.stderr.write(f"{path}: cannot be written ({error.strerror}). Choose another file.\n")
        return 1
    return 0


def _series() -> tuple[Series, ...]:
    return tuple(
        Series(
            store=f"{city}, {size} {number}",
            city=city,
            store_size=size,
            product=product,
            category=category,
        )
        for city in world.CITY
        for size in world.SIZE
        for number in range(1, world.STORES_OF_A_KIND + 1)
        for category, products in world.PRODUCTS.items()
        for product, _, _ in products
    )


def _facts(one: Series) -> tuple[float, float]:
    """First usual price and base units of a series' product."""
    return next((p, u) for name, p, u in world.PRODUCTS[one.category] if name == one.product)


def _each(categories: Sequence[world.Category], name: str) -> Values:
    return np.array([[getattr(one, name)] for one in categories])


def _base(rng: np.random.Generator, series: Sequence[Series]) -> Values:
    stores = dict.fromkeys(one.store for one in series)
    own = {store: math.exp(rng.normal(0, world.STORE_SPREAD)) for store in stores}
    return np.array(
        [
            _facts(one)[1] * world.SIZE[one.store_size] * world.CITY[one.city] * own[one.store]
            for one in series
        ]
    )


def _level(rng: np.random.Generator, series: Sequence[Series], weeks: int) -> Values:
    products = dict.fromkeys(one.product for one in series)
    grown = {name: rng.normal(*world.GROWTH) for name in products}
    steps = rng.normal(0, world.LEVEL_STEP, (len(series), weeks))
    drift = _lasting(steps, world.LEVEL_KEPT)
    years = np.arange(weeks) / _WEEKS_PER_YEAR
    return np.exp(np.array([grown[one.product] for one in series])[:, None] * years + drift)


def _lasting(steps: Values, kept: float) -> Values:
    """v(t) = kept · v(t-1) + step(t), along the last axis."""
    values = steps.copy()
    for week in range(1, values.shape[-1]):
        values[..., week] += kept * values[..., week - 1]
    return values


def _temperatures(rng: np.random.Generator, weeks: Sequence[date]) -> tuple[Values, Values]:
    """Normal and actual weekly mean by city, °C."""
    middles = (np.arange(12) + 0.5) * 365.25 / 12
    day = np.array([week.timetuple().tm_yday + 3 for week in weeks])
    normal_f = [np.interp(day, middles, normals, period=365.25) for normals in _normals()]
    normal = (np.array(normal_f) - 32) / 1.8
    step = world.ANOMALY_C * math.sqrt(1 - world.ANOMALY_KEPT**2)
    return normal, normal + _lasting(rng.normal(0, step, normal.shape), world.ANOMALY_KEPT)


def _normals() -> list[tuple[int, ...]]:
    return [world.NORMAL_F[city] for city in world.CITY]


def _prices(
    rng: np.random.Generator, series: Sequence[Series], weeks: int
) -> tuple[Values, Values, NDArray[Any]]:
    """Usual price, price, and promotion by number, each (series, weeks)."""
    shape = (len(series), weeks)
    chance, mean, spread = world.PRICE_CHANGE
    first = np.array([_facts(one)[0] for one in series])
    changes = np.where(rng.random(shape) < chance, rng.normal(mean, spread, shape), 0.0)
    usual = np.round(first[:, None] * np.exp(np.cumsum(changes, axis=1)), 2)
    often = _each([world.CATEGORIES[one.category] for one in series], "promotions")
    promoted = rng.random(shape) < often
    promotion = np.where(promoted, rng.integers(1, len(PROMOTIONS), shape), 0)
    cut = promoted | (rng.random(shape) < world.UNANNOUNCED)
    discount = np.where(cut, rng.choice(world.DISCOUNTS, shape), 0.0)
    return usual, np.round(usual * (1 - discount), 2), promotion


def _calendar(category: world.Category, weeks: Sequence[date]) -> Values:
    """Season and holidays."""
    amplitude, peak = category.season
    names = (None, *HOLIDAYS)
    factors = []
    for week in weeks:
        number = (week.timetuple().tm_yday - 1) / 7
        log = amplitude * math.cos(2 * math.pi * (number - peak) / _WEEKS_PER_YEAR)
        for near, share in ((week, 1.0), (week + timedelta(weeks=1), category.eve)):
            log += share * math.log(category.holidays.get(names[holiday(near)] or "", 1.0))
        factors.append(math.exp(log))
    return np.array(factors)


def _demand(rng: np.random.Generator, mean: Values, size: Values) -> Values:
    """Draws; a series is intermittent by its own average."""
    slow = mean.mean(axis=1, keepdims=True) < world.ACTIVE_BELOW
    active = ~slow | (rng.random(mean.shape) < world.ACTIVE_SHARE)
    asked = np.where(slow, mean / world.ACTIVE_SHARE, mean)
    drawn = rng.negative_binomial(np.broadcast_to(size, mean.shape), size / (size + asked))
    return np.where(active, drawn, 0).astype(np.float64)


def _sales(rng: np.random.Generator, demand: Values) -> tuple[Values, Values]:
    """Units sold, and the stock at each week's start."""
    units, stock = demand.copy(), np.full(demand.shape, np.inf)
    late = rng.random(demand.shape) < world.LATE_DELIVERY
    left = rng.uniform(0.0, 0.5, demand.shape)
    for week in range(4, demand.shape[1]):
        usual = units[:, week - 4 : week].mean(axis=1) * world.COVER + world.SPARE_UNITS
        stock[:, week] = np.ceil(np.where(late[:, week], left[:, week], 1.0) * usual)
        units[:, week] = np.minimum(demand[:, week], stock[:, week])
    return units, stock


if __name__ == "__main__":
    sys.exit(main())
