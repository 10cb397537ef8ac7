"""How the energy model is made: five folds, the last fifth of the year, one graph."""

import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos import golden, parity
from bentos.energy import data, evaluate, features, simulator
from bentos.energy.parameters import FULL, SMALL, Parameters
from bentos.energy.spec import SPEC, ZONES
from bentos.recipe import ROOT, Data, DataSet, Outcome, Recipe

log = logging.getLogger(__name__)

GRAPH_FILE = "model.onnx"
PARITY = parity.Rule(measure="relative", tolerance=1e-4)

_GOLDEN_ITEMS = 12
_FRAMEWORKS = ("numpy", "onnx", "onnxmltools", "onnxruntime", "xgboost")
_ALWAYS = (
    "The unit of the wind's speed and of the two flows is not stated by the source; the values "
    "fit m/s and W/m².",
    "Trained on the year 2017 alone: growth of the city, holidays that move with the moon and "
    "weather outside of that year's range are unknown to it.",
)


def recipe(*, small: bool) -> Recipe:
    """The recipe for the data that is at hand.

    Raises:
        BuildError: the user's data is not the data set.
    """
    content, found = data.find()
    parameters = SMALL if small else FULL
    return Recipe(
        spec=SPEC,
        data=found,
        parameters={**asdict(parameters), "features": list(features.NAMES)},
        frameworks=_FRAMEWORKS,
        licence=found.licence,
        make=partial(_make, content, parameters),
        code=(ROOT / "bentos" / "trees.py",),
        data_sets=(_data_set(found),),
    )


def _data_set(found: Data) -> DataSet:
    maker = simulator.make_csv if found.simulated else data.find
    return DataSet(
        name="tetouan",
        sha256=found.sha256,
        rows=found.rows,
        source=found.source,
        step=f"{maker.__module__}:{maker.__name__}",
        parameters={"seed": simulator.SEED} if found.simulated else {},
    )


def _make(content: bytes, parameters: Parameters, folder: Path) -> Outcome:
    from bentos.energy import export, train  # they import xgboost, which only this step needs

    table = data.parse(content)
    problem = train.Problem(
        x=features.encode(table.items),
        power_kw=table.power_kw,
        last_week=evaluate.last_week(table.times, table.power_kw),
    )
    log.info("energy: %d rows, %d folds of whole weeks", len(table.times), evaluate.FOLDS)
    cells = train.score(problem, evaluate.folds(table.times), parameters)
    late = train.score(problem, [evaluate.last_fifth(len(table.times))], parameters)
    boosters = train.fit(problem, parameters)
    graph = folder / GRAPH_FILE
    model = export.merge(boosters, problem.x.shape[1])
    graph.write_bytes(model.SerializeToString())
    expected = np.column_stack([booster.predict(problem.x) for booster in boosters])
    proof = parity.prove(graph, problem.x, expected, ZONES, PARITY)
    log.info("energy: exported, the graph differs by %.1e (relative) at most", proof.largest)
    golden.write(folder, SPEC.golden_tolerance, _golden(graph, table))
    return Outcome(
        metrics=evaluate.summary(cells, late),
        parity=asdict(proof),
        limits=(*evaluate.limits(late), *_ALWAYS),
        export=_facts(graph, problem.x, model.opset_import[0].version),
    )


def _golden(graph: Path, table: data.Table) -> list[golden.Item]:
    """Rows spread over the year, and what the graph answers."""
    step = len(table.items) // _GOLDEN_ITEMS
    times, items = table.times[::step][:_GOLDEN_ITEMS], table.items[::step][:_GOLDEN_ITEMS]
    answers = features.answer(parity.runner(graph)(features.encode(items)))
    return [
        golden.Item(input={**item, "timestamp": time.isoformat()}, answer=answer)
        for time, item, answer in zip(times, items, answers, strict=True)
    ]


def _facts(graph: Path, x: NDArray[np.float32], opset: int) -> dict[str, Any]:
    from bentos.precision import variants  # the quantizer, which only this step needs

    return {
        "file_bytes": graph.stat().st_size,
        "precision": variants.kind(graph),
        "opset": opset,
        "x": ["n", x.shape[1]],
        "y": ["n", len(ZONES)],
    }
