"""Boosters and their graph, on a little of the simulated year."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bentos import parity
from bentos.energy import evaluate
from bentos.energy.parameters import SMALL
from bentos.energy.recipe import PARITY
from bentos.energy.spec import ZONES
from bentos.recipe import BuildError

pytestmark = pytest.mark.train

TINY = replace(SMALL, rounds=20, row_step=1)


@pytest.fixture
def graph(problem: Any, tmp_path: Path) -> tuple[Path, Any]:
    """The merged graph of three tiny boosters, and what the boosters answer."""
    from bentos.energy import export, train

    boosters = train.fit(problem, TINY)
    path = tmp_path / "model.onnx"
    onnx.save(export.merge(boosters, problem.x.shape[1]), path)
    return path, np.column_stack([booster.predict(problem.x) for booster in boosters])


def prove(path: Path, problem: Any, expected: Any) -> parity.Parity:
    """The proof that the build asks for."""
    return parity.prove(path, problem.x, expected, ZONES, PARITY)


def test_the_graph_answers_as_the_boosters_per_zone(graph: tuple[Path, Any], problem: Any) -> None:
    path, expected = graph
    proof = prove(path, problem, expected)
    assert set(proof.outputs) == set(ZONES)
    assert proof.largest < 1e-5


def test_the_graph_keeps_the_contract(graph: tuple[Path, Any]) -> None:
    model = onnx.load(graph[0])
    (x,), (y,) = model.graph.input, model.graph.output
    dims = [dim.dim_param or dim.dim_value for dim in y.type.tensor_type.shape.dim]
    assert (x.name, y.name, dims) == ("x", "y", ["n", 3])


def test_zones_that_are_swapped_in_the_graph_are_caught(
    graph: tuple[Path, Any], problem: Any
) -> None:
    path, expected = graph
    model = onnx.load(path)
    (concat,) = [node for node in model.graph.node if node.op_type == "Concat"]
    concat.input[0], concat.input[2] = concat.input[2], concat.input[0]
    onnx.save(model, path)
    with pytest.raises(BuildError, match="the output zone_1_kw differs"):
        prove(path, problem, expected)


def test_a_single_wrong_leaf_is_caught(graph: tuple[Path, Any], problem: Any) -> None:
    path, expected = graph
    model = onnx.load(path)
    (weights,) = [a for a in model.graph.node[1].attribute if a.name == "target_weights"]
    largest = int(np.abs(np.array(weights.floats)).argmax())
    weights.floats[largest] *= 1.5
    onnx.save(model, path)
    with pytest.raises(BuildError, match="the output zone_2_kw differs"):
        prove(path, problem, expected)


def test_the_number_of_cores_does_not_change_a_model(
    problem: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bentos.energy import train

    answers = []
    for cores in (1, 3):
        monkeypatch.setattr(train, "_cores", lambda cores=cores: cores)
        answers.append([booster.predict(problem.x) for booster in train.fit(problem, TINY)])
    one, three = answers
    assert np.array_equal(one, three)


def test_every_fold_and_zone_is_measured(problem: Any, caplog: pytest.LogCaptureFixture) -> None:
    from bentos.energy import train

    split = evaluate.last_fifth(len(problem.x))
    with caplog.at_level("INFO", logger="bentos"):
        cells = train.score(problem, [split, split], TINY)
    assert [cell["zone"] for cell in cells] == [*ZONES, *ZONES]
    assert all(cell["rows"] == int(split.test.sum()) for cell in cells)
    assert len(caplog.records) == 2
