"""A table model: adds and divides."""

from bentos.spec import Field, ModelSpec, Number, Table, Timestamp

SPEC = ModelSpec(
    name="adder",
    title="Sums",
    summary="Two numbers in, their sum and ratio out.",
    takes=Table(
        columns=(
            Timestamp(name="when", description="Moment.", example="2017-07-14T14:30:00"),
            Number(name="a", unit="m", minimum=-100, maximum=100, description="One.", example=3.5),
            Number(name="b", unit="m", minimum=-100, maximum=100, description="Two.", example=2),
        ),
        batch_items=50,
    ),
    answer=(
        Field(name="sum", schema={"type": "number"}, example=5.5),
        Field(name="ratio", schema={"type": "number"}, example=1.75),
        Field(name="hour", schema={"type": "number"}, example=14.0),
    ),
    bars=(),
    max_batch=8,
    deadline_ms=400,
    queue_items=8,
    golden_tolerance=1e-3,
)
