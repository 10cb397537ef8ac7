"""Turns photos into the wildlife graph's input and its output into answers.

The same code in build and service.
"""

import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bentos.wildlife.spec import TOP

SIDE = 224
# The network was trained on the middle of a picture whose short side is 32 pixels longer.
_SHORT_SIDE = SIDE + 32
_MEAN, _SCALE = 127.0, 128.0
# Large photos are first shrunk by whole factors: with a margin of 3 the result is the same to
# the eye and the class, and a 12-megapixel photo takes a third of the time.
_REDUCING_GAP = 3.0
_DECIMALS = 6

LABELS: tuple[str, ...] = tuple(
    json.loads(Path(__file__).with_name("labels.json").read_text(encoding="utf-8"))["labels"]
)


def encode(image: Image.Image) -> NDArray[np.float32]:
    """The graph's input for one picture: (3, SIDE, SIDE), about -1 to 1.

    Args:
        image: RGB, upright, of any size.
    """
    crop = min(image.size) * SIDE / _SHORT_SIDE
    left, top = (image.width - crop) / 2, (image.height - crop) / 2
    square = image.resize(
        (SIDE, SIDE),
        Image.Resampling.BICUBIC,
        box=(left, top, left + crop, top + crop),
        reducing_gap=_REDUCING_GAP,
    )
    pixels = (np.asarray(square, dtype=np.float32) - _MEAN) / _SCALE
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def answer(outputs: NDArray[np.float32]) -> list[dict[str, object]]:
    """The `TOP` likeliest classes of each row of the graph's (n, 398) output."""
    best = np.argsort(-outputs, axis=1, kind="stable")[:, :TOP]
    return [
        {
            "predictions": [
                {"label": LABELS[index], "probability": round(float(row[index]), _DECIMALS)}
                for index in order
            ]
        }
        for row, order in zip(outputs, best, strict=True)
    ]
