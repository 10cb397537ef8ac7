"""Renders one scene: a package with signs before a background, seen through a camera."""

from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from bentos.octagon import backgrounds, packages, signs
from bentos.octagon.signs import LOOKALIKES, OCTAGON

PLAIN = "plain"
LONG_SIDE_PX = 320
ACROSS_PX = (38.0, 96.0)
"""Smallest and largest sign on the package; a tilted or turned one looks a little smaller."""

_OCTAGON_SHARE = 0.2  # 4:1, as the photos of the people who count such labels
_PLAIN_SHARE = 0.25
_COMPANY_SHARE = 0.25  # of the octagons have a lookalike beside them
_SHAPES = ((1.0, 1.0), (0.75, 1.0), (1.0, 0.75), (0.5625, 1.0))

Points = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One photo and what is known of it.

    Attributes:
        photo: JPEG.
        kind: `OCTAGON` where there is one, else the lookalike that is there, else `PLAIN`.
        background: a photo's name, or `backgrounds.TEXTURE`.
        across_px: of the largest sign of that kind; 0 where there is none.
        centres: (x, y) of each sign of that kind, as shares of the scene.
    """

    photo: bytes
    kind: str
    background: str
    across_px: float
    centres: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class _Placed:
    kind: str
    across: int
    centre: tuple[float, float]


def render(photos: Sequence[Path], random: Random) -> Scene:
    """A scene, the same for the same photos and random numbers."""
    size = _size(random)
    canvas, background = backgrounds.draw(size, photos, random)
    kind = _kind(random)
    front_size = _front_size(size, random)
    front = packages.draw(front_size, photos, random)
    placed = _place(front, kind, random)
    corners = _corners(size, front_size, random)
    homography = _homography(corners, front_size)
    _stand(canvas, front, homography, random)
    own = [sign for sign in placed if sign.kind == kind]
    centres = [_through(np.linalg.inv(homography), sign.centre) for sign in own]
    return Scene(
        photo=_developed(_camera(canvas, random), random),
        kind=kind,
        background=background,
        across_px=max((sign.across * _zoom(homography, sign.centre) for sign in own), default=0.0),
        centres=tuple((x / size[0], y / size[1]) for x, y in centres),
    )


def _size(random: Random) -> tuple[int, int]:
    width, height = random.choice(_SHAPES)
    return round(width * LONG_SIDE_PX), round(height * LONG_SIDE_PX)


def _kind(random: Random) -> str:
    if random.random() < _OCTAGON_SHARE:
        return OCTAGON
    return PLAIN if random.random() < _PLAIN_SHARE else random.choice(LOOKALIKES)


def _front_size(size: tuple[int, int], random: Random) -> tuple[int, int]:
    return round(random.uniform(0.55, 0.95) * size[0]), round(random.uniform(0.6, 0.95) * size[1])


def _place(front: Image.Image, kind: str, random: Random) -> list[_Placed]:
    """Puts one to three signs in a row, mostly at the top, and perhaps one of another kind."""
    if kind == PLAIN:
        return []
    least, most = ACROSS_PX[0], min(ACROSS_PX[1], 0.8 * min(front.size))
    across = round(least * (most / least) ** random.random())
    pitch = round(across * 1.08)
    count = min(random.choice((1, 1, 1, 2, 2, 3)), front.width // pitch)
    kinds = [kind] * count
    has_room = count * pitch + pitch <= front.width
    if kind == OCTAGON and has_room and random.random() < _COMPANY_SHARE:
        kinds.insert(random.randint(0, count), random.choice(LOOKALIKES))
    left = random.uniform(across / 2, front.width - pitch * (len(kinds) - 1) - across / 2)
    lowest = front.height - across / 2
    top = random.uniform(across / 2, lowest if random.random() < 0.4 else (across / 2 + lowest) / 2)
    placed = [_Placed(each, across, (left + i * pitch, top)) for i, each in enumerate(kinds)]
    for sign in placed:
        tile = signs.draw(sign.kind, sign.across, random)
        corner = [round(middle - tile.width / 2) for middle in sign.centre]
        front.paste(tile, (corner[0], corner[1]), tile)
    return placed


def _corners(size: tuple[int, int], front: tuple[int, int], random: Random) -> Points:
    """Where the front's corners come to lie: turned, tilted, and inside of the scene."""
    flat = np.array([(0, 0), (front[0], 0), (front[0], front[1]), (0, front[1])], dtype=np.float64)
    turn = np.radians(random.gauss(0, 7))
    spin = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    tilt = np.array([[random.uniform(0, 0.13) * side for side in front] for _ in range(4)])
    inward = np.array([(1, 1), (-1, 1), (-1, -1), (1, -1)])
    points = (flat + tilt * inward - np.array(front) / 2) @ spin.T
    points -= points.min(axis=0)
    points *= min(1.0, *(np.array(size) / points.max(axis=0)))
    slack = np.array(size) - points.max(axis=0)
    return np.asarray(points + slack * np.array([random.random(), random.random()]))


