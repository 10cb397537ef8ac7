"""Draws one sign: a black octagon with its words, or a shape that must not be taken for one."""

import math
from collections.abc import Mapping
from functools import cache
from random import Random

from PIL import Image, ImageDraw, ImageFont

from bentos.octagon import font

OCTAGON = "octagon"
RED_OCTAGON = "red octagon"

_SHAPES: Mapping[str, tuple[int, float]] = {
    OCTAGON: (8, 1 / math.cos(math.pi / 8)),
    RED_OCTAGON: (8, 1 / math.cos(math.pi / 8)),
    "square": (4, math.sqrt(2)),
    "hexagon": (6, 1.0),
    "triangle": (3, 1.0),
    "circle": (90, 1.0),
}
"""Corners, and the radius at which the shape is two wide (the triangle: high)."""

LOOKALIKES: tuple[str, ...] = tuple(kind for kind in _SHAPES if kind != OCTAGON)
"""Hard negatives: with the same words and border."""

WARNINGS = (
    ("ALTO EN", "AZÚCARES"),
    ("ALTO EN", "CALORÍAS"),
    ("ALTO EN", "SODIO"),
    ("ALTO EN", "GRASAS", "SATURADAS"),
    ("EXCESO", "AZÚCARES"),
    ("EXCESO", "CALORÍAS"),
    ("EXCESO", "GRASAS", "TRANS"),
)
_AUTHORITY = "Ministerio de Salud"
_SIGNED_SHARE = 0.6
_FINER = 4  # drawn so many times larger, then reduced: Pillow's polygons have no soft edges
_WHITE = (255, 255, 255)
_LINES = (0.06, 0.09, 0.11)


def draw(kind: str, across_px: int, random: Random) -> Image.Image:
    """The sign, upright, on an RGBA square.

    Args:
        kind: `OCTAGON` or one of `LOOKALIKES`.
        across_px: width of the shape.
        random: chooses words and border.
    """
    side = across_px * _FINER
    tile = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(tile)
    fill, rim, line = _fill(kind, random), random.choice((1.0, 0.96, 0.92)), random.choice(_LINES)
    for scale, paint in ((1.0, _WHITE), (rim, fill), (rim - 0.06, _WHITE), (rim - line, fill)):
        pen.polygon(_outline(kind, side, scale), fill=paint)
    _write(pen, kind, side, random)
    return tile.resize((across_px, across_px), Image.Resampling.BOX)


def _fill(kind: str, random: Random) -> tuple[int, int, int]:
    if kind == RED_OCTAGON:
        return (random.randint(170, 230), random.randint(0, 45), random.randint(0, 45))
    grey = random.randint(0, 30)
    return (grey, grey, grey)


def _outline(kind: str, side: int, scale: float) -> list[tuple[float, float]]:
    """Corners of the regular shape; one of its sides lies flat at the bottom."""
    corners, radius = _SHAPES[kind]
    radius *= scale * side / 2
    first = math.pi / 2 + math.pi / corners
    angles = [first + 2 * math.pi * number / corners for number in range(corners)]
    return [(side / 2 + radius * math.cos(a), side / 2 + radius * math.sin(a)) for a in angles]


def _write(pen: ImageDraw.ImageDraw, kind: str, side: int, random: Random) -> None:
    lines = random.choice(WARNINGS)
    low = kind == "triangle"  # which has no room above
    size = _fitting(lines, side * (0.44 if low else 0.72), side * 0.17)
    top = side * (0.57 if low else 0.46) - 0.58 * size * (len(lines) - 1)
    for number, line in enumerate(lines):
        place = (side / 2, top + 1.16 * size * number)
        pen.text(place, line, font=_face(size), fill=_WHITE, anchor="mm")
    if random.random() < _SIGNED_SHARE and not low:
        small = _face(max(4, round(side * 0.05)))
        pen.text((side / 2, side * 0.8), _AUTHORITY, font=small, fill=_WHITE, anchor="mm")


def _fitting(lines: tuple[str, ...], room: float, largest: float) -> int:
    """The largest size in pixels at which the longest line fits."""
    widest = max(_face(100).getlength(line) for line in lines) / 100
    return max(4, int(min(largest, room / widest)))


@cache
def _face(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font.find()), size)
