"""The model store: whole versions or none, as BentoML itself reads them."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from bentoml._internal.models import ModelStore

from bentos import store
from bentos.card import Card

KILLED_BEFORE_THE_RENAME = """
import os, signal, sys
from pathlib import Path
sys.path.insert(0, "tests/bentos")
from conftest import Kitchen
from bentos import store
Path.rename = lambda self, target: os.kill(os.getpid(), signal.SIGKILL)
store.publish(Kitchen().cooked(Path(sys.argv[1])), Path(sys.argv[1]))
"""


def published(home: Path) -> list[str]:
    """The tags that BentoML lists."""
    return [str(model.tag) for model in ModelStore(home / "models").list()]


def test_bentoml_reads_what_was_published(kitchen: Any, tmp_path: Path, home: Path) -> None:
    made = kitchen.cooked(tmp_path / "made")
    folder = store.publish(made, tmp_path / "made")
    (model,) = ModelStore(home / "models").list("toy")
    assert str(model.tag) == f"toy:{made.version}"
    assert Path(model.path) == folder == store.find("toy", made.version)
    assert model.info.labels == {
        "project": "bentofleet",
        "runtime": "onnx",
        "simulated": "false",
        "small": "false",
    }
    assert model.info.metadata["bars"] == {"score": 0.95}
    assert ModelStore(home / "models").get("toy:latest").tag == model.tag
    assert json.loads((folder / "card.json").read_text())["version"] == made.version
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert files == {
        *("model.onnx", "golden.json", "golden/a.jpg"),
        *("card.json", "data.json", "model.yaml"),
    }


def test_another_user_can_read_a_published_model(kitchen: Any, tmp_path: Path) -> None:
    folder = store.publish(kitchen.cooked(tmp_path / "made"), tmp_path / "made")
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder, folder / "golden")}
    assert modes == {folder.name: 0o755, "golden": 0o755}


def test_a_publish_that_is_killed_leaves_nothing_visible(
    kitchen: Any, tmp_path: Path, home: Path
) -> None:
    code = [sys.executable, "-c", KILLED_BEFORE_THE_RENAME, str(tmp_path / "killed")]
    root = Path(__file__).parents[2]
    assert subprocess.run(code, cwd=root, check=False).returncode == -signal.SIGKILL
    assert list((home / "publishing").iterdir())
    made = kitchen.cooked(tmp_path / "made")
    assert store.find("toy", made.version) is None
    assert published(home) == []
    store.publish(made, tmp_path / "made")
    assert published(home) == [f"toy:{made.version}"]


def test_a_publish_that_fails_half_way_leaves_nothing(
    kitchen: Any, tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = kitchen.cooked(tmp_path / "made")

    def full(self: Card, folder: Path) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(Card, "write", full)
    with pytest.raises(OSError, match="No space left"):
        store.publish(made, tmp_path / "made")
    assert published(home) == []
    assert list((home / "publishing").iterdir()) == []


def test_what_a_killed_publish_left_is_swept_after_an_hour(
    kitchen: Any, tmp_path: Path, home: Path
) -> None:
    old, fresh = home / "publishing" / "old", home / "publishing" / "fresh"
    for left in (old, fresh):
        left.mkdir(parents=True)
    os.utime(old, (0, 0))
    store.publish(kitchen.cooked(tmp_path / "made"), tmp_path / "made")
    assert (old.exists(), fresh.exists()) == (False, True)


def test_a_version_that_somebody_else_published_meanwhile_stays(
    kitchen: Any, tmp_path: Path, home: Path
) -> None:
    made = kitchen.cooked(tmp_path / "made")
    first = store.publish(made, tmp_path / "made")
    inode = (first / "model.onnx").stat().st_ino
    assert store.publish(made, tmp_path / "made") == first
    assert (first / "model.onnx").stat().st_ino == inode
    assert published(home) == [f"toy:{made.version}"]


def test_latest_follows_what_was_built_last(kitchen: Any, tmp_path: Path, home: Path) -> None:
    first = kitchen.cooked(tmp_path / "first")
    store.publish(first, tmp_path / "first")
    kitchen.parameters["rounds"] = 2
    second = kitchen.cooked(tmp_path / "second")
    store.publish(second, tmp_path / "second")
    latest = home / "models" / "toy" / "latest"
    assert latest.read_text() == second.version != first.version
    store.set_latest("toy", first.version)
    assert latest.read_text() == first.version
    assert len(published(home)) == 2


def test_the_store_is_in_the_build_folder_unless_bentoml_is_told_otherwise(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("BENTOML_HOME")
    assert store.home() == Path(__file__).parents[2] / "build" / "bentoml"
    monkeypatch.setenv("BENTOML_HOME", "/elsewhere")
    assert store.home() == Path("/elsewhere")


def test_cards_come_with_the_latest_first_and_broken_ones_left_out(
    kitchen: Any, tmp_path: Path, home: Path
) -> None:
    versions = []
    for rounds in (1, 2, 3):
        kitchen.parameters["rounds"] = rounds
        made = kitchen.cooked(tmp_path / str(rounds))
        store.publish(made, tmp_path / str(rounds))
        versions.append(made.version)
    store.set_latest("toy", versions[0])
    (home / "models" / "toy" / versions[1] / "card.json").write_text("{")
    assert [card["version"] for card in store.cards("toy")] == [versions[0], versions[2]]
    assert store.latest("toy") == home / "models" / "toy" / versions[0]


@pytest.mark.parametrize("content", ["", "..", "nowhere"], ids=["empty", "a path", "unknown"])
def test_there_is_no_latest_where_its_file_names_no_version(home: Path, content: str) -> None:
    (home / "models" / "toy").mkdir(parents=True)
    (home / "models" / "toy" / "latest").write_text(content)
    assert store.latest("toy") is None
    assert store.latest("nobody") is None
