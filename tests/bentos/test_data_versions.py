"""The manifest of data versions, and the command that checks it."""

import json
from pathlib import Path
from typing import Any

import pytest

from bentos import build, data_versions, lineage, store
from bentos.catalog import MODELS
from bentos.recipe import DataSet

RAW = DataSet(
    name="raw",
    sha256="a" * 64,
    rows=5,
    source="https://example.org/raw.csv",
    step="bentos.toy.data:find",
)
WEEKS = DataSet(
    name="weeks",
    sha256="b" * 64,
    rows=3,
    source="raw, by week",
    step="bentos.toy.data:weeks",
    parameters={"first": "2024-01-01"},
    inputs=("raw",),
)


@pytest.fixture
def toy(kitchen: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The toy with two data sets, in a catalog of its own."""
    from dataclasses import replace

    kitchen.data_sets = (RAW, WEEKS)

    def load(name: str, *, small: bool) -> Any:
        return replace(kitchen.recipe(small=small), data_sets=kitchen.data_sets)

    monkeypatch.setattr(build, "load", load)
    monkeypatch.setattr(data_versions, "MODELS", {"toy": kitchen.recipe().spec})
    return kitchen


def manifest(name: str) -> Any:
    """data.json of the latest version."""
    folder = store.latest(name)
    assert folder
    return json.loads((folder / "data.json").read_text())


def test_the_manifest_leads_from_the_source_to_each_file(toy: Any) -> None:
    version = build.build("toy", small=False)
    read = manifest("toy")
    assert read["model"] == f"toy:{version}"
    assert list(read["data"]) == ["raw", "weeks"]
    made_at = read["made_at"]
    assert read["data"]["weeks"] == {
        "sha256": "b" * 64,
        "rows": 3,
        "source": "raw, by week",
        "step": "bentos.toy.data:weeks",
        "parameters": {"first": "2024-01-01"},
        "inputs": ["raw"],
        "made_at": made_at,
    }
    made = read["made"]
    assert (made["step"], made["inputs"]) == ("bentos.toy.recipe:recipe", ["raw", "weeks"])
    assert made["files"].keys() == {"model.onnx", "golden.json", "golden/a.jpg"}
    assert made["parameters"] == {"rounds": 1, "small": False}


def test_a_recipe_that_names_no_data_sets_has_one(kitchen: Any) -> None:
    (only,) = lineage.data_sets(kitchen.recipe())
    assert (only.name, only.sha256, only.rows) == ("data", "0" * 64, 3)


def test_another_data_set_makes_another_version(toy: Any) -> None:
    first = build.build("toy", small=False)
    toy.data_sets = (RAW,)
    assert build.build("toy", small=False) != first


def test_what_is_as_recorded_is_shown_as_a_chain(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    version = build.build("toy", small=False)
    assert data_versions.main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    lines = out.splitlines()
    assert lines[0].startswith(f"toy:{version}, made ")
    assert lines[1:3] == [
        "  raw aaaaaaaaaaaa, 5 rows <- bentos.toy.data:find <- https://example.org/raw.csv",
        "  weeks bbbbbbbbbbbb, 3 rows <- bentos.toy.data:weeks <- raw",
    ]
    assert any(
        line.startswith("  model.onnx ") and line.endswith(" <- raw, weeks") for line in lines
    )


def test_data_that_changed_is_named(toy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    version = build.build("toy", small=False)
    toy.data_sets = (RAW,)
    assert data_versions.main(["--model", "toy"]) == 1
    err = capsys.readouterr().err
    assert err.startswith(f"toy: the data at hand is not what toy:{version} was made from (")
    assert "data set weeks.sha256 is nothing instead of bbbbbbbbbbbb" in err
    assert err.endswith("). Put it back, or run make models.\n")


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(None, "toy: no version is published. Run make models.\n", id="not made yet"),
        pytest.param("model.onnx", "is damaged (model.onnx cannot be read", id="a file is gone"),
        pytest.param("data.json", "is damaged (data.json cannot be read", id="no manifest"),
    ],
)
def test_what_cannot_be_checked_is_one_line(
    toy: Any, capsys: pytest.CaptureFixture[str], damage: str | None, words: str
) -> None:
    if damage:
        build.build("toy", small=False)
        folder = store.latest("toy")
        assert folder
        (folder / damage).unlink()
    assert data_versions.main([]) == 1
    err = capsys.readouterr().err
    assert words in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("name", MODELS)
def test_every_step_of_every_model_names_a_function_that_there_is(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    from bentos.energy import data

    def unreachable(url: str) -> bytes:
        raise OSError("no network here")

    monkeypatch.delenv("BENTOFLEET_DATA_DIR", raising=False)
    monkeypatch.setattr(data, "CACHE", Path("/nowhere"))
    monkeypatch.setattr(data, "_fetch", unreachable)
    for each in lineage.data_sets(build.load(name, small=True)):
        module, function = each.step.split(":")
        assert callable(getattr(importlib.import_module(module), function))
