"""`make reproduce`: passes on the same inputs, fails when a seed, a row or a parameter changed."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bentos import build, store
from bentos.energy import data, recipe, simulator
from bentos.energy.parameters import SMALL
from bentos.recipe import Data
from bentos.reproduce import __main__ as reproduce
from bentos.reproduce import closeness, remade, report
from bentos.reproduce.closeness import Comparison

TINY = replace(SMALL, rounds=15, row_step=20)
"""Seconds instead of the small variant's half a minute; too few rows to reach the bars."""

Made = dict[str, Any]


def found(content: bytes) -> tuple[bytes, Data]:
    """What `data.find` gives for these bytes."""
    sha256 = hashlib.sha256(content).hexdigest()
    made = Data(
        source="made up",
        sha256=sha256,
        rows=data.ROWS,
        simulated=True,
        licence="Apache-2.0",
        citation="nobody",
    )
    return content, made


@pytest.fixture(scope="module")
def content() -> bytes:
    """A year of rows."""
    return simulator.make_csv(data.HEADER)


@pytest.fixture(scope="module")
def published(content: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The home of a store with the tiny variant of energy."""
    home = tmp_path_factory.mktemp("published")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        patch.setattr(recipe, "SPEC", replace(recipe.SPEC, bars=(), primary=None))
        patch.setattr(recipe, "SMALL", TINY)
        patch.setattr(data, "find", lambda: found(content))
        patch.setattr(build.rule, "refusals", lambda card: [])
        patch.setattr(build, "_compared", lambda recipe, made, accepted: made)
        build.build("energy", small=True)
        yield home


@pytest.fixture
def again(published: Path, content: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Runs the command after changes; gives status, the model's part of the report, the page."""
    monkeypatch.setenv("BENTOML_HOME", str(published))

    def run(parameters: Any = TINY, bytes_now: bytes = content) -> tuple[int, Made, str]:
        monkeypatch.setattr(recipe, "SMALL", parameters)
        monkeypatch.setattr(data, "find", lambda: found(bytes_now))
        status = reproduce.main(["--model", "energy", "--small", "--out", str(tmp_path)])
        report = json.loads((tmp_path / "reproduce.json").read_text())
        return status, report["models"][0], (tmp_path / "reproduce.md").read_text()

    return run


@pytest.mark.train
def test_the_same_inputs_give_the_same_model(
    again: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    status, made, page = again()
    out, err = capsys.readouterr()
    assert (status, err) == (0, "")
    assert made["reproduced"] is True
    assert made["inputs"] == []
    assert made["metrics"]["compared"] > 200
    assert made["metrics"]["largest"] == made["answers"]["largest"] == 0
    assert made["answers"]["compared"] == 36
    assert "energy: made again in" in out
    assert "| energy |" in page


def changed_row(content: bytes) -> bytes:
    """The same with one zone's power of one row doubled."""
    lines = content.split(b"\n")
    cells = lines[1].split(b",")
    cells[-1] = str(2 * float(cells[-1])).encode()
    lines[1] = b",".join(cells)
    return b"\n".join(lines)


@pytest.mark.train
@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param(
            lambda content: {"parameters": replace(TINY, seed=8)},
            "parameter seed is 8 instead of 7",
            id="the seed",
        ),
        pytest.param(
            lambda content: {"parameters": replace(TINY, depth=4)},
            "parameter depth is 4 instead of 5",
            id="a parameter",
        ),
        pytest.param(
            lambda content: {"bytes_now": changed_row(content)},
            "data set tetouan.sha256 is ",
            id="a row",
        ),
    ],
)
def test_a_changed_input_fails_by_its_name_and_by_what_comes_out(
    again: Any, content: bytes, capsys: pytest.CaptureFixture[str], change: Any, named: str
) -> None:
    status, made, page = again(**change(content))
    (line,) = capsys.readouterr().err.splitlines()
    assert status == 1
    assert made["reproduced"] is False
    assert [text for text in made["inputs"] if text.startswith(named)]
    assert made["metrics"]["beyond"]
    assert line.startswith("energy: energy:")
    assert f"was not reproduced ({named}" in line
    assert line.endswith("Put the inputs back, or publish what is there with make models.")
    assert named in page


