"""What the wildlife model takes and gives. Standard library only."""

from pathlib import Path

from bentos.spec import Bar, Field, ModelSpec, Photo, Primary

TOP = 5

_PREDICTIONS: dict[str, object] = {
    "type": "array",
    "description": (
        "The likeliest animals, best first. A probability is the share of all of ImageNet's 1000 "
        "classes: a photo without an animal has small ones."
    ),
    "minItems": TOP,
    "maxItems": TOP,
    "items": {
        "type": "object",
        "required": ["label", "probability"],
        "additionalProperties": False,
        "properties": {
            "label": {"type": "string", "description": "English name of the class."},
            "probability": {"type": "number", "minimum": 0, "maximum": 1},
        },
    },
}

SPEC = ModelSpec(
    name="wildlife",
    title="Animals in photos",
    summary="A photo in, the five likeliest of 398 kinds of animals out.",
    takes=Photo(
        max_bytes=10 * 1024 * 1024,
        max_pixels=25_000_000,  # a 24-megapixel camera; decoded it takes 75 MB
        batch_items=16,
        examples=Path(__file__).parent / "photos",
    ),
    answer=(
        Field(
            name="predictions",
            schema=_PREDICTIONS,
            example=[
                {"label": "bison", "probability": 0.940937},
                {"label": "ox", "probability": 0.023087},
                {"label": "water buffalo", "probability": 0.004475},
                {"label": "pig", "probability": 0.000448},
                {"label": "ram (adult male sheep)", "probability": 0.000364},
            ],
        ),
    ),
    bars=(Bar(measure="top_1", at_least=0.80), Bar(measure="top_5", at_least=0.95)),
    max_batch=8,
    deadline_ms=3000,
    queue_items=128,
    golden_tolerance=0.001,
    primary=Primary(measure="top_1", baseline="top_1_one_answer"),
)
