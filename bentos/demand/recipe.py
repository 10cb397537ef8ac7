"""How the demand model is made: simulated shops, rolling tests, real sales beside, one graph."""

import hashlib
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos import golden, parity
from bentos.demand import evaluate, features, generator, reorder, retail
from bentos.demand.panel import Panel, Rows, rows
from bentos.demand.parameters import FULL, RETAIL, SIMULATED, SMALL, Parameters
from bentos.demand.safety import Multipliers
from bentos.demand.spec import CATEGORIES, SPEC
from bentos.recipe import ROOT, Data, DataSet, Outcome, Recipe

log = logging.getLogger(__name__)

GRAPH_FILE = "model.onnx"
OUTPUTS = tuple(field.name for field in SPEC.answer)
PARITY = parity.Rule(measure="absolute", tolerance=5e-3)  # half of the last digit that is answered

_LICENCE = "Apache-2.0"
_GOLDEN_ITEMS = 12
_PARITY_ITEMS = 4000
_FRAMEWORKS = ("numpy", "onnx", "onnxmltools", "onnxruntime", "xgboost")
_CODE = (ROOT / "bentos" / "trees.py",)
_ALWAYS = (
    "Shops, products and effects are the generator's: bentos/demand/world.py has every constant, "
    "most of them assumptions. Train on your own sales before you order by it.",
    "One week ahead only. The reorder takes the weeks of the lead time to be like the one that was "
    "forecast: a promotion or holiday in either makes it wrong for the rest.",
    "The forecast is a median: below about two units a week it is often 0 and its sum over many "
    "products is too low. The reorder uses a mean made from forecast and interval.",
    "Demand beyond the shelf was not recorded, so after weeks that sold out the forecast is low.",
)


def recipe(*, small: bool) -> Recipe:
    """The recipe, with the real sales beside it where they can be had."""
    parameters = SMALL if small else FULL
    panel = generator.simulate()
    digest = hashlib.sha256(generator.as_csv(panel)).hexdigest()
    real = None if small else retail.find()
    count = len(panel.series) * len(panel.weeks)
    data = Data(
        source="simulated by bentos/demand/generator.py",
        sha256=digest,
        rows=count,
        simulated=True,
        licence=_LICENCE,
        citation="Sources of the generator's constants: bentos/demand/world.py",
    )
    return Recipe(
        spec=SPEC,
        data=data,
        parameters={
            **asdict(parameters),
            "features": list(features.NAMES),
            "windows": asdict(SIMULATED),
            "retail_windows": asdict(RETAIL),
        },
        frameworks=_FRAMEWORKS,
        licence=_LICENCE,
        make=partial(_make, panel, real, parameters),
        code=_CODE,
        data_sets=_data_sets(data, real),
    )


def _data_sets(data: Data, real: bytes | None) -> tuple[DataSet, ...]:
    shops = DataSet(
        name="shops",
        sha256=data.sha256,
        rows=data.rows,
        source=data.source,
        step="bentos.demand.generator:simulate",
        parameters={"seed": generator.SEED},
    )
    if real is None:
        return (shops,)
    sales = DataSet(
        name="online_retail",
        sha256=retail.SHA256,
        rows=None,
        source=retail.SOURCE,
        step="bentos.demand.retail:find",
    )
    return (shops, sales)


def _make(panel: Panel, real: bytes | None, parameters: Parameters, folder: Path) -> Outcome:
    from bentos.demand import evidence, export, train  # xgboost is for this step alone

    panel = panel.every(parameters.series_step)
    learnt = rows(panel)
    x = features.encode(learnt.items)
    log.info("demand: %d products in shops, %d rows", len(panel.series), len(x))
    metrics = evidence.score("simulated", panel, learnt, x, SIMULATED, parameters)
    on_real = None if real is None else evidence.of_retail(real, parameters)
    fitted = train.fit(learnt, x, evaluate.to_publish(learnt.week, SIMULATED), parameters)
    graph = folder / GRAPH_FILE
    model = export.merge(fitted)
    graph.write_bytes(model.SerializeToString())
    items = _asked(learnt, parameters.seed)
    asked = features.encode(items)
    expected = _with_need(items, train.predict(fitted, asked), fitted.multipliers)
    proof = parity.prove(graph, asked, expected, OUTPUTS, PARITY)
    log.info("demand: exported, the graph differs by %.1e units at most", proof.largest)
    golden.write(folder, SPEC.golden_tolerance, _golden(graph, items))
    return Outcome(
        metrics={**metrics, "real_sales": on_real},
        parity=asdict(proof),
        limits=(
            *evaluate.limits(metrics, on_real, small=parameters.small),
            *_ALWAYS,
        ),
        export={
            "file_bytes": graph.stat().st_size,
            "opset": model.opset_import[0].version,
            "x": ["n", asked.shape[1]],
            "y": ["n", len(OUTPUTS)],
            "safety_multipliers": [
                {"category": category, **dict(zip(map(str, reorder.LEVELS), knots, strict=True))}
                for category, knots in zip(CATEGORIES, fitted.multipliers, strict=True)
            ],
        },
    )


def _asked(learnt: Rows, seed: int) -> list[dict[str, Any]]:
    """Rows spread over all series and weeks, with stocks and wishes of all kinds."""
    rng = Random(seed)  # noqa: S311  varied, not secret
    step = max(1, len(learnt.items) // _PARITY_ITEMS)
    return [
        {
            **item,
            "stock_on_hand": float(round(item["units_mean_4_weeks"] * rng.uniform(0, 4))),
            "lead_time_days": float(rng.randint(0, 28)),
            "service_level": round(rng.uniform(0.5, 0.999), 3),
        }
        for item in learnt.items[::step]
    ]


def _with_need(
    items: list[dict[str, Any]], predicted: NDArray[np.float64], multipliers: Multipliers
) -> NDArray[np.float64]:
    """The fourth output, by the formula in plain Python."""
    knots = dict(zip(CATEGORIES, multipliers, strict=True))
    needs = [
        reorder.need(
            reorder.order_up_to(
                row, knots[item["category"]], item["lead_time_days"], item["service_level"]
            ),
            item["stock_on_hand"],
        )
        for item, row in zip(items, predicted.tolist(), strict=True)
    ]
    return np.column_stack([predicted, needs])


def _golden(graph: Path, items: list[dict[str, Any]]) -> list[golden.Item]:
    """Spread over all shops and products, and what the graph answers."""
    chosen = items[:: len(items) // _GOLDEN_ITEMS][:_GOLDEN_ITEMS]
    answers = features.answer(parity.runner(graph)(features.encode(chosen)))
    return [
        golden.Item(input={**item, "week_start": item["week_start"].isoformat()}, answer=answer)
        for item, answer in zip(chosen, answers, strict=True)
    ]