def _homography(corners: Points, front: tuple[int, int]) -> Points:
    """The 3x3 matrix from the scene to the front."""
    rows, ends = [], []
    for (x, y), (u, v) in zip(corners, [(0, 0), (front[0], 0), front, (0, front[1])], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        ends += [u, v]
    return np.append(np.linalg.solve(np.array(rows), np.array(ends)), 1.0).reshape(3, 3)


def _through(matrix: Points, point: tuple[float, float]) -> tuple[float, float]:
    x, y, w = matrix @ (*point, 1.0)
    return float(x / w), float(y / w)


def _zoom(homography: Points, centre: tuple[float, float]) -> float:
    """How much wider the front is in the scene, near a point of the front."""
    back = np.linalg.inv(homography)
    here = np.array(_through(back, centre))
    steps = [
        np.array(_through(back, (centre[0] + dx, centre[1] + dy))) - here
        for dx, dy in ((1, 0), (0, 1))
    ]
    return float(np.sqrt(abs(np.linalg.det(np.array(steps)))))


def _stand(canvas: Image.Image, front: Image.Image, homography: Points, random: Random) -> None:
    """Sets the front into the scene, with a soft shadow."""
    front.putalpha(255)
    seen = front.transform(
        canvas.size,
        Image.Transform.PERSPECTIVE,
        homography.flatten()[:8].tolist(),
        resample=Image.Resampling.BICUBIC,
    )
    mask = seen.getchannel("A")
    if random.random() < 0.5:
        shadow = mask.filter(ImageFilter.BoxBlur(8)).point(lambda level: level // 2)
        canvas.paste((0, 0, 0), (random.randint(-4, 8), random.randint(2, 9)), shadow)
    canvas.paste(seen, mask=mask)


def _camera(picture: Image.Image, random: Random) -> Image.Image:
    """Light, colour of the light, focus and the sensor's noise."""
    picture = ImageEnhance.Contrast(picture).enhance(random.uniform(0.65, 1.25))
    if random.random() < 0.5:
        picture = picture.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.4)))
    width, height = picture.size
    warmth = random.uniform(-0.12, 0.12)
    light = random.uniform(0.55, 1.25) * np.array([1 + warmth, 1, 1 - warmth])
    slope = np.linspace(random.uniform(-0.3, 0), random.uniform(0, 0.3), width)
    fall = 1 + random.choice((-1, 1)) * slope + np.linspace(-0.15, 0.15, height)[:, None]
    level = np.asarray(picture, dtype=np.float32) * (fall[..., None] * light).astype(np.float32)
    grain = np.random.default_rng(random.getrandbits(64))
    noise = grain.standard_normal((height, width, 1), dtype=np.float32)
    level += noise * random.uniform(0, 7)
    return Image.fromarray(level.clip(0, 255).astype(np.uint8))


def _developed(picture: Image.Image, random: Random) -> bytes:
    file = BytesIO()
    picture.save(file, "JPEG", quality=random.randint(50, 95))
    return file.getvalue()
