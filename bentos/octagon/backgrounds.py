"""What stands behind a package: a piece of a photograph, or a texture made from numbers."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from functools import lru_cache
from pathlib import Path
from random import Random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageOps

Size = tuple[int, int]
Colour = tuple[int, int, int]

TEXTURE = "texture"
_PHOTO_SHARE = 0.7


def draw(size: Size, photos: Sequence[Path], random: Random) -> tuple[Image.Image, str]:
    """A picture of that size, and the photo's name or `TEXTURE`."""
    if random.random() < _PHOTO_SHARE:
        photo = random.choice(photos)
        return piece(photo, size, random), photo.name
    return random.choice((_gradient, _shelf, _tiles, _clouds))(size, random), TEXTURE


def piece(photo: Path, size: Size, random: Random) -> Image.Image:
    """A part of the photo, perhaps mirrored, in other colours."""
    picture = _load(photo)
    share = random.uniform(0.45, 1.0)
    width = share * min(picture.width, picture.height * size[0] / size[1])
    height = width * size[1] / size[0]
    left = random.uniform(0, picture.width - width)
    top = random.uniform(0, picture.height - height)
    box = (left, top, left + width, top + height)
    part = picture.resize(size, Image.Resampling.BILINEAR, box=box)
    return ImageOps.mirror(part) if random.random() < 0.5 else part


def colour(random: Random) -> Colour:
    """Any colour: greys, pale and strong ones alike."""
    red, green, blue = hsv_to_rgb(random.random(), random.random(), random.uniform(0.15, 1.0))
    return round(255 * red), round(255 * green), round(255 * blue)


@lru_cache(maxsize=64)
def _load(photo: Path) -> Image.Image:
    with Image.open(photo) as opened:
        return opened.convert("RGB")


def _gradient(size: Size, random: Random) -> Image.Image:
    ends = Image.new("RGB", (2, 2))
    ends.putdata([colour(random) for _ in range(4)])
    return ends.resize(size, Image.Resampling.BILINEAR)


def _shelf(size: Size, random: Random) -> Image.Image:
    """Rows of boxes on boards, as in a shop; some boxes are dark."""
    picture = Image.new("RGB", size, colour(random))
    pen = ImageDraw.Draw(picture)
    pitch = random.randint(60, 130)
    for board in range(0, size[1] + pitch, pitch):
        left = -random.randint(0, 40)
        while left < size[0]:
            width, height = random.randint(20, 70), random.uniform(0.5, 0.9) * pitch
            fill = colour(random) if random.random() < 0.75 else (random.randint(0, 40),) * 3
            pen.rectangle((left, board - height, left + width - 2, board), fill=fill)
            left += width
        pen.rectangle((0, board, size[0], board + 5), fill=colour(random))
    return picture


def _tiles(size: Size, random: Random) -> Image.Image:
    picture = Image.new("RGB", size, colour(random))
    pen = ImageDraw.Draw(picture)
    pitch, joint = random.randint(18, 70), colour(random)
    for x in range(random.randint(0, pitch), size[0], pitch):
        pen.line((x, 0, x, size[1]), fill=joint, width=random.randint(1, 4))
    for y in range(random.randint(0, pitch), size[1], pitch):
        pen.line((0, y, size[0], y), fill=joint, width=random.randint(1, 4))
    return picture


def _clouds(size: Size, random: Random) -> Image.Image:
    """Noise of three scales between two colours: marble, cloth, plaster."""
    grain = np.random.default_rng(random.getrandbits(64))
    level = sum((_noise(size, 2**k, grain) / 2**k for k in (1, 3, 5)), start=np.zeros(size[::-1]))
    level = (level - level.min()) / (np.ptp(level) + 1e-9)
    low, high = np.array(colour(random)), np.array(colour(random))
    return Image.fromarray((low + level[..., None] * (high - low)).astype(np.uint8))


def _noise(size: Size, cells: int, grain: np.random.Generator) -> NDArray[np.float32]:
    coarse = grain.random((cells + 1, cells + 1), dtype=np.float32)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
