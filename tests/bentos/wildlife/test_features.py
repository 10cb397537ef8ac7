"""The wildlife graph's input and answers."""

import json

import numpy as np
import pytest
from PIL import Image

from bentos.wildlife import features
from bentos.wildlife.features import LABELS


@pytest.mark.parametrize(
    "size",
    [(224, 224), (512, 341), (341, 512), (4000, 3000), (1, 1), (1, 900), (900, 2)],
    ids=lambda size: "x".join(map(str, size)),
)
def test_a_picture_of_any_size_becomes_the_graphs_input(size: tuple[int, int]) -> None:
    x = features.encode(Image.new("RGB", size, (255, 127, 0)))
    assert x.dtype == np.float32
    assert x.shape == (3, 224, 224)
    assert x.flags["C_CONTIGUOUS"]
    assert np.allclose(x[0], 1.0)
    assert np.allclose(x[1], 0.0)
    assert np.allclose(x[2], -127 / 128)


def test_the_middle_seven_eighths_of_the_short_side_are_seen() -> None:
    """A frame of a sixteenth, and all beyond the middle square, is cut off."""
    image = Image.new("RGB", (1000, 512), (255, 0, 0))
    image.paste((0, 255, 0), (260, 16, 740, 496))
    x = features.encode(image)
    assert np.allclose(x[0, 4:-4, 4:-4], -127 / 128, atol=0.02)
    assert np.allclose(x[1, 4:-4, 4:-4], 1.0, atol=0.02)


def test_left_and_up_stay_left_and_up() -> None:
    image = Image.new("RGB", (256, 256))
    image.paste((255, 255, 255), (0, 0, 128, 128))
    x = features.encode(image)[0]
    assert x[50, 50] == pytest.approx(1.0)
    assert {round(float(x[i, j])) for i, j in ((50, 170), (170, 50), (170, 170))} == {-1}


def test_an_answer_is_the_five_likeliest_best_first() -> None:
    outputs = np.zeros((2, len(LABELS)), dtype=np.float32)
    outputs[0, [347, 345, 388, 0, 397, 9]] = (0.5, 0.25, 0.125, 0.0625, 0.03, 0.01)
    first, second = features.answer(outputs)
    assert first["predictions"] == [
        {"label": "bison", "probability": 0.5},
        {"label": "ox", "probability": 0.25},
        {"label": "giant panda", "probability": 0.125},
        {"label": "tench", "probability": 0.0625},
        {"label": "pufferfish", "probability": 0.03},
    ]
    assert len(second["predictions"]) == 5  # type: ignore[arg-type]
    assert json.loads(json.dumps(first)) == first
