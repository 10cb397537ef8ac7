"""The photographs that show what another form of the graph loses."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageOps

from bentos.scored import Scored
from bentos.wildlife import features, photographs

_MEASURES = ("top_1", "top_5")
_LIGHT = (0.6, 1.0, 1.5)  # dusk, as it is, noon
_PARTS = (1.0, 0.7)  # of the picture's sides, from its middle


def scored() -> Scored:
    """Those with a class are scored; those without one calibrate.

    Raises:
        BuildError: the photographs cannot be used.
    """
    photos = photographs.load()
    known = [photo for photo in photos if photo.classes is not None]
    others = [photo for photo in photos if photo.classes is None]

    def measure(probabilities: NDArray[np.float32]) -> dict[str, float]:
        found = photographs.measure(known, probabilities)
        return {name: found[name] for name in _MEASURES}

    calibration = [x for photo in others for x in _varied(photo)]
    return Scored(
        items=f"{len(known)} photographs of animals that have a class",
        x=photographs.encode(known),
        measure=measure,
        tolerance=0.0,
        calibration=np.stack(calibration),
        calibrated_on=f"{len(calibration)} views of {len(others)} photographs that are not scored",
    )


def _varied(photo: photographs.Photograph) -> Iterator[NDArray[np.float32]]:
    """Whole and part, mirrored and not, darker and lighter."""
    with Image.open(photo.path) as opened:
        picture = opened.convert("RGB")
    for part in _PARTS:
        inset = (round(picture.width * (1 - part) / 2), round(picture.height * (1 - part) / 2))
        box = (*inset, picture.width - inset[0], picture.height - inset[1])
        for side in (picture.crop(box), ImageOps.mirror(picture.crop(box))):
            for light in _LIGHT:
                yield features.encode(ImageEnhance.Brightness(side).enhance(light))
