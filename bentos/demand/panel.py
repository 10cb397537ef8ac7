"""Weekly sales of many series, and the rows that a shop could have sent from them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.demand.spec import PROMOTIONS

LOOK_BACK_WEEKS = 13
"""The first weeks of a panel are only looked back at."""

_YEAR_WEEKS = 52
_MEANS_WEEKS = (4, LOOK_BACK_WEEKS)


@dataclass(frozen=True, kw_only=True)
class Series:
    """One product in one shop."""

    store: str
    city: str
    store_size: str
    product: str
    category: str


@dataclass(frozen=True, kw_only=True)
class Panel:
    """What was recorded, (series, weeks) each; weeks are Mondays without a gap.

    Attributes:
        promotion: number in the spec's PROMOTIONS.
        temperature_c: as it was expected a week ahead.
        units: sold.
        sold_out: sales were cut off by the stock: demand may have been larger.
        demand: what was asked for; where nobody knows, the units sold.
        mean: of the distribution that demand was drawn from; NaN where nobody knows.
    """

    series: tuple[Series, ...]
    weeks: tuple[date, ...]
    usual_price_usd: NDArray[np.float64]
    price_usd: NDArray[np.float64]
    promotion: NDArray[np.int64]
    temperature_c: NDArray[np.float64]
    units: NDArray[np.float64]
    sold_out: NDArray[np.bool_]
    demand: NDArray[np.float64]
    mean: NDArray[np.float64]

    def columns(self) -> dict[str, NDArray[Any]]:
        """All tables, by the attributes' names."""
        return {name: getattr(self, name) for name in _TABLES}

    def every(self, step: int) -> "Panel":
        """Every so many series."""
        few = {name: values[::step] for name, values in self.columns().items()}
        return replace(self, series=self.series[::step], **few)  # type: ignore[arg-type]


_TABLES = (
    *("usual_price_usd", "price_usd", "promotion", "temperature_c"),
    *("units", "sold_out", "demand", "mean"),
)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """One row per series and week that has a quarter before it; arrays are (n,).

    Attributes:
        items: as the service takes them.
        series: number in the panel; so is `week`.
        learned: whether `units` tells of demand. A week that was sold out does where it sold more
            than usual all the same: demand was at least so high. To leave out all of them would
            leave out the best weeks, and to keep all would learn from failed deliveries.
        last_week: units sold, as the other lags are.
        year_ago: the mean of four weeks where the panel is too young.
    """

    items: list[dict[str, Any]]
    series: NDArray[np.int64]
    week: NDArray[np.int64]
    units: NDArray[np.float64]
    sold_out: NDArray[np.bool_]
    learned: NDArray[np.bool_]
    demand: NDArray[np.float64]
    mean: NDArray[np.float64]
    last_week: NDArray[np.float64]
    mean_4: NDArray[np.float64]
    mean_13: NDArray[np.float64]
    year_ago: NDArray[np.float64]


# What the reorder needs and no forecast depends on, in the rows that training uses.
_ORDERING = {"stock_on_hand": 0.0, "lead_time_days": 7.0, "service_level": 0.95}


def rows(panel: Panel) -> Rows:
    """The rows, series by series, each in the order of its weeks; lags look back only."""
    count, weeks = panel.units.shape
    kept = slice(LOOK_BACK_WEEKS, weeks)
    mean_4, mean_13 = (_mean_before(panel.units, length)[:, kept] for length in _MEANS_WEEKS)
    year_ago = np.full(panel.units.shape, np.nan)
    year_ago[:, _YEAR_WEEKS:] = panel.units[:, : max(0, weeks - _YEAR_WEEKS)]
    lags = {
        "last_week": _mean_before(panel.units, 1)[:, kept].ravel(),
        "mean_4": mean_4.ravel(),
        "mean_13": mean_13.ravel(),
        "year_ago": np.where(np.isnan(year_ago[:, kept]), mean_4, year_ago[:, kept]).ravel(),
    }
    series, week = np.indices((count, weeks))[:, :, kept].reshape(2, -1)
    units, sold_out = panel.units[:, kept].ravel(), panel.sold_out[:, kept].ravel()
    return Rows(
        items=list(_items(panel, lags, kept)),
        series=series,
        week=week,
        units=units,
        sold_out=sold_out,
        learned=~sold_out | (units > lags["mean_4"]),
        demand=panel.demand[:, kept].ravel(),
        mean=panel.mean[:, kept].ravel(),
        **lags,
    )


def _mean_before(units: NDArray[np.float64], length: int) -> NDArray[np.float64]:
    """Of each week, the mean of so many weeks before it; NaN where there are fewer."""
    sums = np.cumsum(np.pad(units, ((0, 0), (1, 0))), axis=1)
    means = np.full(units.shape, np.nan)
    means[:, length:] = (sums[:, length:-1] - sums[:, : -length - 1]) / length
    return means


def _items(
    panel: Panel, lags: dict[str, NDArray[np.float64]], kept: slice
) -> Iterator[dict[str, Any]]:
    starts = [datetime.combine(week, time()) for week in panel.weeks[kept]]
    before = slice(kept.start - 1, kept.stop - 1)
    columns = [
        *(panel.price_usd[:, kept], panel.usual_price_usd[:, kept], panel.promotion[:, kept]),
        *(panel.promotion[:, before], panel.temperature_c[:, kept]),
    ]
    told = zip(*(values.ravel().tolist() for values in columns), strict=True)
    past = zip(*(values.tolist() for values in lags.values()), strict=True)
    places = ((one, start) for one in panel.series for start in starts)
    for (one, start), now, before_it in zip(places, told, past, strict=True):
        price, usual, promotion, promotion_before, temperature = now
        last_week, mean_4, mean_13, year_ago = before_it
        yield {
            "city": one.city,
            "store_size": one.store_size,
            "category": one.category,
            "week_start": start,
            "price_usd": price,
            "usual_price_usd": usual,
            "promotion": PROMOTIONS[promotion],
            "promotion_last_week": PROMOTIONS[promotion_before],
            "units_last_week": last_week,
            "units_mean_4_weeks": mean_4,
            "units_mean_13_weeks": mean_13,
            "units_same_week_last_year": year_ago,
            "expected_temperature_c": temperature,
            **_ORDERING,
        }
