"""What the octagon model takes and gives. Standard library only."""

from pathlib import Path

from bentos.spec import Bar, Field, ModelSpec, Photo, Primary

CELLS = 16
"""Cells of the heat map, a side."""

_HEAT_MAP: dict[str, object] = {
    "type": "object",
    "description": (
        "Where the model sees an octagon: how sure it is of each cell by itself, from 0 to 1, the "
        "rows from top to bottom. The cells lie over the photo after it was padded to a square."
    ),
    "required": ["width", "height", "rows"],
    "additionalProperties": False,
    "properties": {
        "width": {"type": "integer", "const": CELLS},
        "height": {"type": "integer", "const": CELLS},
        "rows": {
            "type": "array",
            "minItems": CELLS,
            "maxItems": CELLS,
            "items": {
                "type": "array",
                "minItems": CELLS,
                "maxItems": CELLS,
                "items": {"type": "number", "minimum": 0, "maximum": 1},
            },
        },
    },
}

_EXAMPLE_HOT = {
    (5, 4): 0.001,
    (5, 5): 0.039,
    (6, 4): 0.163,
    (6, 5): 0.967,
    (7, 5): 0.007,
}  # photos/octagon_3.jpg
_EXAMPLE_ROWS = [
    [_EXAMPLE_HOT.get((row, column), 0.0) for column in range(CELLS)] for row in range(CELLS)
]

SPEC = ModelSpec(
    name="octagon",
    title="Black warning octagons on products",
    summary="A product photo in, whether it carries a black nutrition-warning octagon out.",
    takes=Photo(
        max_bytes=10 * 1024 * 1024,
        max_pixels=25_000_000,
        batch_items=16,
        examples=Path(__file__).parent / "photos",
    ),
    answer=(
        Field(
            name="has_octagon",
            schema={"type": "boolean", "description": "Whether the probability is .5 or more."},
            example=True,
        ),
        Field(
            name="probability",
            schema={
                "type": "number",
                "minimum": 0,
                "maximum": 1,
                "description": "How sure the model is that there is one; .5 is where its errors "
                "on scenes that it was not trained on were best balanced. Not calibrated.",
            },
            example=0.967617,
        ),
        Field(
            name="heat_map",
            schema=_HEAT_MAP,
            example={"width": CELLS, "height": CELLS, "rows": _EXAMPLE_ROWS},
        ),
    ),
    bars=(
        Bar(measure="accuracy", at_least=0.965),
        Bar(measure="recall", at_least=0.95),
        Bar(measure="heat_map_hits", at_least=0.95),
    ),
    max_batch=8,
    deadline_ms=3000,
    queue_items=128,
    golden_tolerance=0.01,
    primary=Primary(measure="accuracy", baseline="accuracy_always_no"),
)
