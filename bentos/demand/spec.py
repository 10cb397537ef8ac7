"""What the demand model takes and gives. Standard library only."""

from bentos.spec import Bar, Choice, Field, ModelSpec, Number, Primary, Table, Timestamp

CITIES = ("Philadelphia", "New York", "Boston")
SIZES = ("small", "medium", "large")
CATEGORIES = ("accessories", "grocery", "garden")
PROMOTIONS = ("none", "flyer", "display")

COVERAGE = 0.8
"""Of the interval, as it is meant; the card has what was measured."""

MOST_UNITS = 100_000.0


def _units(name: str, description: str, example: float) -> Number:
    return Number(
        name=name,
        unit="units",
        minimum=0.0,
        maximum=MOST_UNITS,
        description=description,
        example=example,
    )


def _price(name: str, description: str, example: float) -> Number:
    return Number(
        name=name,
        unit="USD",
        minimum=0.01,
        maximum=100_000.0,
        description=description,
        example=example,
    )


_COLUMNS = (
    Choice(name="city", values=CITIES, description="Where the shop is.", example="Boston"),
    Choice(name="store_size", values=SIZES, description="The shop's size.", example="medium"),
    Choice(
        name="category", values=CATEGORIES, description="The product's category.", example="garden"
    ),
    Timestamp(
        name="week_start",
        description="Any moment in the week to forecast; weeks begin on Monday.",
        example="2025-05-05T00:00:00",
    ),
    _price("price_usd", "The price planned for that week.", 6.8),
    _price("usual_price_usd", "The price without any discount.", 8.0),
    Choice(
        name="promotion",
        values=PROMOTIONS,
        description="What is planned for that week beside the price.",
        example="flyer",
    ),
    Choice(
        name="promotion_last_week",
        values=PROMOTIONS,
        description="The same, in the week before.",
        example="none",
    ),
    _units("units_last_week", "Sold in the week before.", 27.0),
    _units("units_mean_4_weeks", "Sold a week, on average of the last 4 weeks.", 22.5),
    _units("units_mean_13_weeks", "Sold a week, on average of the last 13 weeks.", 17.2),
    _units(
        "units_same_week_last_year",
        "Sold 52 weeks before. Not known: send the average of the last 4 weeks.",
        31.0,
    ),
    Number(
        name="expected_temperature_c",
        unit="°C",
        minimum=-40.0,
        maximum=55.0,
        description="Mean of that week, as the weather forecast expects it.",
        example=15.5,
    ),
    _units("stock_on_hand", "In the shop at the week's start, and on order.", 20.0),
    Number(
        name="lead_time_days",
        unit="days",
        minimum=0.0,
        maximum=120.0,
        description="From order to delivery.",
        example=7.0,
    ),
    Number(
        name="service_level",
        unit="(a share)",
        minimum=0.5,
        maximum=0.999,
        description="Wanted chance of not running out before the next delivery. Above 0.99 the "
        "model was not measured.",
        example=0.95,
    ),
)


def _answer(name: str, description: str, example: float) -> Field:
    return Field(
        name=name,
        schema={"type": "number", "minimum": 0, "description": description},
        example=example,
    )


SPEC = ModelSpec(
    name="demand",
    title="Next week's demand of a product in a shop",
    summary=(
        "What a shop knows of a product in, the units it will want in a week out, with an interval "
        "and a suggested order. Trained on simulated shops."
    ),
    takes=Table(columns=_COLUMNS, batch_items=1000),
    answer=(
        _answer("forecast_units", "As likely to be exceeded as not.", 35.44),
        _answer("low_units", "Low end of an interval meant to hold 80 % of weeks.", 17.02),
        _answer("high_units", "High end of it.", 46.71),
        Field(
            name="reorder_units",
            schema={
                "type": "integer",
                "minimum": 0,
                "description": "To order now, so that stock lasts through the lead time and one "
                "week more at the wanted service level.",
            },
            example=75,
        ),
    ),
    bars=(
        # Of four tests of a quarter each, against three simple forecasts.
        Bar(measure="wins_over_baselines", at_least=12),
        Bar(measure="gain_over_mean_4_weeks", at_least=0.19),
        # 1 less the largest distance from 80 % in any of the four.
        Bar(measure="coverage_nearness", at_least=0.94),
        # 1 less the largest distance from any service level that was wanted, in any of the four.
        Bar(measure="service_level_nearness", at_least=0.9),
    ),
    primary=Primary(
        measure="wape", baseline="wape_mean_4_weeks", lower_is_better=True, slack=0.005
    ),
    max_batch=256,
    deadline_ms=1000,
    queue_items=4096,
    golden_tolerance=0.5,
)
