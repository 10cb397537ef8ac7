"""Draws the flat front of a package: colours, a brand, a picture, small print; no warning sign."""

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from random import Random

from PIL import Image, ImageDraw, ImageFont

from bentos.octagon import backgrounds, font
from bentos.octagon.backgrounds import Size, colour

_BRANDS = ("Dulce Sur", "Granola", "CHOCO", "Avena", "Mister Crac", "LECHE", "Valle Alto", "Pan+")
_PRINT = ("contenido neto 350 g", "sabor vainilla", "0 % grasas trans", "hecho en Chile", "nuevo")


def draw(size: Size, photos: Sequence[Path], random: Random) -> Image.Image:
    """The front as an RGB picture."""
    front = Image.new("RGB", size, colour(random))
    pen = ImageDraw.Draw(front)
    for paint in (_band, _blob, _blob):
        if random.random() < 0.6:
            paint(pen, size, random)
    if random.random() < 0.5:
        _picture(front, photos, random)
    _brand(pen, size, random)
    if random.random() < 0.5:
        _bars(pen, size, random)
    return front


def _band(pen: ImageDraw.ImageDraw, size: Size, random: Random) -> None:
    top = random.uniform(0, 0.8) * size[1]
    pen.rectangle((0, top, size[0], top + random.uniform(0.1, 0.4) * size[1]), fill=colour(random))


def _blob(pen: ImageDraw.ImageDraw, size: Size, random: Random) -> None:
    """A round or straight ornament; one in four is nearly black."""
    x, y = random.uniform(0, 0.9) * size[0], random.uniform(0, 0.9) * size[1]
    width, height = (random.uniform(0.1, 0.5) * side for side in size)
    fill = colour(random) if random.random() < 0.75 else (random.randint(0, 40),) * 3
    shape = random.choice((pen.ellipse, pen.rectangle))
    shape((x, y, x + width, y + height), fill=fill)


def _picture(front: Image.Image, photos: Sequence[Path], random: Random) -> None:
    width, height = (max(8, round(random.uniform(0.3, 0.8) * side)) for side in front.size)
    left = random.randint(0, front.width - width)
    top = random.randint(0, front.height - height)
    front.paste(backgrounds.piece(random.choice(photos), (width, height), random), (left, top))


def _brand(pen: ImageDraw.ImageDraw, size: Size, random: Random) -> None:
    for words, share in ((_BRANDS, (0.1, 0.2)), (_PRINT, (0.04, 0.07)), (_PRINT, (0.04, 0.07))):
        height = max(6, round(random.uniform(*share) * size[0]))
        place = (random.uniform(0.2, 0.8) * size[0], random.uniform(0.08, 0.92) * size[1])
        pen.text(place, random.choice(words), font=_face(height), fill=colour(random), anchor="mm")


def _bars(pen: ImageDraw.ImageDraw, size: Size, random: Random) -> None:
    """A bar code on white."""
    width, height = (round(random.uniform(0.1, 0.3) * side) + 8 for side in size)
    left, top = random.randint(0, size[0] - width), random.randint(0, size[1] - height)
    pen.rectangle((left, top, left + width, top + height), fill=(250, 250, 250))
    x = left + 2
    while x < left + width - 3:
        thick = random.choice((1, 1, 2))
        pen.rectangle((x, top + 2, x + thick - 1, top + height - 3), fill=(15, 15, 15))
        x += thick + random.choice((1, 1, 2))


@cache
def _face(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(font.find()), size)
