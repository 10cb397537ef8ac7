"""How the octagon model is made: rendered scenes, a head on frozen features, pruned, one graph."""

import hashlib
import logging
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from bentos.octagon import data, font, labelled
from bentos.octagon.features import SIDE
from bentos.octagon.labelled import Label
from bentos.octagon.parameters import FULL, SMALL, Parameters
from bentos.octagon.spec import SPEC
from bentos.recipe import ROOT, Data, DataSet, Outcome, Recipe
from bentos.spec import ModelSpec, Primary
from bentos.wildlife import weights

if TYPE_CHECKING:
    from collections.abc import Sequence

log = logging.getLogger(__name__)

_FRAMEWORKS = (
    *("efficientnet-lite-pytorch", "matplotlib", "numpy", "onnx", "onnxruntime"),
    *("pillow", "torch"),
)
_LICENCE = "Apache-2.0"
_CODE = (ROOT / "bentos" / "graph.py", ROOT / "bentos" / "wildlife" / "weights.py")


def recipe(*, small: bool) -> Recipe:
    """The recipe, with the labels of real photos where there are any.

    Raises:
        BuildError: weights, font or labels are missing or altered.
    """
    path, found = weights.find()
    labels = labelled.find()
    parameters = SMALL if small else FULL
    sets = _data_sets(found, labels, parameters)
    return Recipe(
        spec=_easier(SPEC) if small else SPEC,
        data=_data(sets, parameters),
        parameters={**asdict(parameters), "network": weights.NETWORK, "side_px": SIDE},
        frameworks=_FRAMEWORKS,
        licence=_LICENCE,
        make=partial(_make, path, labels, parameters),
        code=_CODE,
        data_sets=sets,
    )


def _easier(spec: ModelSpec) -> ModelSpec:
    """Without bars and baseline: the variant for tests sees too little to learn the task."""
    bars = tuple(replace(bar, at_least=0.0) for bar in spec.bars)
    return replace(spec, bars=bars, primary=Primary(measure="accuracy"))


def _data(sets: "Sequence[DataSet]", parameters: Parameters) -> Data:
    sums = "".join(each.sha256 for each in sets)
    return Data(
        source="product photos rendered by bentos/octagon/scenes.py before the photographs of "
        "bentos/wildlife/photos"
        + (f", and {sets[-1].rows} labelled real photos" if len(sets) > 2 else ""),
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        rows=parameters.train + parameters.validation + parameters.test,
        simulated=True,
        licence=f"{_LICENCE}; backgrounds: public domain; font: {font.LICENCE}",
        citation="Credits of the backgrounds: bentos/wildlife/photos/CREDITS.md",
    )


def _data_sets(
    found: Data, labels: tuple[Label, ...], parameters: Parameters
) -> tuple[DataSet, ...]:
    sets = [
        DataSet(
            name="weights",
            sha256=found.sha256,
            rows=found.rows,
            source=found.source,
            step=f"{weights.__name__}:{weights.find.__name__}",
        ),
        DataSet(
            name="scenes",
            sha256=data.sha256(parameters),
            rows=parameters.train + parameters.validation + parameters.test,
            source="rendered; the sha256 is of all that they are rendered from",
            step=f"{data.__name__}:{data.load.__name__}",
            parameters={"seed": parameters.seed},
        ),
    ]
    if labels:
        sets.append(
            DataSet(
                name="labelled",
                sha256=labelled.digest(labels),
                rows=len(labels),
                source=f"real photos in the folder that {labelled.VARIABLE} names",
                step="bentos.octagon.label:main",
            )
        )
    return tuple(sets)


def _make(path: Path, labels: tuple[Label, ...], parameters: Parameters, folder: Path) -> Outcome:
    from bentos.octagon import making  # it imports torch, which only this step needs

    return making.make(path, labels, parameters, folder)
