"""File commands, run for real in a folder of the test."""

import subprocess
from pathlib import Path

from infra.commands import files


def run(argv: list[str], stdin: str = "") -> "subprocess.CompletedProcess[str]":
    return subprocess.run(argv, input=stdin, capture_output=True, text=True, check=False)


def test_a_file_is_replaced_at_once_with_its_mode(tmp_path: Path) -> None:
    path = tmp_path / "a file's name"
    path.write_text("old")

    assert run(files.write(str(path), "0640", 3), "new").returncode == 0

    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == 0o640
    assert [p.name for p in tmp_path.iterdir()] == ["a file's name"]


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "file"

    assert run(files.write(str(path), "0644", 3), "new").returncode != 0
    assert not path.exists()


def test_a_file_that_must_be_new_is_written_once(tmp_path: Path) -> None:
    path = str(tmp_path / "lock")

    first, second = run(files.write_new(path, 3), "one"), run(files.write_new(path, 3), "two")

    assert (first.returncode, second.returncode) == (0, 1)
    assert Path(path).read_text() == "one"
    assert [p.name for p in tmp_path.iterdir()] == ["lock"]


def test_what_a_cut_line_brought_only_in_part_replaces_nothing(tmp_path: Path) -> None:
    path, lock = tmp_path / "file", tmp_path / "lock"
    path.write_text("old")

    assert run(files.write(str(path), "0644", 9), "new").returncode != 0
    assert run(files.write_new(str(lock), 9), "new").returncode != 0

    assert path.read_text() == "old"
    assert not lock.exists()


def test_a_file_that_is_not_there_is_told_from_one_that_cannot_be_read(tmp_path: Path) -> None:
    assert run(files.read(str(tmp_path / "none"))).returncode == 4
    assert run(files.read(str(tmp_path))).returncode not in (0, 4)


def test_a_folder_that_is_not_there_lists_as_empty(tmp_path: Path) -> None:
    done = run(files.list_folder(str(tmp_path / "none")))

    assert (done.returncode, done.stdout) == (0, "")


def test_a_folder_with_something_in_it_stays(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert run(files.remove_empty(str(tmp_path))).returncode == 0
    assert tmp_path.is_dir()


def test_the_age_of_a_file_is_told_in_whole_seconds(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    assert int(run(files.age_s(str(tmp_path / "file"))).stdout) >= 0


def test_modes_of_folders_are_told_and_what_is_none_is_left_out(tmp_path: Path) -> None:
    folder = tmp_path / "a folder"
    folder.mkdir(mode=0o750)
    (tmp_path / "file").touch()

    argv = files.modes([str(folder), str(tmp_path / "file"), str(tmp_path / "none")])

    assert files.parse_modes(run(argv).stdout) == {str(folder): "750"}


def test_a_file_takes_anothers_place_and_where_there_is_none_that_stays(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text("new")
    old.write_text("old")

    assert run(files.move(str(new), str(old))).returncode == 0
    assert (old.read_text(), new.exists()) == ("new", False)
    assert run(files.move(str(new), str(old))).returncode == 0
    assert old.read_text() == "new"
