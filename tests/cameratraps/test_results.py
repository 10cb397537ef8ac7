"""CSV, JSON and the page."""

import csv
import json
import re

import pytest

from cameratraps import page, results
from cameratraps.records import Prediction, Record
from cameratraps.words import LANGUAGES, words


def record(name, species="zebra", probability=0.9, **more):
    top = tuple(Prediction(label=f"{species}", probability=probability) for _ in range(5))
    return Record(name=name, size_bytes=1, mtime_ns=1, version="v1", predictions=top, **more)


def failed(name, error="is empty"):
    return Record(name=name, size_bytes=0, mtime_ns=1, error=error)


FOUND = [
    record("a.jpg", thumbnail="UklGRg=="),
    record("b.jpg"),
    record("</script><b>.jpg", species="lion & lamb", probability=0.5),
    failed("=cmd().jpg"),
    failed("bad\udcff.jpg"),
]


def summary(found=FOUND, **more):
    return results.summarize(found, "card", "local", **{"timed": 5, "duration_s": 2.0, **more})


def test_the_summary_counts_species_and_failures():
    found = summary()
    assert found.species == (("zebra", 2), ("lion & lamb", 1))
    assert (found.photos, found.failed, found.photos_per_s) == (3, 2, 2.5)
    assert summary(timed=0).photos_per_s is None


def test_the_csv_has_a_row_a_photo_and_no_formula(tmp_path):
    path = results.write_csv(FOUND, tmp_path)
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    assert [row["photo"] for row in rows][3:] == ["'=cmd().jpg", "bad\\udcff.jpg"]
    assert (rows[0]["species"], rows[0]["confidence_5"], rows[3]["error"]) == (
        "zebra",
        "0.9",
        "is empty",
    )


def test_the_json_has_all_but_the_thumbnails(tmp_path):
    path = results.write_json(FOUND, summary(), tmp_path)
    document = json.loads(path.read_text())
    assert document["summary"]["species"] == {"zebra": 2, "lion & lamb": 1}
    assert len(document["photos"]) == 5
    assert "UklGRg" not in path.read_text()


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_asks_for_nothing_from_outside(language):
    html = page.render(FOUND, summary(), language)
    assert f'<html lang="{language}">' in html
    assert words(language)["title"] in html
    assert not re.search(r"(src|href)=|https?://|@import|url\(", html)
    assert "default-src 'none'" in html


def test_a_name_cannot_leave_the_data_of_the_page():
    html = page.render(FOUND, summary(), "en")
    (data,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', html)
    document = json.loads(data)
    assert document["labels"] == ["zebra", "lion & lamb"]
    assert document["rows"][2][0] == "</script><b>.jpg"
    assert "lion &amp; lamb" in html  # in the chart


def test_the_chart_joins_what_is_rare():
    many = [record(f"{n}.jpg", species=f"s{n}") for n in range(40)]
    html = page.render(many, summary(many), "en")
    assert html.count("<rect") == 16
    assert ">all others</text>" in html


def test_more_photos_than_a_page_holds_go_into_further_pages(tmp_path):
    (tmp_path / "photos-9.html").write_text("of an earlier run")
    written = page.write(FOUND, summary(), "es", tmp_path, per_page=2)
    assert [path.name for path in written] == ["photos.html", "photos-2.html", "photos-3.html"]
    assert sorted(path.name for path in tmp_path.glob("*.html")) == sorted(
        path.name for path in written
    )
    assert '<a href="photos-3.html">3</a>' in written[0].read_text()


def test_a_run_without_any_photo_makes_a_page(tmp_path):
    assert len(page.write([], summary([]), "en", tmp_path)) == 1


def test_spanish_numbers_have_spanish_separators():
    html = page.render(FOUND, summary(timed=12345, duration_s=10.0), "es")
    assert "<b>1.234,5</b> fotos por segundo" in html
