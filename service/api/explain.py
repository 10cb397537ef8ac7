"""Draws a photo with the heat map of its answer over it; runs in a thread, never in the loop.

Knows no model: one whose answer has a field of the form below, which lies over the photo after it
was padded to a square, can be explained.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any, Final

from PIL import Image

from bentos.spec import ModelSpec, Photo
from service.api import photos

SIDE_PIXELS = 640
_MAP_KEYS: Final = {"width", "height", "rows"}
_FADED = 0.65  # of the photo's colours, so that the map's stand out
_OPAQUE = 0.8  # of the hottest colour
_YELLOW, _RED = (255, 214, 10), (226, 30, 40)
_FULL = 255
_PNG_EFFORT = 3  # of 9; the default takes three times as long for a tenth less


@dataclass(frozen=True)
class Explainer:
    """Draws the answers of one model.

    Attributes:
        takes: the model's limits.
        field: of its answer, with the map.
    """

    takes: Photo
    field: str

    def draw(self, data: bytes, answer: Mapping[str, Any]) -> bytes:
        """A PNG of the photo, upright, its long side `SIDE_PIXELS` at most, the map over it.

        The colours are those of the map's values, from nothing at 0 over yellow to red at 1: a
        photo in which the model sees nothing has none.

        Args:
            data: the photo's file.
            answer: the model's; the map's `rows` hold values from 0 to 1, top to bottom.

        Raises:
            ProblemError: the photo cannot be decoded.
        """
        with photos.decode(data, self.takes) as picture:
            canvas = picture.copy() if max(picture.size) <= SIDE_PIXELS else _smaller(picture)
        grey = canvas.convert("L").convert("RGB")
        faded = Image.blend(canvas, grey, _FADED)
        level = _over(canvas.size, answer[self.field]["rows"])
        stream = BytesIO()
        drawn = Image.composite(_colour(level), faded, level.point(_ALPHA))
        drawn.save(stream, "PNG", compress_level=_PNG_EFFORT)
        return stream.getvalue()


def explainer(spec: ModelSpec) -> Explainer | None:
    """What draws the model's answers; None where they have no heat map."""
    if not isinstance(spec.takes, Photo):
        return None
    for field in spec.answer:
        properties = field.schema.get("properties")
        if isinstance(properties, dict) and properties.keys() == _MAP_KEYS:
            return Explainer(spec.takes, field.name)
    return None


def _smaller(picture: Image.Image) -> Image.Image:
    scale = SIDE_PIXELS / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    return picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=3.0)


def _over(size: tuple[int, int], rows: Sequence[Sequence[float]]) -> Image.Image:
    """The map as levels of grey, cut to the photo out of the square around it."""
    cells = Image.new("L", (len(rows[0]), len(rows)))
    cells.putdata([round(value * _FULL) for row in rows for value in row])
    side = max(size)
    square = cells.resize((side, side), Image.Resampling.BICUBIC)
    left, top = (side - size[0]) // 2, (side - size[1]) // 2
    return square.crop((left, top, left + size[0], top + size[1]))


def _colour(level: Image.Image) -> Image.Image:
    ramps = (
        [round(cold + (hot - cold) * step / _FULL) for step in range(_FULL + 1)]
        for cold, hot in zip(_YELLOW, _RED, strict=True)
    )
    return Image.merge("RGB", [level.point(ramp) for ramp in ramps])


_ALPHA: Final = [round(_FULL * _OPAQUE * (step / _FULL) ** 0.5) for step in range(_FULL + 1)]
