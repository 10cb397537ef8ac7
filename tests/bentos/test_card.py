"""The card: what it holds, and what it says of a model below its bar."""

import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bentos import card
from bentos.recipe import Outcome

OUTCOME = Outcome(metrics={"score": 0.95}, parity={"largest": 0.0}, limits=("No.",), export={})


def test_a_card_is_json_with_the_agreed_fields(kitchen: Any, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"graph")
    made = card.make(kitchen.recipe(), "abc", OUTCOME, tmp_path)
    made.write(tmp_path)
    read = json.loads((tmp_path / "card.json").read_text())
    assert list(read) == [
        "name",
        "version",
        "title",
        "summary",
        "created_at",
        "data",
        "parameters",
        "metrics",
        "bars",
        "compared",
        "frameworks",
        "code",
        "licence",
        "limits",
        "parity",
        "export",
        "files",
    ]
    assert list(read["data"]) == ["source", "sha256", "rows", "simulated", "licence", "citation"]
    assert read["bars"] == [{"measure": "score", "at_least": 0.9, "measured": 0.95, "ok": True}]
    assert read["frameworks"].keys() == {"numpy"}
    assert read["files"] == {
        "data.json": hashlib.sha256((tmp_path / "data.json").read_bytes()).hexdigest(),
        "model.onnx": hashlib.sha256(b"graph").hexdigest(),
    }
    assert read["code"] == kitchen.recipe().code_sums()
    assert read["created_at"].endswith("+00:00")


def test_a_card_of_simulated_data_says_first_that_its_scores_mean_nothing(
    kitchen: Any, tmp_path: Path
) -> None:
    kitchen.simulated = True
    made = card.make(kitchen.recipe(), "abc", OUTCOME, tmp_path)
    assert made.data.simulated
    assert made.limits == (card.SIMULATED_LIMIT, "No.")


@pytest.mark.parametrize(
    ("metrics", "line"),
    [
        pytest.param({"score": 0.9}, None, id="just reached"),
        pytest.param({"score": 0.8999}, "score is 0.8999, below its bar of 0.9.", id="just missed"),
        pytest.param({"score": math.nan}, "score is nan, below its bar of 0.9.", id="not a number"),
        pytest.param({}, "score is not measured, below its bar of 0.9.", id="not measured"),
    ],
)
def test_a_missed_bar_is_told_in_one_line(
    kitchen: Any, metrics: dict[str, float], line: str | None, tmp_path: Path
) -> None:
    made = card.make(kitchen.recipe(), "abc", replace(OUTCOME, metrics=metrics), tmp_path)
    cure = "Look at its data and parameters; the bar stands in bentos/toy/spec.py."
    expected = [] if line is None else [f"toy: {line} The model is not published. {cure}"]
    assert made.missed() == expected
