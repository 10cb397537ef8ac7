"""Boosters and their graph, on a few of the simulated series."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from bentos import parity
from bentos.demand import evaluate, features, recipe
from bentos.demand.panel import Rows
from bentos.demand.parameters import SIMULATED, SMALL
from bentos.demand.spec import CATEGORIES
from bentos.recipe import BuildError

pytestmark = pytest.mark.train

TINY = replace(SMALL, rounds=15)
TREES = 3


@pytest.fixture(scope="module")
def fitted(learnt: Rows, x: Any) -> Any:
    """A tiny model, trained on all but the last test."""
    from bentos.demand import train

    return train.fit(learnt, x, evaluate.splits(learnt.week, SIMULATED)[-1], TINY)


@pytest.fixture
def asked(learnt: Rows) -> tuple[list[dict[str, Any]], Any]:
    """Items with stocks and wishes of all kinds, and their numbers."""
    items = recipe._asked(learnt, 1)
    return items, features.encode(items)


@pytest.fixture
def graph(fitted: Any, tmp_path: Path) -> Path:
    """The merged graph."""
    from bentos.demand import export

    path = tmp_path / "model.onnx"
    onnx.save(export.merge(fitted), path)
    return path


@pytest.fixture
def expected(fitted: Any, asked: Any) -> Any:
    """What boosters and the reorder in plain Python answer."""
    from bentos.demand import train

    items, x = asked
    return recipe._with_need(items, train.predict(fitted, x), fitted.multipliers)


def prove(path: Path, asked: Any, expected: Any) -> parity.Parity:
    """The proof that the build asks for."""
    return parity.prove(path, asked[1], expected, recipe.OUTPUTS, recipe.PARITY)


def test_the_graph_answers_as_the_boosters_and_the_plain_formula(
    graph: Path, asked: Any, expected: Any
) -> None:
    assert len(expected) > 3000
    assert (expected[:, 3] == 0).any()
    assert (expected[:, 3] > 0).any()
    assert prove(graph, asked, expected).largest < 2e-3


def test_the_graph_keeps_the_contract(graph: Path) -> None:
    model = onnx.load(graph)
    (x,), (y,) = model.graph.input, model.graph.output
    dims = [dim.dim_param or dim.dim_value for dim in y.type.tensor_type.shape.dim]
    assert (x.name, y.name, dims) == ("x", "y", ["n", 4])
    kinds = [node.op_type for node in model.graph.node]
    assert kinds.count("TreeEnsembleRegressor") == TREES


@pytest.mark.parametrize(
    ("name", "factor", "output"),
    [
        ("shift_by_category", 2.0, "low_units"),
        ("width_weights", 1.01, "reorder_units"),
        ("slopes_by_category", 1.01, "reorder_units"),
        ("bends_at", 1.01, "reorder_units"),
        ("mean_weights", 1.01, "reorder_units"),
        ("review_weeks", 1.01, "reorder_units"),
    ],
)
def test_a_wrong_constant_of_a_formula_is_caught(
    graph: Path, asked: Any, expected: Any, name: str, factor: float, output: str
) -> None:
    model = onnx.load(graph)
    (constant,) = [each for each in model.graph.initializer if each.name == name]
    wrong = onnx.numpy_helper.to_array(constant) * np.float32(factor)
    constant.CopyFrom(onnx.numpy_helper.from_array(wrong, name))
    onnx.save(model, graph)
    with pytest.raises(BuildError, match=f"the output {output} differs"):
        prove(graph, asked, expected)


def test_boosters_that_are_swapped_in_the_graph_are_caught(
    graph: Path, asked: Any, expected: Any
) -> None:
    model = onnx.load(graph)
    first, second = model.graph.node[:2]
    first.output[0], second.output[0] = second.output[0], first.output[0]
    onnx.save(model, graph)
    with pytest.raises(BuildError, match="differs from the model"):
        prove(graph, asked, expected)


def test_low_forecast_and_high_are_in_order_and_not_below_nothing(fitted: Any, x: Any) -> None:
    from bentos.demand import train

    forecast, low, high = train.predict(fitted, x).T
    assert (low >= 0).all()
    assert (low <= forecast).all()
    assert (forecast <= high).all()
    crossed = replace(fitted, boosters=fitted.boosters[:1] + fitted.boosters[:0:-1])
    forecast, low, high = train.predict(crossed, x).T
    assert (low <= forecast).all()
    assert (forecast <= high).all()


def test_it_beats_the_simple_forecasts_and_covers_about_what_it_says(
    fitted: Any, learnt: Rows, x: Any
) -> None:
    from bentos.demand import train

    split = evaluate.splits(learnt.week, SIMULATED)[-1]
    cell = evaluate.compare(learnt, split, train.predict(fitted, x[split.test]))
    assert all(cell["model"]["mae"] < cell[name]["mae"] for name in evaluate.BASELINES)
    assert 0.7 < cell["interval"]["coverage"] < 0.9


def test_stock_lead_time_and_service_change_the_reorder_alone(graph: Path, item: Any) -> None:
    run = parity.runner(graph)
    plain, urgent = run(
        features.encode([item, {**item, "stock_on_hand": 0.0, "lead_time_days": 60.0}])
    )
    assert plain[:3].tolist() == urgent[:3].tolist()
    assert urgent[3] > plain[3] + 20


def test_more_service_never_needs_less(graph: Path, item: Any) -> None:
    levels = np.linspace(0.5, 0.999, 60).tolist()
    items = [
        {**item, "category": category, "service_level": level, "stock_on_hand": 0.0}
        for category in CATEGORIES
        for level in levels
    ]
    needs = parity.runner(graph)(features.encode(items))[:, 3].reshape(len(CATEGORIES), -1)
    assert (np.diff(needs, axis=1) >= 0).all()


def test_weeks_after_the_training_do_not_change_the_boosters(learnt: Rows, x: Any) -> None:
    from bentos.demand import train

    split = evaluate.splits(learnt.week, SIMULATED)[-1]
    other = replace(learnt, units=np.where(split.train, learnt.units, 7777.0))
    answers = [
        train.fit(rows, x, split, TINY).boosters[0].predict(train._learned(x))
        for rows in (learnt, other)
    ]
    assert np.array_equal(*answers)


def test_the_number_of_cores_does_not_change_a_model(
    learnt: Rows, x: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bentos.demand import train

    split = evaluate.splits(learnt.week, SIMULATED)[-1]
    answers = []
    for cores in (1, 3):
        monkeypatch.setattr(train, "_cores", lambda cores=cores: cores)
        answers.append(train.predict(train.fit(learnt, x, split, TINY), x))
    assert np.array_equal(*answers)
