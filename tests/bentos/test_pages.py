"""The models' pages: everything on the card, whatever its metrics hold, always the same."""

import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bentos import build, store
from bentos.catalog import MODELS
from bentos.pages import __main__ as pages
from bentos.pages import plot
from bentos.recipe import Outcome

DOCS = Path(__file__).parents[2] / "docs" / "models"

METRICS: dict[str, Any] = {
    "score": 0.95,
    "last_week": 0.9,
    "stores": [
        {"store": "a|b", "model": {"mae": 1.5, "n": 3}, "naive": {"mae": 2.5, "n": 3}},
        {"store": "c", "model": {"mae": 12345.6, "n": 4}, "naive": {"mae": 2.0, "n": 4}},
    ],
    "confusion": [[5, 1], [2, 7]],
    "by_size": {"small": {"recall": 0.5}, "large": {"recall": 1.0}},
    "pruned": {"before": 0.9, "after": 0.8, "layers": {"conv": {"share": 0.3}}},
    "names": ["x", "y"],
    "nothing": [],
    "unknown": None,
}


@pytest.fixture
def toy(kitchen: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The toy with metrics of every shape, in a catalog of its own."""

    def make(folder: Path) -> Outcome:
        outcome = type(kitchen).make(kitchen, folder)
        return replace(
            outcome,
            metrics=METRICS,
            parity={"items": 9, "outputs": {"y": 1e-7}},
            export={"opset": 17},
        )

    kitchen.make = make
    monkeypatch.setattr(build, "load", lambda name, *, small: kitchen.recipe(small=small))
    monkeypatch.setattr(pages, "MODELS", {"toy": kitchen.recipe().spec})
    return kitchen


def made(tmp_path: Path) -> dict[str, str]:
    """Runs the command; gives the files."""
    assert pages.main(["--out", str(tmp_path)]) == 0
    return {path.name: path.read_text() for path in tmp_path.iterdir() if path.is_file()}


def test_a_page_has_what_the_card_has(toy: Any, tmp_path: Path) -> None:
    version = build.build("toy", small=False)
    page = made(tmp_path / "out")["toy.md"]
    for text in (
        "# A toy\n\nDoubles a number.\n",
        f"`toy:{version}`",
        "- It only doubles.",
        "| score | 0.9 | 0.95 | yes |",
        "| this version | 0.95 |",
        "| sha256 | `" + "0" * 64 + "` |",
        "| licence of the data | CC0 1.0 |",
        "| rounds | 1 |",
        "| opset | 17 |",
        "| outputs, y | 1e-07 |",
        "### Stores",
        r"| store | model, mae | model, n | naive, mae | naive, n |",
        r"| a\|b | 1.5 | 3 | 2.5 | 3 |",
        "| c | 12346 | 4 | 2 | 4 |",
        "### Confusion",
        "| 5 | 1 |",
        "| small | 0.5 |",
        "### Pruned",
        "| before | 0.9 |",
        "#### Layers",
        "| conv | 0.3 |",
        "x, y",
        "| unknown | - |",
    ):
        assert text in page
    assert "### Nothing" not in page


def test_the_same_card_gives_the_same_files(toy: Any, tmp_path: Path) -> None:
    build.build("toy", small=False)
    assert made(tmp_path / "one") == made(tmp_path / "two")


def test_pictures_are_small_svg_and_old_ones_go(toy: Any, tmp_path: Path) -> None:
    build.build("toy", small=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "toy-gone.svg").write_text("")
    files = made(tmp_path / "out")
    assert files.keys() == {"toy.md", "README.md", "toy-standing.svg", "toy-stores.svg"}
    for name in ("toy-standing.svg", "toy-stores.svg"):
        assert f"({name})" in files["toy.md"]
        assert ET.fromstring(files[name]).tag.endswith("svg")  # noqa: S314  our own
        assert len(files[name]) < 20_000


def test_a_long_list_is_cut_and_says_so(toy: Any) -> None:
    from bentos.pages.metrics import sections

    text = "\n".join(sections({"rows": [{"n": n} for n in range(100)]}, {}, "toy"))
    assert "| 59 |" in text
    assert "| 60 |" not in text
    assert "40 more rows are in the card." in text


def test_a_reason_why_a_worse_model_was_published_stands_on_its_page(
    toy: Any, tmp_path: Path
) -> None:
    build.build("toy", small=False)
    card = store.cards("toy")[0]
    card["compared"].update(live_version="abc", live=0.99, accepted="new meters")
    page = pages.write(card, tmp_path).read_text()
    assert "| live before: `abc` | 0.99 |" in page
    assert "It was published though it is worse than the live one: new meters" in page


def test_the_index_lists_the_pages(toy: Any, tmp_path: Path) -> None:
    build.build("toy", small=False)
    index = made(tmp_path / "out")["README.md"]
    assert "| [toy](toy.md) | A toy | Doubles a number. |" in index


def test_what_has_no_page_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pages.main(["--out", str(tmp_path)]) == 1
    assert capsys.readouterr().err == "toy: no version is published. Run make models.\n"
    version = build.build("toy", small=True)
    assert pages.main(["--out", str(tmp_path)]) == 1
    line = f"toy: toy:{version} is the small variant, for tests. Run make models.\n"
    assert capsys.readouterr().err == line
    (tmp_path / "file").write_text("")
    assert pages.main(["--out", str(tmp_path / "file")]) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_card_of_an_older_version_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    version = build.build("toy", small=False)
    path = store.home() / "models" / "toy" / version / "card.json"
    card = json.loads(path.read_text())
    del card["compared"]
    path.write_text(json.dumps(card))
    assert pages.main(["--out", str(tmp_path)]) == 1
    line = (
        f"toy: toy:{version} was published by an older version of this software. Run make models."
    )
    assert capsys.readouterr().err == f"{line}\n"


def test_a_card_with_nothing_measured_has_no_picture() -> None:
    assert plot.pictures({"bars": [], "compared": None, "metrics": {}}) == {}


def test_the_pages_that_are_committed_are_those_of_the_index() -> None:
    index = (DOCS / "README.md").read_text()
    there = {path.stem for path in DOCS.glob("*.md")} - {"README"}
    assert there == {name for name in MODELS if f"[{name}]({name}.md)" in index}
    for path in DOCS.glob("*.md"):
        for picture in path.read_text().split("](")[1:]:
            assert (DOCS / picture.partition(")")[0]).is_file()


def test_no_page_knows_a_model_by_name() -> None:
    folder = Path(pages.__file__).parent
    code = "".join(path.read_text() for path in folder.glob("pages*.py"))
    assert [name for name in MODELS if name in code] == []
