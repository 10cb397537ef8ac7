"""How much room is left, asked for real on this machine."""

import shutil
import subprocess
from pathlib import Path

import pytest

from infra.commands import disk
from infra.commands.disk import GIB, Room


def ask(*folders: Path) -> list[Room]:
    argv = disk.ask([str(folder) for folder in folders])
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    return disk.parse(done.stdout)


def test_a_folder_that_is_not_there_yet_counts_as_its_parent(tmp_path: Path) -> None:
    later = tmp_path / "not there" / "yet"

    here, there = ask(tmp_path, later)

    assert (here.path, there.path) == (str(tmp_path), str(later))
    free = shutil.disk_usage(tmp_path).free
    for room in (here, there):
        assert abs(room.free_bytes - free) < GIB


def test_a_file_system_without_a_table_of_files_has_no_limit() -> None:
    (room,) = disk.parse("1000 4096 0 0 /var/lib/a folder\n")

    assert room == Room(path="/var/lib/a folder", free_bytes=4096000, free_files=None)
    assert disk.shortage(room, 1) is None


@pytest.mark.parametrize(
    ("free_bytes", "free_files", "told"),
    [
        (3 * GIB, 50_000, None),
        (3 * GIB - 1, 50_000, "3 GiB free for /x, needs 3"),
        (GIB // 2, 50_000, "0.5 GiB free for /x, needs 3"),
        (3 * GIB, 49_999, "49999 files free for /x, needs 50000"),
    ],
    ids=["enough", "a byte less", "half a GiB", "out of files"],
)
def test_a_shortage_says_what_is_missing(
    free_bytes: int, free_files: int, told: str | None
) -> None:
    room = Room(path="/x", free_bytes=free_bytes, free_files=free_files)

    assert disk.shortage(room, disk.STORE_BYTES) == told


def test_each_engine_is_asked_where_it_keeps_images() -> None:
    assert disk.store("podman") == ["podman", "info", "--format", "{{.Store.GraphRoot}}"]
    assert disk.store("docker") == ["docker", "info", "--format", "{{.DockerRootDir}}"]
