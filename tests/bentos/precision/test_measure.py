"""The rule, the figures of a small model, and the page."""

import json
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bentos import golden
from bentos.precision import __main__ as command
from bentos.precision import measure, page
from bentos.precision.measure import Figures, decide
from bentos.scored import Scored

ROOT = Path(__file__).parents[3]


def form(name, speed=1.0, *, score=0.9, golden_difference=0.0, reason=None):
    """A form whose rounds were all alike."""
    return Figures(
        form=name,
        reason=reason,
        speed=(speed, speed, speed),
        scores={"top_1": score},
        golden_difference=golden_difference,
    )


FP32 = form("fp32")


@pytest.mark.parametrize(
    ("forms", "tolerance", "serve", "why"),
    [
        ([form("fp16", 1.2), form("int8", 1.8)], 0.0, "int8", "1.80 times as fast"),
        ([form("fp16", 1.2), form("int8", 1.8, score=0.8)], 0.0, "fp16", "1.20 times as fast"),
        ([form("int8", 1.8, score=0.8)], 0.0, "fp32", "int8 loses 0.1000 of top_1"),
        ([form("int8", 1.8, score=0.8995)], 0.001, "int8", "loses nothing"),
        ([form("int8", 1.8, score=float("nan"))], 0.5, "fp32", "int8 loses nan"),
        ([form("fp16", 1.04)], 0.0, "fp32", "fp16 is not faster by 5%"),
        ([form("fp16", reason="trees")], 0.0, "fp32", "there is no other form"),
        ([form("fp16", 1.5, golden_difference=0.2)], None, "fp32", "golden questions otherwise"),
        ([form("fp16", 1.5, golden_difference=None)], None, "fp32", "golden questions otherwise"),
        ([form("fp16", 1.5, golden_difference=0.05)], None, "fp16", "loses nothing"),
    ],
)
def test_the_fastest_form_that_loses_nothing_is_served(forms, tolerance, serve, why):
    found = decide((FP32, *forms), tolerance, golden_tolerance=0.1)
    assert found[0] == serve
    assert why in found[1]


@pytest.fixture
def toy(linear, kitchen, tmp_path, monkeypatch):
    """A published model that doubles a number: its spec and folder."""
    features = ModuleType("bentos.toy.features")
    features.encode = lambda rows: np.array([[row["a"]] for row in rows], np.float32)
    features.answer = lambda y: [{"twice": float(row[0])} for row in y]
    monkeypatch.setitem(sys.modules, features.__name__, features)
    folder = tmp_path / "made"
    folder.mkdir()
    graph = linear([[2.0, 1.0, 0.5, 0.25]])
    (folder / "model.onnx").write_bytes(graph.read_bytes())
    golden.write(folder, 0.1, [golden.Item(input={"a": 3.0}, answer={"twice": 6.0})])
    return kitchen.recipe().spec, folder


def truth():
    """Numbers and their doubles."""
    x = np.arange(200, dtype=np.float32)[:, None] / 100
    return Scored(
        items="200 numbers",
        x=x,
        measure=lambda y: {"score": 1 - float(np.abs(y[:, :1] - 2 * x).mean())},
        tolerance=0.001,
    )


@pytest.mark.parametrize("has_truth", [True, False], ids=["scores", "golden answers"])
def test_all_forms_of_a_model_are_measured_side_by_side(toy, monkeypatch, has_truth):
    monkeypatch.setattr(measure, "_scored", lambda name: truth() if has_truth else None)
    found = measure.measure(*toy, rounds=4)
    assert [each.form for each in found.forms] == ["fp32", "fp16", "int8"]
    base, half, _ = found.forms
    assert base.speed == (1.0, 1.0, 1.0)
    assert (base.scores, base.golden_difference) == ({"score": 1.0} if has_truth else {}, 0.0)
    assert half.reason is None
    assert half.golden_difference < 0.01
    assert all(each.file_bytes > 0 and each.items_per_s > 0 for each in found.forms)
    assert found.published == "fp32"


def test_every_photograph_that_calibrates_is_not_scored():
    found = measure._scored("wildlife")
    assert (len(found.x), len(found.calibration)) == (21, 96)
    same = [np.array_equal(a, b) for a in found.x for b in found.calibration]
    assert not any(same)


def test_a_model_without_scored_items_is_known_by_its_file():
    assert measure._scored("nothing_of_ours") is None


def test_the_page_is_made_from_the_figures_beside_it():
    document = json.loads((ROOT / "docs" / "precision.json").read_bytes())
    assert (ROOT / "docs" / "precision.md").read_text() == page.render(document)


def test_the_page_tells_what_is_not_applicable_and_why():
    model = {
        "name": "toy",
        "version": "1",
        "published": "fp32",
        "items": "",
        "calibrated_on": "",
        "golden_tolerance": 0.1,
        "batch": 1,
        "rounds": 4,
        "serve": "fp32",
        "why": "there is no other form",
        "forms": [vars(FP32) | {"same_first": None}, vars(form("int8", reason="trees"))],
    }
    about = {"processor": "P", "cores": 2, "load": 0.5}
    text = page.render(
        {"machine": about, "measured_at": "2026-11-25T00:00:00", "versions": {}, "models": [model]}
    )
    assert "int8: not applicable, trees." in text
    assert "| toy | **fp32** | there is no other form |" in text


def test_a_model_that_is_not_published_is_one_line_and_the_others_stay(tmp_path, capsys):
    (tmp_path / "precision.json").write_text('{"models": []}')
    assert command.main(["--out", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert "energy: no version is published. Run make models." in lines
    assert (tmp_path / "precision.md").exists()


def test_too_few_rounds_are_refused(tmp_path):
    with pytest.raises(SystemExit):
        command.main(["--rounds", "3", "--out", str(tmp_path)])
