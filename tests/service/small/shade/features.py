"""Code of the photo model."""

import numpy as np

SIDE = 8


def encode(image):
    small = image.resize((SIDE, SIDE))
    return np.asarray(small, np.float32).transpose(2, 0, 1) / 255


def answer(outputs):
    return [{"colour": row} for row in outputs.tolist()]
