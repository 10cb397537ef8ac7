"""The made-up shops and products, and every constant of the generator with where it comes from.

Draws nothing: see generator.py. "Assumption" marks what no source gives; such a constant was chosen
so that the effect is of a size that a shop would recognise.
"""

from dataclasses import dataclass
from datetime import date
from typing import Final

FIRST_WEEK: Final = date(2022, 7, 4)
WEEKS: Final = 182
"""Three and a half years of Mondays, up to 2025-12-22."""

STORES_OF_A_KIND: Final = 2
"""Shops of each size in each city."""

SIZE: Final = {"small": 0.45, "medium": 1.0, "large": 2.1}
"""Sales against a medium shop's. Assumption."""

CITY: Final = {"Philadelphia": 1.0, "New York": 1.25, "Boston": 0.9}
"""Sales against Philadelphia's. Assumption."""

STORE_SPREAD: Final = 0.15
"""Standard deviation of the log of what else sets one shop apart. Assumption."""

NORMAL_F: Final = {
    "Philadelphia": (34, 36, 44, 55, 65, 74, 79, 77, 70, 58, 47, 39),
    "New York": (34, 36, 43, 54, 63, 72, 78, 76, 69, 58, 48, 39),
    "Boston": (30, 32, 38, 49, 58, 68, 74, 73, 66, 55, 45, 36),
}
"""Mean temperature by month from January, °F, to about a degree after NOAA's normals 1991-2020 of
PHL airport, Central Park and Logan airport."""

ANOMALY_C: Final = 2.6
ANOMALY_KEPT: Final = 0.4
"""A week's departure from the normal: standard deviation, and the share that lasts into the next
week. Assumption."""

FORECAST_ERROR_C: Final = 1.5
"""Standard deviation of the forecast that a shop has when it orders. Assumption."""

LEVEL_STEP: Final = 0.05
LEVEL_KEPT: Final = 0.96
"""The slow drift of a series' level, as log: spread of a week's step, share kept. Assumption."""

GROWTH: Final = (0.02, 0.05)
"""A product's growth per year, as log: mean and spread over the products. Assumption."""

PRICE_CHANGE: Final = (0.04, 0.03, 0.03)
"""Of a product's usual price: chance in a week, mean and spread of a change. Assumption."""

DISCOUNTS: Final = (0.1, 0.15, 0.2, 0.25, 0.3)
"""Of a promotion, all as likely. Assumption."""

UNANNOUNCED: Final = 0.05
"""Chance in a week of a price cut without a promotion. Assumption."""

PROMOTION_LIFT: Final = {"none": 1.0, "flyer": 1.2, "display": 1.4}
"""What a promotion sells beyond its lower price; a display in the shop does more than a leaflet, as
studies of scanner data find since Blattberg & Neslin, Sales Promotion (1990). Sizes: assumption."""

ACTIVE_BELOW: Final = 2.0
ACTIVE_SHARE: Final = 0.5
"""A series that sells fewer than so many units a week is bought in some weeks only: there demand
comes with this chance, and is larger then (Croston, Operational Research Quarterly 23, 1972).
Assumption."""

LATE_DELIVERY: Final = 0.03
"""Chance in a week that the delivery does not come, which leaves half of the usual stock or less.
Assumption."""

COVER: Final = 1.9
SPARE_UNITS: Final = 3
"""Stock at a week's start: so many times the last four weeks' mean, and so many units more: a busy
week sells out too. Chosen so that, with late deliveries, about 8 % of weeks sell out, as shops do
on average (Corsten & Gruen, International Journal of Retail & Distribution Management 31, 2003)."""


@dataclass(frozen=True, kw_only=True)
class Category:
    """What holds for all products of a category.

    Attributes:
        season: amplitude (as log) and week of the peak of one wave a year.
        per_degree: change of the log per °C above the normal.
        elasticity: change of the log of sales per change of the log of the price.
        promotions: chance of a promotion in a week.
        dip: factor in the week after a promotion: people have stocked up.
        size: of the negative binomial: variance = mean + mean² / size.
        holidays: factor in the holiday's week; those not named change nothing.
        eve: share of that effect, as log, in the week before.
    """

    season: tuple[float, float]
    per_degree: float
    elasticity: float
    promotions: float
    dip: float
    size: float
    holidays: dict[str, float]
    eve: float


# Seasons: the shape, not the size, follows the US Census Bureau's Monthly Retail Trade: garden
# supplies peak in May, accessories before Christmas, groceries hardly move.
# Elasticities lie around the means of two meta-analyses: -1.76 (Tellis, J. Marketing Research 25,
# 1988) and -2.62 (Bijmolt, van Heerde & Pieters, J. Marketing Research 42, 2005).
# The rest: assumption.
CATEGORIES: Final = {
    "accessories": Category(
        season=(0.12, 26.0),
        per_degree=-0.008,
        elasticity=-2.3,
        promotions=0.09,
        dip=0.95,
        size=9.0,
        holidays={
            "valentines": 1.35,
            "mothers_day": 1.4,
            "halloween": 1.1,
            "thanksgiving": 1.7,
            "christmas": 2.1,
        },
        eve=0.6,
    ),
    "grocery": Category(
        season=(0.05, 50.0),
        per_degree=0.003,
        elasticity=-1.5,
        promotions=0.12,
        dip=0.86,
        size=20.0,
        holidays={
            "new_year": 1.08,
            "easter": 1.15,
            "memorial_day": 1.1,
            "independence_day": 1.18,
            "labor_day": 1.1,
            "thanksgiving": 1.35,
            "christmas": 1.3,
        },
        eve=0.35,
    ),
    "garden": Category(
        season=(0.95, 21.0),
        per_degree=0.035,
        elasticity=-1.8,
        promotions=0.07,
        dip=0.94,
        size=6.0,
        holidays={
            "easter": 1.15,
            "mothers_day": 1.35,
            "memorial_day": 1.3,
            "independence_day": 1.1,
            "labor_day": 1.15,
        },
        eve=0.4,
    ),
}

PRODUCTS: Final = {
    "accessories": (
        ("belt", 24.0, 5.0),
        ("scarf", 18.0, 9.0),
        ("sunglasses", 15.0, 12.0),
        ("umbrella", 14.0, 16.0),
        ("wallet", 32.0, 2.5),
        ("watch", 69.0, 0.9),
    ),
    "grocery": (
        ("coffee", 9.5, 34.0),
        ("milk", 3.6, 120.0),
        ("olive oil", 12.0, 14.0),
        ("pasta", 1.9, 70.0),
        ("saffron", 8.5, 1.1),
        ("tea", 5.2, 22.0),
    ),
    "garden": (
        ("fertilizer", 13.0, 7.0),
        ("garden hose", 29.0, 3.0),
        ("lawn mower", 219.0, 0.5),
        ("plant pot", 7.5, 18.0),
        ("potting soil", 8.0, 26.0),
        ("secateurs", 22.0, 1.6),
    ),
}
"""Name, first usual price in USD, units a week in a medium shop in Philadelphia. Assumption."""
