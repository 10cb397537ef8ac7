"""The build: what is made, what is not made again, and what is not published."""

from pathlib import Path
from typing import Any

import pytest

from bentos import build, recipe, store
from bentos.recipe import BuildError


@pytest.fixture
def toy(kitchen: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """A catalog with the toy alone, whose code is a file that a test may change."""
    code = tmp_path / "root" / "bentos"
    (code / "toy").mkdir(parents=True)
    for name in recipe._SHARED_CODE:
        (code / name).write_text("# one\n")
    (code / "toy" / "features.py").write_text("# one\n")
    monkeypatch.setattr(recipe, "ROOT", code.parent)
    monkeypatch.setattr(build, "MODELS", {"toy": kitchen.recipe().spec})
    monkeypatch.setattr(build, "load", lambda name, *, small: kitchen.recipe(small=small))
    kitchen.folder = code
    return kitchen


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit status and what was written."""
    status = build.main(arguments)
    return (status, *capsys.readouterr())


def test_a_new_model_is_made_and_published(toy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run(capsys)
    version = toy.recipe().version()
    assert (status, err, toy.made) == (0, "", 1)
    assert out.startswith(f"toy: published (toy:{version})")
    assert store.find("toy", version)


def test_a_second_run_makes_nothing(toy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys)
    status, out, err = run(capsys)
    assert (status, err, toy.made) == (0, "", 1)
    assert out == f"toy: up to date (toy:{toy.recipe().version()})\n"


def change_code(toy: Any) -> None:
    """Changes a file of the model."""
    (toy.folder / "toy" / "features.py").write_text("# two\n")


def change_shared_code(toy: Any) -> None:
    """Changes a file that all models are made with."""
    (toy.folder / "parity.py").write_text("# two\n")


def add_code(toy: Any) -> None:
    """Adds a file to the model."""
    (toy.folder / "toy" / "more.py").write_text("# more\n")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda toy: setattr(toy, "sha256", "1" * 64), id="the data"),
        pytest.param(lambda toy: setattr(toy, "parameters", {"rounds": 2}), id="a parameter"),
        pytest.param(lambda toy: setattr(toy, "frameworks", ("numpy", "pillow")), id="frameworks"),
        pytest.param(change_code, id="the model's code"),
        pytest.param(add_code, id="a new file"),
        pytest.param(change_shared_code, id="shared code"),
    ],
)
def test_a_changed_input_makes_a_new_version(
    toy: Any, capsys: pytest.CaptureFixture[str], change: Any
) -> None:
    run(capsys)
    before = toy.recipe().version()
    change(toy)
    assert run(capsys)[0] == 0
    assert toy.made == 2
    assert toy.recipe().version() != before


def test_inputs_that_change_back_make_nothing_and_are_the_latest_again(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    run(capsys)
    first = toy.recipe().version()
    toy.parameters["rounds"] = 2
    run(capsys)
    toy.parameters["rounds"] = 1
    assert run(capsys)[1] == f"toy: up to date (toy:{first})\n"
    assert (home / "models" / "toy" / "latest").read_text() == first


def cut(path: Path) -> None:
    """As a full disk or a broken copy leaves a file."""
    path.write_bytes(path.read_bytes()[:-1])


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(
            lambda folder: cut(folder / "model.onnx"),
            "model.onnx was cut off or altered after it was published",
            id="the graph is cut off",
        ),
        pytest.param(
            lambda folder: (folder / "model.onnx").write_bytes(b"GRAPH" * 1000),
            "model.onnx was cut off or altered after it was published",
            id="the graph is another",
        ),
        pytest.param(
            lambda folder: (folder / "golden.json").write_text("{ }"),
            "golden.json was cut off or altered after it was published",
            id="the golden answers are others",
        ),
        pytest.param(
            lambda folder: (folder / "golden" / "a.jpg").unlink(),
            "golden/a.jpg cannot be read (No such file or directory)",
            id="a golden photo is gone",
        ),
        pytest.param(
            lambda folder: (folder / "model.onnx").unlink(),
            "model.onnx cannot be read (No such file or directory)",
            id="the graph is gone",
        ),
        pytest.param(
            lambda folder: (folder / "card.json").unlink(),
            "card.json cannot be read",
            id="the card is gone",
        ),
        pytest.param(
            lambda folder: cut(folder / "card.json"),
            "card.json cannot be read",
            id="the card is cut off",
        ),
        pytest.param(
            lambda folder: (folder / "card.json").write_text("[]"),
            "card.json is no object",
            id="the card is a list",
        ),
        pytest.param(
            lambda folder: (folder / "card.json").write_text("{}"),
            "card.json does not tell the sha256 of model.onnx and golden.json",
            id="the card is empty",
        ),
    ],
)
def test_a_published_model_that_was_damaged_is_told_and_made_again(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path, damage: Any, reason: str
) -> None:
    run(capsys)
    version = toy.recipe().version()
    damage(home / "models" / "toy" / version)
    status, out, err = run(capsys)
    assert (status, err, toy.made) == (0, "", 2)
    told = f"toy: toy:{version} is damaged ({reason}"
    assert out.startswith(told)
    assert store.fault("toy", version) is None
    assert run(capsys)[1] == f"toy: up to date (toy:{version})\n"
    assert list((home / "publishing").iterdir()) == []


def test_a_damaged_model_stays_until_there_is_a_better_one(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    run(capsys)
    version = toy.recipe().version()
    (home / "models" / "toy" / version / "golden.json").unlink()
    toy.score = 0.5
    assert run(capsys)[0] == 1
    assert store.find("toy", version)


@pytest.mark.parametrize(
    "content", ["", "nowhere", "../../etc"], ids=["empty", "an unknown version", "a path"]
)
def test_a_latest_that_points_nowhere_is_set_right(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path, content: str
) -> None:
    run(capsys)
    (home / "models" / "toy" / "latest").write_text(content)
    assert run(capsys)[0] == 0
    assert toy.made == 1
    assert (home / "models" / "toy" / "latest").read_text() == toy.recipe().version()


def test_the_small_variant_has_a_version_of_its_own(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    run(capsys, "--small")
    assert toy.made == 2
    assert store.find("toy", toy.recipe(small=True).version())
    assert toy.recipe(small=True).version() != toy.recipe().version()


def test_a_model_below_its_bar_is_not_published(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    toy.score = 0.5
    assert run(capsys) == (
        1,
        "",
        "toy: score is 0.5, below its bar of 0.9. The model is not published. Look at its data and "
        "parameters; the bar stands in bentos/toy/spec.py.\n",
    )
    assert not (home / "models").exists()
    toy.score = 0.95
    assert run(capsys)[0] == 0


@pytest.mark.parametrize(
    ("fault", "status", "line"),
    [
        pytest.param(BuildError("it is empty"), 1, "it is empty\n", id="what the build tells"),
        pytest.param(
            OSError(28, "No space left on device"),
            1,
            "toy: cannot be built ([Errno 28] No space left on device). Mend that and run it "
            "again.\n",
            id="the disk is full",
        ),
        pytest.param(
            KeyboardInterrupt(),
            130,
            "toy: interrupted. Run it again, it goes on from what is there.\n",
            id="ctrl-c",
        ),
    ],
)
def test_a_failure_is_one_line(
    toy: Any, capsys: pytest.CaptureFixture[str], fault: BaseException, status: int, line: str
) -> None:
    def fail(folder: Path) -> None:
        raise fault

    toy.make = fail
    assert run(capsys) == (status, "", line)


def test_a_missing_framework_is_one_line(toy: Any, capsys: pytest.CaptureFixture[str]) -> None:
    toy.frameworks = ("no-such-package",)
    line = "toy: the package no-such-package is not installed. Run `uv sync`.\n"
    assert run(capsys) == (1, "", line)


def test_a_model_worse_than_the_live_one_is_not_published(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    run(capsys)
    live = toy.recipe().version()
    toy.parameters["rounds"], toy.score = 2, 0.92
    status, _, err = run(capsys)
    assert status == 1
    assert err == (
        f"toy: score is 0.92, worse than 0.95 of the published toy:{live} (by at most 0 is "
        "allowed). The model is not published. Look at what changed, or accept it with "
        "--accept-worse REASON.\n"
    )
    assert (home / "models" / "toy" / "latest").read_text() == live


def test_a_worse_model_is_published_with_a_reason_that_its_card_keeps(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    live = toy.recipe().version()
    toy.sha256, toy.score = "1" * 64, 0.92
    reason = "new meters since March"
    assert run(capsys, "--model", "toy", "--accept-worse", reason)[0] == 0
    compared = store.cards("toy")[0]["compared"]
    assert (compared["live_version"], compared["accepted"]) == (live, reason)


@pytest.mark.parametrize(
    "arguments",
    [("--accept-worse", "why"), ("--model", "toy", "--accept-worse", " ")],
    ids=["for every model", "without a reason"],
)
def test_accepting_worse_needs_one_model_and_a_reason(
    toy: Any, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        run(capsys, *arguments)
    assert "--accept-worse wants a reason" in capsys.readouterr().err
    assert toy.made == 0


def test_a_small_variant_is_never_compared_with_a_full_one(
    toy: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    run(capsys)
    toy.score = 0.91
    assert run(capsys, "--small")[0] == 0
    toy.score, toy.parameters["rounds"] = 0.94, 2
    assert "worse than 0.95" in run(capsys)[2]  # of the full one, though the small one is latest


def test_a_damaged_model_that_is_made_again_is_not_compared_with_itself(
    toy: Any, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    run(capsys)
    (home / "models" / "toy" / toy.recipe().version() / "model.onnx").unlink()
    toy.score = 0.93
    assert run(capsys)[0] == 0


@pytest.mark.parametrize("score", [0.95, 0.5], ids=["published", "refused"])
def test_every_model_that_is_made_is_recorded(
    toy: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, score: float
) -> None:
    recorded = []
    monkeypatch.setattr(build.journal, "record", lambda *given: recorded.append(given))
    toy.score = score
    run(capsys)
    (made, _, duration_s, refused) = recorded[0]
    assert (made.name, bool(refused), duration_s >= 0) == ("toy", score == 0.5, True)
    toy.score = 0.95
    run(capsys)
    run(capsys)
    assert len(recorded) == 1 + (score == 0.5)
