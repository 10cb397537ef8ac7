"""The two commands that get photos, on recorded answers from a server on loopback."""

import csv
import io
import json
import zipfile
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from PIL import Image

from cameratraps import inaturalist, serengeti, subset
from cameratraps.download import DownloadError

RECORDED = Path(__file__).parent / "recorded"


def jpeg(colour=0):
    out = io.BytesIO()
    Image.new("L", (40, 30), colour).save(out, "JPEG")
    return out.getvalue()


@pytest.fixture
def season(files):
    """Season 1 on the server."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.write(RECORDED / "serengeti.json", "SnapshotSerengetiS01.json")
    files.files["/snapshotserengeti-v-2-0/SnapshotSerengetiS01.json.zip"] = out.getvalue()
    for image in json.loads((RECORDED / "serengeti.json").read_text())["images"]:
        files.files[f"/snapshotserengeti-unzipped/{image['file_name']}"] = jpeg()
    return files


def credit_rows(folder):
    return list(csv.DictReader((folder / "credits.csv").read_text("utf-8").splitlines()))


def run_serengeti(folder, files, client, *more):
    return serengeti.main([str(folder), "--host", files.url, *more], lambda: client)


def test_each_species_gets_its_share_one_photo_a_sequence(season, client, tmp_path):
    assert run_serengeti(tmp_path, season, client, "--limit", "3") == 0
    rows = credit_rows(tmp_path)
    assert sorted(row["label"] for row in rows) == ["lionFemale", "zebra", "zebra"]
    assert {row["licence"] for row in rows} == {"CDLA-Permissive-1.0"}
    assert all((tmp_path / row["file"]).stat().st_size == int(row["size_bytes"]) for row in rows)


def test_a_second_run_gets_only_what_is_missing_or_altered(season, client, tmp_path):
    run_serengeti(tmp_path, season, client, "--limit", "3")
    first = credit_rows(tmp_path)[0]["file"]
    (tmp_path / first).write_bytes(b"altered")
    season.asked.clear()
    assert run_serengeti(tmp_path, season, client, "--limit", "3") == 0
    assert len(season.asked) == 1
    assert len(subset.credits_of(tmp_path)) == 3


def test_asking_for_more_than_there_is_fails_in_one_line(
    season,
    client,
    tmp_path,
    capsys,
):
    code = run_serengeti(tmp_path, season, client, "--limit", "9", "--species", "zebra")
    assert code == 1
    assert "has 2 of 9 photos (0 could not be had)" in capsys.readouterr().err


def test_a_species_that_is_unknown_is_told_with_those_there_are(
    season,
    client,
    tmp_path,
    capsys,
):
    assert run_serengeti(tmp_path, season, client, "--species", "unicorn") == 1
    error = capsys.readouterr().err
    assert "no such category: unicorn (there are empty, gazelleGrants" in error


@pytest.mark.parametrize("content", [b"<html>", jpeg()], ids=["page", "photo"])
def test_metadata_that_is_none_is_removed(files, client, tmp_path, content):
    files.files["/snapshotserengeti-v-2-0/SnapshotSerengetiS01.json.zip"] = content
    with pytest.raises(DownloadError, match="is no COCO Camera Traps metadata"):
        serengeti.metadata(1, tmp_path, client, files.url)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


@pytest.fixture
def api(files):
    """iNaturalist's answer, its photos on this machine."""
    text = (RECORDED / "inaturalist.json").read_text()
    text = text.replace("https://inaturalist-open-data.s3.amazonaws.com", files.url)
    files.files["/observations"] = text.encode()
    for name in ("901/large.jpeg", "902/large.jpg", "903/large.jpg"):
        files.files[f"/photos/{name}"] = jpeg(int(name[:3]) % 256)
    return files


def run_inaturalist(folder, files, client, *more):
    options = [str(folder), "--api", files.url, "--taxon", "Panthera leo", *more]
    return inaturalist.main(options, lambda: client)


def test_only_photos_under_the_licences_asked_for_are_taken(api, client, tmp_path):
    assert run_inaturalist(tmp_path, api, client, "--limit", "2") == 0
    rows = credit_rows(tmp_path)
    assert [(row["file"], row["licence"], row["author"]) for row in rows] == [
        ("panthera_leo/200004_901.jpeg", "CC-BY", "(c) Ana M., some rights reserved (CC BY)"),
        ("panthera_leo/200003_902.jpg", "CC0", "no rights reserved"),
    ]
    assert rows[0]["page"] == "https://www.inaturalist.org/observations/200004"


def test_the_question_names_taxon_grade_and_licences(api, client, tmp_path):
    run_inaturalist(tmp_path, api, client, "--limit", "1", "--licence", "cc-by-nc")
    query = parse_qs(urlsplit(api.asked[0][0]).query)
    assert query["taxon_name"] == ["Panthera leo"]
    assert query["quality_grade"] == ["research"]
    assert query["photo_license"] == ["cc-by-nc"]
    assert [row["licence"] for row in credit_rows(tmp_path)] == ["CC-BY-NC"]


def test_pages_follow_each_other_by_id(files, client, monkeypatch):
    monkeypatch.setattr(inaturalist, "_PER_PAGE", 4)
    files.files["/observations"] = (RECORDED / "inaturalist.json").read_bytes()
    found = inaturalist.observations("41964", ["cc0"], client, files.url)
    assert [each["id"] for _, each in zip(range(5), found, strict=False)][-1] == 200004
    queries = [parse_qs(urlsplit(path).query) for path, _ in files.asked]
    assert queries[0]["taxon_id"] == ["41964"]
    assert queries[1]["id_below"] == ["200001"]


def test_a_photo_that_is_none_is_left_out_and_told(api, client, tmp_path, capsys):
    api.files["/photos/901/large.jpeg"] = b"<html>"
    assert run_inaturalist(tmp_path, api, client, "--limit", "2") == 1
    assert "is no picture" in capsys.readouterr().err
    assert [row["licence"] for row in credit_rows(tmp_path)] == ["CC0"]


def test_an_api_without_observations_is_one_line(files, client, tmp_path, capsys):
    files.files["/observations"] = b"[]"
    assert run_inaturalist(tmp_path, files, client) == 1
    error = capsys.readouterr().err
    assert "answered without observations. Run it again" in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("limit", ["0", "10001"])
@pytest.mark.parametrize("command", [serengeti, inaturalist])
def test_the_number_of_photos_is_bounded(tmp_path, command, limit):
    more = ["--taxon", "x"] if command is inaturalist else []
    with pytest.raises(SystemExit):
        command.main([str(tmp_path), "--limit", limit, *more])
