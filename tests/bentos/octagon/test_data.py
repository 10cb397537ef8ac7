"""The rendered sets: kept by content, read back whole."""

from dataclasses import replace
from pathlib import Path

import pytest

from bentos.octagon import data
from bentos.octagon.parameters import SMALL

TINY = replace(SMALL, test=6)


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(data, "CACHE", tmp_path / "cache")


def test_a_set_is_rendered_once_and_read_back_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    split = data.splits(TINY)["test"]
    made = data.load(split, TINY)
    assert len(made) == 6

    def never(*_: object) -> None:
        raise AssertionError("it is in the cache")

    monkeypatch.setattr(data, "_render_all", never)
    assert data.load(split, TINY) == made


def test_the_number_of_processes_changes_nothing() -> None:
    split = data.splits(TINY)["test"]
    assert data.load(split, TINY) == [data._render(split, TINY.seed, n) for n in range(6)]


@pytest.mark.parametrize("change", [{"seed": 8}, {"train": 161}], ids=["seed", "count"])
def test_another_input_is_another_version(change: dict[str, int]) -> None:
    assert data.sha256(replace(TINY, **change)) != data.sha256(TINY)  # type: ignore[arg-type]
    assert data.sha256(TINY) == data.sha256(TINY)


def test_how_long_is_trained_is_no_part_of_the_data() -> None:
    assert data.sha256(replace(TINY, epochs=9)) == data.sha256(TINY)
