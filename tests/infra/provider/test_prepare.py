"""A host made ready, on real folders: what is made, and what makes it refuse."""

import time
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from infra.commands import clock
from infra.connection import COMMAND_TIMEOUT_S, Done, Local
from infra.host import Host, Paths
from infra.provider import prepare
from infra.provider.machine import Machine
from infra.provider.prepare import Prepare
from infra.provider.resource import AS_DECLARED, Refused

HOST = Host(
    name="here",
    address="127.0.0.1",
    connection="local",
    accelerator="cpu",
    stack="demo",
    ports_from=21000,
)


class Place(Local):
    """This machine without systemd, its stack's folder being the test's, its clock as set."""

    def __init__(self, root: Path) -> None:
        super().__init__(HOST)
        self.root = root
        self.ahead_s = 0.0
        self.refusal = ""

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self.root)))

    def run(
        self, argv: Sequence[str], stdin: str = "", timeout_s: float = COMMAND_TIMEOUT_S
    ) -> Done:
        if argv[-1] == prepare.SYSTEMD_RUNS:
            return Done(1, "", "")
        if list(argv) == clock.now():
            return Done(0, f"{time.time() + self.ahead_s:.0f}\n", "")
        if self.refusal and "mkdir" in argv[2]:
            return Done(1, "", self.refusal + "\n")
        return super().run(argv, stdin, timeout_s)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    place = Place(tmp_path / "lib" / "demo")
    monkeypatch.setattr(prepare, "machine_of", lambda _: Machine(HOST, place, "podman"))
    return place


def create() -> dict[str, Any]:
    console: Any = None  # nothing is told
    return Prepare().create({}, console)


def test_what_was_made_is_found_as_declared(place: Place) -> None:
    outputs = create()

    assert outputs["folder"] == str(place.root)
    assert sorted(p.name for p in place.root.iterdir()) == ["edge", "keys", "releases", "start"]
    assert set(Prepare().look({}).values()) == {AS_DECLARED}
    assert set(Prepare().look({})) == set(Prepare().parts({}))


def test_making_it_again_changes_nothing(place: Place) -> None:
    create()
    before = {p: p.stat().st_mtime_ns for p in place.root.rglob("*")}

    create()

    assert {p: p.stat().st_mtime_ns for p in place.root.rglob("*")} == before


@pytest.mark.parametrize("ahead_s", [95, -95], ids=["ahead", "behind"])
def test_a_clock_that_is_off_is_refused_before_anything_is_made(
    place: Place, ahead_s: float
) -> None:
    place.ahead_s = ahead_s

    with pytest.raises(Refused) as caught:
        create()

    told = str(caught.value)
    assert told.startswith("here: its clock is off (got 20")
    assert told.count(" UTC") == 2
    assert told.endswith("`sudo timedatectl set-ntp true`; they may differ by 30 s.")
    assert not place.root.exists()


@pytest.mark.parametrize("ahead_s", [20, -20], ids=["ahead", "behind"])
def test_a_clock_that_is_a_little_off_is_taken(place: Place, ahead_s: float) -> None:
    place.ahead_s = ahead_s

    create()

    assert Prepare().look({})["clock"] == AS_DECLARED


def test_a_clock_that_went_wrong_later_shows_by_itself(place: Place) -> None:
    create()
    place.ahead_s = -7200

    found = Prepare().look({})

    assert found["clock"].startswith("off by 7")
    assert [part for part, words in found.items() if words != AS_DECLARED] == ["clock"]


def test_a_folder_that_may_not_be_made_is_told_with_its_cure(place: Place) -> None:
    place.refusal = f"mkdir: cannot create directory '{place.root}': Permission denied"

    with pytest.raises(Refused) as caught:
        create()

    assert str(caught.value) == (
        f"here: the folder {place.root} cannot be written to (mkdir: cannot create directory "
        f"'{place.root}': Permission denied). Give it to the user who runs this: "
        f"sudo chown -R $USER {place.root}"
    )


def test_a_file_in_the_folders_place_is_told(place: Place) -> None:
    place.root.parent.mkdir()
    place.root.write_text("mine")

    with pytest.raises(Refused, match=r"cannot be written to \(mkdir: .*\)\. Move away the file"):
        create()

    assert place.root.read_text() == "mine"


def test_a_folder_that_somebody_removed_is_named(place: Place) -> None:
    create()
    (place.root / "keys").rmdir()

    assert Prepare().look({})["folder"] == "keys removed"
