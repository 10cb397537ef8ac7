"""The scenes are what they say they are, and the same every time."""

from io import BytesIO
from random import Random

import numpy as np
import pytest
from PIL import Image

from bentos.octagon import data, scenes, signs
from bentos.octagon.parameters import FULL, SMALL
from bentos.octagon.scenes import LONG_SIDE_PX, PLAIN, Scene
from bentos.octagon.signs import LOOKALIKES, OCTAGON


def test_the_same_seed_gives_the_same_scene_and_another_seed_another() -> None:
    photos = data.splits(SMALL)["test"].photos
    first, again, other = (scenes.render(photos, Random(seed)) for seed in ("a", "a", "b"))  # noqa: S311
    assert first == again
    assert first.photo != other.photo


def test_a_scene_is_a_jpeg_whose_long_side_is_fixed(rendered: list[Scene]) -> None:
    for scene in rendered:
        picture = Image.open(BytesIO(scene.photo))
        assert picture.format == "JPEG"
        assert max(picture.size) == LONG_SIDE_PX


def test_every_sign_lies_inside_of_the_scene_and_only_plain_ones_have_none(
    rendered: list[Scene],
) -> None:
    for scene in rendered:
        assert (scene.kind == PLAIN) == (not scene.centres) == (scene.across_px == 0)
        assert all(0 < x < 1 and 0 < y < 1 for x, y in scene.centres)


def test_about_one_scene_in_five_has_an_octagon_and_every_lookalike_occurs() -> None:
    kinds = [scenes._kind(Random(number)) for number in range(2000)]  # noqa: S311
    assert 0.17 < kinds.count(OCTAGON) / len(kinds) < 0.23
    assert set(kinds) == {OCTAGON, PLAIN, *LOOKALIKES}


@pytest.mark.parametrize("kind", [OCTAGON, *LOOKALIKES])
def test_a_sign_fills_its_square_and_leaves_the_corners_free_unless_it_is_one(kind: str) -> None:
    alpha = np.asarray(signs.draw(kind, 80, Random(1)).getchannel("A"))  # noqa: S311
    rows, columns = np.flatnonzero(alpha.any(axis=1)), np.flatnonzero(alpha.any(axis=0))
    assert np.ptp(columns) >= 66
    assert np.ptp(rows) >= 55
    assert (alpha[0, 0] > 0) == (kind == "square")


def test_a_black_octagon_is_dark_and_a_red_one_is_red() -> None:
    black, red = (
        np.median(np.asarray(signs.draw(kind, 80, Random(1)))[40, 20:60, :3], axis=0)  # noqa: S311
        for kind in (OCTAGON, signs.RED_OCTAGON)
    )
    assert black.max() < 60 or black.min() > 60  # a letter may lie there
    assert red[0] > 150


@pytest.mark.parametrize("parameters", [FULL, SMALL], ids=["full", "small"])
def test_no_photograph_is_behind_scenes_of_two_sets(parameters: object) -> None:
    splits = data.splits(parameters)  # type: ignore[arg-type]
    photos = [photo for split in splits.values() for photo in split.photos]
    assert len(photos) == len(set(photos)) == 29
    assert list(splits) == ["test", "validation", "train"]
