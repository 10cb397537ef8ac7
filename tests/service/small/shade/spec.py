"""A photo model: the mean colour."""

from pathlib import Path

from bentos.spec import Field, ModelSpec, Photo

SPEC = ModelSpec(
    name="shade",
    title="Mean colour",
    summary="A photo in, its mean colour out.",
    takes=Photo(
        max_bytes=200_000,
        max_pixels=1_000_000,
        batch_items=4,
        examples=Path(__file__).parent / "photos",
    ),
    answer=(
        Field(
            name="colour",
            schema={"type": "array", "items": {"type": "number"}},
            example=[0.5, 0.5, 0.5],
        ),
    ),
    bars=(),
    max_batch=4,
    deadline_ms=2000,
    queue_items=8,
    golden_tolerance=1e-3,
)
