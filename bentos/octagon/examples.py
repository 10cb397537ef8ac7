"""Turns scenes and labelled photos into what the head learns from: features and targets."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from io import BytesIO

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bentos.octagon import features
from bentos.octagon.scenes import Scene
from bentos.octagon.signs import OCTAGON
from bentos.octagon.spec import CELLS

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]

UNKNOWN = -1
_INSIDE, _BESIDE = 0.75, 2.2  # cells from a sign's middle: it is there; it may reach as far
_BATCH = 16


@dataclass(frozen=True, kw_only=True)
class Examples:
    """What a set is to the head.

    Attributes:
        features: (n, 40, 32, 32) float16 of the frozen part.
        labels: (n,) float32, 1 where there is an octagon.
        cells: (n, CELLS, CELLS) int8: 1 an octagon's middle, 0 none, `UNKNOWN` not counted.
    """

    features: NDArray[np.float16]
    labels: NDArray[np.float32]
    cells: NDArray[np.int8]

    def __add__(self, other: "Examples") -> "Examples":
        """Both, one after the other."""
        return Examples(
            features=np.concatenate([self.features, other.features]),
            labels=np.concatenate([self.labels, other.labels]),
            cells=np.concatenate([self.cells, other.cells]),
        )


def of_scenes(scenes: Sequence[Scene], frozen: Run) -> Examples:
    """The scenes, whose signs' places are known."""
    return Examples(
        features=over_photos([scene.photo for scene in scenes], frozen).astype(np.float16),
        labels=labels(scenes),
        cells=np.stack([_cells(scene) for scene in scenes]),
    )


def of_photos(photos: Sequence[bytes], truth: Sequence[bool], frozen: Run) -> Examples:
    """Photos of which only is known whether they have an octagon."""
    cells = np.full((len(photos), CELLS, CELLS), UNKNOWN, np.int8)
    cells[~np.array(truth, dtype=np.bool_)] = 0
    return Examples(
        features=over_photos(photos, frozen).astype(np.float16),
        labels=np.array(truth, np.float32),
        cells=cells,
    )


def over_photos(photos: Sequence[bytes], run: Run) -> NDArray[np.float32]:
    """A graph's outputs for encoded photos, decoded as the service does; on all cores."""
    starts = range(0, len(photos), _BATCH)
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        parts = pool.map(lambda start: run(encode(photos[start : start + _BATCH])), starts)
        return np.concatenate(list(parts))


def encode(photos: Sequence[bytes]) -> NDArray[np.float32]:
    """The graph's input for photos of any format."""
    return np.stack([features.encode(picture(photo)) for photo in photos])


def picture(photo: bytes) -> Image.Image:
    """The photo upright, in RGB."""
    with Image.open(BytesIO(photo)) as opened:
        return ImageOps.exif_transpose(opened).convert("RGB")


def labels(scenes: Sequence[Scene]) -> NDArray[np.float32]:
    """1 for every scene with an octagon, else 0."""
    return np.array([scene.kind == OCTAGON for scene in scenes], np.float32)


def cell_of(scene: Scene, centre: tuple[float, float]) -> tuple[float, float]:
    """Row and column, in fractions of cells, of a place in the scene."""
    with Image.open(BytesIO(scene.photo)) as opened:
        width, height = opened.size
    scale = CELLS / max(width, height)
    x = CELLS / 2 + (centre[0] - 0.5) * width * scale
    y = CELLS / 2 + (centre[1] - 0.5) * height * scale
    return y - 0.5, x - 0.5


def _cells(scene: Scene) -> NDArray[np.int8]:
    found = np.zeros((CELLS, CELLS), np.int8)
    if scene.kind != OCTAGON:
        return found
    rows, columns = np.indices((CELLS, CELLS))
    far = np.full((CELLS, CELLS), np.inf)
    for centre in scene.centres:
        row, column = cell_of(scene, centre)
        far = np.minimum(far, np.maximum(abs(rows - row), abs(columns - column)))
    found[far <= _BESIDE] = UNKNOWN
    found[far <= _INSIDE] = 1
    return found
