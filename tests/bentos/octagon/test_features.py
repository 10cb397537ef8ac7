"""What the service and the training share."""

import numpy as np
import pytest
from PIL import Image

from bentos.octagon import features
from bentos.octagon.features import SIDE
from bentos.octagon.spec import CELLS


@pytest.mark.parametrize("size", [(256, 256), (640, 480), (480, 640), (3, 2000), (1, 1)])
def test_any_picture_fills_the_input_in_its_own_shape(size: tuple[int, int]) -> None:
    x = features.encode(Image.new("RGB", size, (255, 0, 0)))
    assert x.shape == (3, SIDE, SIDE)
    assert x.dtype == np.float32
    red = (x[0] == 1).sum()
    expected = SIDE * SIDE * min(size) / max(size)
    assert red == pytest.approx(expected, abs=SIDE)
    assert (x[:, x[0] != 1] == 0).all()


def test_the_corners_of_a_photo_are_seen() -> None:
    picture = Image.new("RGB", (400, 300), (127, 127, 127))
    picture.paste((255, 255, 255), (380, 0, 400, 20))
    assert features.encode(picture)[0, 32:44, 244:].max() > 0.9


def test_an_answer_is_the_decision_the_probability_and_the_rows_of_the_map() -> None:
    outputs = np.zeros((2, 1 + CELLS**2), np.float32)
    outputs[0, 0], outputs[0, 1 + 2 * CELLS + 5] = 0.5, 0.98765
    yes, no = features.answer(outputs)
    assert (yes["has_octagon"], yes["probability"]) == (True, 0.5)
    assert (no["has_octagon"], no["probability"]) == (False, 0.0)
    heat = yes["heat_map"]
    assert isinstance(heat, dict)
    assert (heat["width"], heat["height"]) == (CELLS, CELLS)
    assert heat["rows"][2][5] == 0.988
    assert sum(map(sum, heat["rows"])) == pytest.approx(0.988)
