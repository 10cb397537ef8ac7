"""What the energy model takes and gives. Standard library only."""

from bentos.spec import Bar, Field, ModelSpec, Number, Primary, Table, Timestamp

ZONES = ("zone_1_kw", "zone_2_kw", "zone_3_kw")

_COLUMNS = (
    Timestamp(
        name="timestamp",
        description=(
            "Moment of the weather below. Without a zone it is read on the training data's clock, "
            "UTC+1 all year; with a zone it is converted to that clock."
        ),
        example="2017-07-14T14:30:00",
    ),
    Number(
        name="temperature_c",
        unit="°C",
        minimum=-30.0,
        maximum=60.0,
        description="Air temperature.",
        example=28.4,
    ),
    Number(
        name="humidity_percent",
        unit="%",
        minimum=0.0,
        maximum=100.0,
        description="Relative humidity.",
        example=62.5,
    ),
    Number(
        name="wind_speed_m_s",
        unit="m/s",
        minimum=0.0,
        maximum=75.0,
        description="Wind speed.",
        example=4.92,
    ),
    Number(
        name="general_diffuse_flows_w_m2",
        unit="W/m²",
        minimum=0.0,
        maximum=1500.0,
        description="General diffuse flows: the sun's radiation as the data set names it.",
        example=742.0,
    ),
    Number(
        name="diffuse_flows_w_m2",
        unit="W/m²",
        minimum=0.0,
        maximum=1500.0,
        description="Diffuse part of the radiation.",
        example=118.0,
    ),
)


def _power(zone: int, example_kw: float) -> Field:
    return Field(
        name=ZONES[zone - 1],
        schema={"type": "number", "description": f"Power drawn by zone {zone}, in kW."},
        example=example_kw,
    )


SPEC = ModelSpec(
    name="energy",
    title="Power of Tetouan's three zones",
    summary="Weather and time in, the power that each zone of Tetouan (Morocco) draws out, in kW.",
    takes=Table(columns=_COLUMNS, batch_items=1000),
    answer=(_power(1, 37878.43), _power(2, 25450.55), _power(3, 27122.23)),
    bars=(
        Bar(measure="r2_zone_1_mean", at_least=0.92),
        Bar(measure="r2_zone_2_mean", at_least=0.88),
        Bar(measure="r2_zone_3_mean", at_least=0.89),
        # Of 15 pairs of fold and zone: all of them have to beat 'same time last week'.
        Bar(measure="wins_over_last_week", at_least=15),
    ),
    max_batch=256,
    deadline_ms=1000,
    queue_items=4096,
    golden_tolerance=0.5,
    # Seeds alone move it by less than the slack.
    primary=Primary(measure="r2_compared_mean", baseline="r2_last_week_mean", slack=0.003),
)
