"""Labels a folder of photos: what is sure, what a person is asked, what is learnt from."""

from collections.abc import Callable
from pathlib import Path

import pytest

from bentos import build
from bentos.octagon import label, labelled, review
from bentos.recipe import BuildError

Photo = Callable[[int], bytes]


@pytest.fixture
def folder(tmp_path: Path, photo: Photo) -> Path:
    """Two sure photos, two that are not, one that is broken, and a file that is no photo."""
    found = tmp_path / "photos"
    (found / "shelf").mkdir(parents=True)
    for name, level in (("dark", 0), ("light", 255), ("grey", 120), ("shelf/other", 130)):
        (found / f"{name}.png").write_bytes(photo(level))
    (found / "broken.jpg").write_bytes(b"no picture")
    (found / "notes.txt").write_text("no photo")
    return found


def rows(folder: Path) -> dict[str, dict[str, str]]:
    """The labels by path."""
    read = labelled.read(folder / labelled.LABELS_FILE, labelled.LABEL_COLUMNS)
    return {row["path"]: row for row in read}


def say(folder: Path, answers: dict[str, str]) -> None:
    """Fills in the review file as a person does."""
    path = folder / labelled.REVIEW_FILE
    asked = labelled.read(path, labelled.REVIEW_COLUMNS)
    filled = [{**row, "octagon": answers.get(row["path"], "")} for row in asked]
    labelled.write(path, labelled.REVIEW_COLUMNS, filled)


def test_sure_unsure_and_broken_photos_are_told_apart(folder: Path, published: str) -> None:
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    counts = label.label(folder, 0.95)
    assert counts == {"confident": 2, "unsure": 2, "unreadable": 1}
    found = rows(folder)
    assert (found["dark.png"]["octagon"], found["light.png"]["octagon"]) == ("1", "0")
    assert found["shelf/other.png"]["status"] == "unsure"
    assert found["broken.jpg"]["status"] == "unreadable"
    assert {row["version"] for row in found.values()} == {published}
    assert {path: path.read_bytes() for path in before} == before


def test_a_person_is_asked_about_the_unsure_ones_only(folder: Path, published: str) -> None:
    label.label(folder, 0.95)
    asked = labelled.read(folder / labelled.REVIEW_FILE, labelled.REVIEW_COLUMNS)
    assert {row["path"]: row["octagon"] for row in asked} == {"grey.png": "", "shelf/other.png": ""}
    page = (folder / review.PAGE_FILE).read_text()
    assert page.count("data:image/jpeg;base64,") == 2
    assert "http" not in page


def test_a_second_run_looks_at_new_photos_only_and_keeps_the_answers(
    folder: Path, published: str, photo: Photo, monkeypatch: pytest.MonkeyPatch
) -> None:
    label.label(folder, 0.95)
    say(folder, {"grey.png": "yes"})
    (folder / "new.png").write_bytes(photo(1))
    looked = []
    judged = label._judged
    monkeypatch.setattr(
        label, "_judged", lambda path, *rest: looked.append(path.name) or judged(path, *rest)
    )
    label.label(folder, 0.95)
    assert looked == ["new.png"]
    assert labelled.answers(folder) == {rows(folder)["grey.png"]["sha256"]: True}


def test_a_run_that_was_interrupted_goes_on(
    folder: Path, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged, looked = label._judged, []

    def killed(path: Path, *rest: object) -> label.Row:
        looked.append(path.name)
        if len(looked) == 3:
            raise KeyboardInterrupt
        return judged(path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(label, "_SAVE_EVERY", 1)
    monkeypatch.setattr(label, "_judged", killed)
    assert label.main([str(folder)]) == 130
    assert len(rows(folder)) == 2
    assert label.main([str(folder)]) == 0
    assert len(looked) == 6  # the third one twice


def test_another_confidence_or_model_labels_anew(folder: Path, published: str) -> None:
    label.label(folder, 0.95)
    assert label.label(folder, 0.501)["unsure"] == 0


def test_a_persons_word_goes_first_and_unsure_photos_are_not_learnt_from(
    folder: Path, published: str
) -> None:
    label.label(folder, 0.95)
    say(folder, {"grey.png": "Yes"})
    found = {each.path.name: (each.octagon, each.by_person) for each in labelled.load(folder)}
    assert found == {
        "dark.png": (True, False),
        "light.png": (False, False),
        "grey.png": (True, True),
    }


def test_the_review_file_may_come_back_from_a_spreadsheet(folder: Path, published: str) -> None:
    label.label(folder, 0.95)
    say(folder, {"grey.png": "no"})
    path = folder / labelled.REVIEW_FILE
    path.write_text("\ufeff" + path.read_text().replace(",", ";"))
    assert list(labelled.answers(folder).values()) == [False]


def test_what_the_labels_say_is_part_of_the_version(
    folder: Path, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    label.label(folder, 0.95)
    without = build.load("octagon", small=True).version()
    monkeypatch.setenv(labelled.VARIABLE, str(folder))
    first = build.load("octagon", small=True).version()
    say(folder, {"grey.png": "yes"})
    second = build.load("octagon", small=True).version()
    assert len({without, first, second}) == 3
    recipe = build.load("octagon", small=True)
    assert [each.name for each in recipe.data_sets] == ["weights", "scenes", "labelled"]


def test_retraining_builds_with_the_folders_labels(
    folder: Path, published: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    label.label(folder, 0.95)
    monkeypatch.setenv(labelled.VARIABLE, "")
    built = []

    def made(name: str, *, small: bool) -> str:
        built.append((name, small, len(labelled.find())))
        return "bbbbbbbbbbbb"

    monkeypatch.setattr(build, "build", made)
    assert label.main([str(folder), "--retrain", "--small"]) == 0
    assert built == [("octagon", True, 2)]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / "dark.png").unlink(), "dark.png: cannot be read"),
        (lambda folder: (folder / "dark.png").write_bytes(b"x"), "dark.png: was changed after"),
        (lambda folder: say(folder, {"grey.png": "perhaps"}), "line 2: should say yes or no"),
        (
            lambda folder: (folder / labelled.LABELS_FILE).write_text("a,b\n1,2\n"),
            "octagon-labels.csv: should have the columns path",
        ),
        (
            lambda folder: (folder / labelled.LABELS_FILE).write_bytes(b"\xff\xfe\x00"),
            "octagon-labels.csv: cannot be read",
        ),
        (lambda folder: (folder / labelled.LABELS_FILE).unlink(), "there are no labels. Run"),
    ],
    ids=["gone", "changed", "word", "columns", "bytes", "never labelled"],
)
def test_labels_that_cannot_be_used_are_refused_in_one_line(
    folder: Path,
    published: str,
    capsys: pytest.CaptureFixture[str],
    spoil: Callable[[Path], object],
    message: str,
) -> None:
    label.label(folder, 0.95)
    spoil(folder)
    assert label.main([str(folder), "--retrain", "--small"]) == 1
    told = capsys.readouterr().err
    assert message in told
    assert told.count("\n") == 1


def test_without_a_model_or_photos_nothing_is_labelled(
    folder: Path, tmp_path: Path, home: Path
) -> None:
    with pytest.raises(BuildError, match=r"^octagon: no version is published\. Run `make models`"):
        label.label(folder, 0.95)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BuildError, match=r"empty: has no photos\."):
        label.label(tmp_path / "empty", 0.95)


@pytest.mark.parametrize("text", ["0.4", "1", "high"])
def test_a_confidence_that_is_none_is_refused(text: str, folder: Path) -> None:
    with pytest.raises(SystemExit):
        label.main([str(folder), "--confidence", text])
