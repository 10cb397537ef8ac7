"""What is found below a folder, and how it is grouped."""

import pytest

from cameratraps import folder
from cameratraps.folder import PhotoFile


def test_photos_are_found_in_every_folder_by_their_suffix(photos):
    found = folder.find(photos)
    names = [photo.name for photo in found.photos]
    assert names == ["a.jpg", "b.PNG", "deep/d.jpeg", "deep/damaged.jpg", "deep/er/c.webp", "e.jpg"]
    assert found.unreadable == ()


def test_a_file_that_cannot_be_looked_at_is_named_and_nothing_else_is_lost(photos):
    (photos / "gone.jpg").symlink_to(photos / "nowhere.jpg")
    found = folder.find(photos)
    assert found.unreadable == (("gone.jpg", "cannot be read (No such file or directory)"),)
    assert len(found.photos) == 6


def test_links_to_folders_are_not_followed(photos):
    (photos / "deep" / "again").symlink_to(photos)
    assert len(folder.find(photos).photos) == 6


@pytest.mark.parametrize(
    ("name", "message"),
    [("none", "is no folder"), ("empty", "has no JPEG, PNG or WebP files")],
    ids=["missing", "empty"],
)
def test_a_folder_without_photos_is_one_line(tmp_path, name, message):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=message) as caught:
        folder.find(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_groups_keep_within_items_and_bytes():
    files = [
        PhotoFile(name=str(n), size_bytes=size, mtime_ns=0)
        for n, size in enumerate([5, 5, 5, 500, 1])
    ]
    groups = [[p.name for p in g] for g in folder.batches(files, 3, 100, each_bytes=99)]
    assert groups == [["0", "1", "2"], ["3", "4"]]
    assert [len(g) for g in folder.batches(files, 9, 10, each_bytes=10)] == [2, 1, 1, 1]
