"""Getting files: going on, trying again, and refusing what is wrong. Loopback only."""

import base64
import hashlib

import pytest

from cameratraps.download import DownloadError

CONTENT = bytes(range(256)) * 40


def test_a_download_that_breaks_off_goes_on_where_it_was(files, client, tmp_path):
    files.files["/a"] = CONTENT
    files.cut = 4000
    path = client.file(f"{files.url}/a", tmp_path / "a", 20_000)
    assert path.read_bytes() == CONTENT
    assert [asked for _, asked in files.asked] == [None, "bytes=4000-"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a"]


def test_a_part_of_another_file_is_begun_anew(files, client, tmp_path):
    files.files["/a"] = CONTENT
    (tmp_path / "a.part").write_bytes(bytes(50_000))
    assert client.file(f"{files.url}/a", tmp_path / "a", 60_000).read_bytes() == CONTENT


def test_a_busy_server_is_asked_again_and_a_missing_file_is_not(files, client, tmp_path):
    files.files["/a"] = CONTENT
    files.script.extend([503, 429])
    client.file(f"{files.url}/a", tmp_path / "a", 20_000)
    assert len(files.asked) == 3
    with pytest.raises(DownloadError, match="status 404"):
        client.file(f"{files.url}/b", tmp_path / "b", 20_000)
    assert len(files.asked) == 4


@pytest.mark.parametrize(
    ("kept", "headers", "most", "message"),
    [
        (b"", [], 1000, "is larger than what is taken"),
        (b"", [("x-goog-hash", "crc32c=AA=="), ("x-goog-hash", "md5=AAAA")], 20_000, "checksum"),
        (b"x" * 12_000, [], 20_000, "should have"),
    ],
    ids=["too large", "damaged", "part of another file"],
)
def test_what_is_wrong_is_not_kept(files, client, tmp_path, kept, headers, most, message):
    files.files["/a"] = CONTENT
    files.headers = headers
    if kept:  # the server takes no ranges, and tells another size than arrives
        files.files["/a"] = CONTENT + bytes(5000)
        files.headers = [("Content-Range", "bytes 0-1/99")]
    with pytest.raises(DownloadError, match=message):
        client.file(f"{files.url}/a", tmp_path / "a", most)
    assert list(tmp_path.iterdir()) == []


def test_the_checksum_of_googles_store_is_compared(files, client, tmp_path):
    files.files["/a"] = CONTENT
    md5 = base64.b64encode(hashlib.md5(CONTENT, usedforsecurity=False).digest()).decode()
    files.headers = [("x-goog-hash", "crc32c=AA=="), ("x-goog-hash", f"md5={md5}")]
    assert client.file(f"{files.url}/a", tmp_path / "a", 20_000).exists()


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/a"])
def test_only_http_is_asked(client, tmp_path, url):
    with pytest.raises(DownloadError, match="should begin with https"):
        client.file(url, tmp_path / "a", 1000)


def test_a_server_that_answers_with_a_page_is_told(files, client):
    files.files["/api"] = b"<html>"
    with pytest.raises(DownloadError, match="is no JSON"):
        client.document(f"{files.url}/api")