@pytest.mark.train
def test_a_seed_that_nobody_wrote_down_shows_in_the_golden_answers(
    published: Path, again: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the recipe hid it: the inputs are the same, the answers are not."""
    monkeypatch.setattr(reproduce.inputs, "differences", lambda *given: [])
    status, made, _ = again(parameters=replace(TINY, seed=8))
    assert (status, made["inputs"]) == (1, [])
    assert made["answers"]["beyond"]


@pytest.fixture
def toy(kitchen: Any, monkeypatch: pytest.MonkeyPatch, linear: Any) -> Any:
    """The toy with a graph, published."""
    graph = linear([[2.0]])

    def make(folder: Path) -> Any:
        outcome = type(kitchen).make(kitchen, folder)
        (folder / "model.onnx").write_bytes(graph.read_bytes())
        (folder / "golden.json").write_text(
            json.dumps({"tolerance": 0.1, "items": [{"input": {"a": 1.0}, "answer": {"y": 2.0}}]})
        )
        return outcome

    kitchen.make = make
    monkeypatch.setattr(build, "load", lambda name, *, small: kitchen.recipe(small=small))
    monkeypatch.setattr(reproduce, "MODELS", {"toy": kitchen.recipe().spec})
    monkeypatch.setattr(
        reproduce.replay, "answers", lambda spec, graph, folder: ([{"y": 2.0}], [{"y": 2.0}])
    )
    return kitchen


def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, Any]:
    """Status, standard error and report."""
    status = reproduce.main(["--out", str(tmp_path / "out")])
    report = json.loads((tmp_path / "out" / "reproduce.json").read_text())
    return status, capsys.readouterr().err, report


def test_a_toy_is_reproduced(toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    build.build("toy", small=False)
    assert run(tmp_path, capsys)[:2] == (0, "")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"frameworks": ("numpy", "onnx")}, "package onnx is ", id="a package"),
        pytest.param({"simulated": True}, "simulated is True instead of False", id="simulated"),
        pytest.param(
            {"sha256": "1" * 64},
            "data set data.sha256 is 111111111111 instead of 000000000000",
            id="the data",
        ),
    ],
)
def test_other_inputs_are_named(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any, named: str
) -> None:
    build.build("toy", small=False)
    for name, value in change.items():
        setattr(toy, name, value)
    status, err, report = run(tmp_path, capsys)
    assert status == 1
    assert named in err
    assert report["reproduced"] is False


def test_changed_code_is_named(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    build.build("toy", small=False)
    sums = {**toy.recipe().code_sums(), "bentos/card.py": "f" * 64}
    monkeypatch.setattr("bentos.recipe.Recipe.code_sums", lambda self: sums)
    assert "code bentos/card.py is ffffffffffff instead of " in run(tmp_path, capsys)[1]


def test_a_metric_that_comes_out_otherwise_is_named(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.build("toy", small=False)
    toy.score = 0.951
    status, err, report = run(tmp_path, capsys)
    assert status == 1
    assert "1 of 1 metrics are beyond 1e-06, first score with 0.951 instead of 0.95" in err
    assert report["models"][0]["metrics"]["beyond"][0]["name"] == "score"


def test_a_model_that_was_never_published_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status, err, report = run(tmp_path, capsys)
    assert (status, err) == (1, "toy: no version is published. Run make models.\n")
    assert report["faults"] == [err.strip()]


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), "is damaged (", id="a file"),
        pytest.param(lambda folder: (folder / "card.json").unlink(), "is damaged (", id="the card"),
        pytest.param(
            lambda folder: strip(folder), "has no data.json that can be read", id="an older version"
        ),
    ],
)
def test_a_damaged_model_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any, words: str
) -> None:
    build.build("toy", small=False)
    folder = store.latest("toy")
    damage(folder)
    status, err, _ = run(tmp_path, capsys)
    assert status == 1
    assert words in err
    assert err.count("\n") == 1


def strip(folder: Path) -> None:
    """Makes a model as it was published before there were manifests."""
    (folder / "data.json").unlink()
    card = json.loads((folder / "card.json").read_text())
    del card["files"]["data.json"]
    (folder / "card.json").write_text(json.dumps(card))


def test_a_report_that_cannot_be_written_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.build("toy", small=False)
    (tmp_path / "out").write_text("")
    assert reproduce.main(["--out", str(tmp_path / "out")]) == 1
    assert "the report cannot be written" in capsys.readouterr().err


def test_a_full_disk_is_one_line(
    toy: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    build.build("toy", small=False)

    def fail(folder: Path) -> None:
        raise OSError(28, "No space left on device")

    toy.make = fail
    status, err, _ = run(tmp_path, capsys)
    line = "toy: cannot be made again ([Errno 28] No space left on device). Mend that and run it"
    assert (status, err) == (1, f"{line} again.\n")


def test_ctrl_c_is_one_line(
    toy: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(name: str, *, small: bool) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(reproduce, "reproduce", stop)
    assert reproduce.main([]) == 130
    assert capsys.readouterr().err == "toy: interrupted, nothing was reported. Run it again.\n"


@pytest.mark.parametrize(
    ("published", "found", "beyond"),
    [
        pytest.param({"a": 1.0}, {"a": 1.05}, [], id="close"),
        pytest.param({"a": 1.0}, {"a": 1.2}, ["a"], id="far"),
        pytest.param({"a": 1000.0}, {"a": 1050.0}, [], id="large, close in relation"),
        pytest.param({"a": [1, {"b": "x"}]}, {"a": [1, {"b": "y"}]}, ["a.1.b"], id="another text"),
        pytest.param({"a": True}, {"a": False}, ["a"], id="another truth"),
        pytest.param({"a": True}, {"a": 1}, [], id="true is one"),
        pytest.param({"a": 1}, {}, ["a"], id="gone"),
        pytest.param({}, {"a": 1}, ["a"], id="new"),
        pytest.param({"a": None}, {"a": None}, [], id="nothing"),
        pytest.param({"a": 1.0}, {"a": float("nan")}, ["a"], id="not a number"),
        pytest.param({"train_s": 1.0}, {"train_s": 9.0}, [], id="a time"),
    ],
)
def test_what_differs_too_much_is_named(published: Any, found: Any, beyond: list[str]) -> None:
    skipped = closeness.compare(
        published, found, 0.1, relative=True, skipped=lambda name: name.endswith("_s")
    )
    assert [each.name for each in skipped.beyond] == beyond


def test_the_report_is_json_even_where_a_difference_is_infinite(tmp_path: Path) -> None:
    comparison = closeness.compare({"a": 1.0}, {"a": float("nan")}, 0.1)
    fine = Comparison(tolerance=1, relative=False, compared=0, largest=0, beyond=())
    result = remade.Result(
        name="toy", version="a", duration_s=1, inputs=(), metrics=comparison, answers=fine
    )
    report.write(tmp_path, [result], [])
    beyond = json.loads((tmp_path / "reproduce.json").read_text())["models"][0]["metrics"]["beyond"]
    assert beyond == [{"name": "a", "published": 1.0, "again": "nan", "difference": "inf"}]
