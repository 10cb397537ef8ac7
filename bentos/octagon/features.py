"""Turns photos into the octagon graph's input and its output into answers.

The same code in build and service.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bentos.octagon.spec import CELLS

SIDE = 256
THRESHOLD = 0.5
"""The exported graph is shifted so that its best threshold lies here."""

_MEAN, _SCALE = 127.0, 128.0
_GREY = (127, 127, 127)  # becomes 0
_REDUCING_GAP = 3.0  # see bentos/wildlife/features.py
_DECIMALS = 6
_HEAT_DECIMALS = 3


def encode(image: Image.Image) -> NDArray[np.float32]:
    """The graph's input for one picture: (3, SIDE, SIDE), about -1 to 1.

    The whole picture, for signs sit in corners, and its shape kept, for an octagon that is pulled
    in width is none: grey fills the square.

    Args:
        image: RGB, upright, of any size.
    """
    scale = SIDE / max(image.size)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    small = image.resize(size, Image.Resampling.BICUBIC, reducing_gap=_REDUCING_GAP)
    square = Image.new("RGB", (SIDE, SIDE), _GREY)
    square.paste(small, ((SIDE - size[0]) // 2, (SIDE - size[1]) // 2))
    pixels = (np.asarray(square, dtype=np.float32) - _MEAN) / _SCALE
    return np.ascontiguousarray(pixels.transpose(2, 0, 1))


def answer(outputs: NDArray[np.float32]) -> list[dict[str, object]]:
    """Of each row of the graph's (n, 1 + CELLS²) output: the decision and where it comes from."""
    return [
        {
            "has_octagon": bool(row[0] >= THRESHOLD),
            "probability": round(float(row[0]), _DECIMALS),
            "heat_map": {"width": CELLS, "height": CELLS, "rows": _rows(row[1:])},
        }
        for row in outputs
    ]


def _rows(cells: NDArray[np.float32]) -> list[list[float]]:
    rounded = cells.astype(np.float64).round(_HEAT_DECIMALS)
    rows: list[list[float]] = rounded.reshape(CELLS, CELLS).tolist()
    return rows
