"""How the wildlife model is made: weights from their package, one graph, a test on photographs."""

import hashlib
import logging
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos import golden, parity
from bentos.recipe import ROOT, Data, DataSet, Outcome, Recipe
from bentos.sums import file_sha256
from bentos.wildlife import features, photographs, weights
from bentos.wildlife.features import LABELS, SIDE
from bentos.wildlife.spec import SPEC

log = logging.getLogger(__name__)

GRAPH_FILE = "model.onnx"
PARITY = parity.Rule(measure="absolute", tolerance=1e-4, same_first=True)

_GOLDEN_PHOTOS = 8
_FRAMEWORKS = ("efficientnet-lite-pytorch", "numpy", "onnx", "onnxruntime", "pillow", "torch")
_WORST_OUTPUTS = 8
_LIMITS = (
    "It knows the 398 animal classes of ImageNet-1k and nothing else: 118 of them are breeds of "
    "dogs, and there is none for giraffes, deer, kangaroos, hedgehogs, seals or dolphins.",
    "It names the whole photo: it does not find, count or outline animals, and a small or hidden "
    "animal is often missed.",
    "A probability is the share of all 1000 ImageNet classes; it is not calibrated. Where all are "
    "small there may be no animal.",
    "It was trained on photos from the web, not on pictures of camera traps, at night or in "
    "infrared.",
)


def recipe(*, small: bool) -> Recipe:
    """The recipe; the small variant is the same, for nothing is trained.

    Raises:
        BuildError: the weights are missing or altered.
    """
    path, found = weights.find()
    photos = photographs.load()
    return Recipe(
        spec=SPEC,
        data=found,
        parameters={"network": weights.NETWORK, "side_px": SIDE, "classes": len(LABELS)},
        frameworks=_FRAMEWORKS,
        licence=found.licence,
        make=partial(_make, path, photos),
        code=(
            ROOT / "bentos" / "graph.py",
            Path(features.__file__).with_name("labels.json"),
            photographs.TRUTH,
            *(photo.path for photo in photos),
        ),
        data_sets=(_weights(found), _photographs(photos)),
    )


def _weights(found: Data) -> DataSet:
    return DataSet(
        name="weights",
        sha256=found.sha256,
        rows=found.rows,
        source=found.source,
        step=f"{weights.__name__}:{weights.find.__name__}",
    )


def _photographs(photos: list[photographs.Photograph]) -> DataSet:
    """The photographs that it is measured on, and what they show."""
    files = [photographs.TRUTH, *(photo.path for photo in photos)]
    sums = "".join(file_sha256(path) for path in files)
    return DataSet(
        name="photographs",
        sha256=hashlib.sha256(sums.encode()).hexdigest(),
        rows=len(photos),
        source="bentos/wildlife/photos, credits in CREDITS.md there",
        step=f"{photographs.__name__}:{photographs.load.__name__}",
    )


def _make(path: Path, photos: list[photographs.Photograph], folder: Path) -> Outcome:
    import torch  # as is graph, only for this step

    from bentos.graph import OPSET, write

    log.info("wildlife: exporting %s", weights.NETWORK)
    network = weights.load(path)
    graph = folder / GRAPH_FILE
    write(network, SIDE, graph)
    log.info("wildlife: checking on %d photographs", len(photos))
    x = photographs.encode(photos)
    with torch.inference_mode():
        expected = network(torch.from_numpy(x)).numpy()
    proof = parity.prove(graph, x, expected, LABELS, PARITY)
    probabilities = parity.runner(graph)(x)
    metrics = photographs.measure(photos, probabilities)
    log.info(
        "wildlife: %d of %d right, %d among the five best; the graph differs by %.1e at most",
        *(metrics[name] for name in ("top_1_photos", "photos_with_a_class", "top_5_photos")),
        proof.largest,
    )
    golden.write(folder, SPEC.golden_tolerance, _golden(photos, probabilities))
    return Outcome(
        metrics=metrics,
        parity=asdict(proof.worst(_WORST_OUTPUTS)),
        limits=(*_LIMITS, f"It was measured on {len(photos)} photographs only."),
        export=_facts(graph, OPSET),
    )


def _golden(
    photos: list[photographs.Photograph], probabilities: NDArray[np.float32]
) -> list[golden.Item]:
    chosen = photographs.clearest(probabilities, _GOLDEN_PHOTOS)
    answers = features.answer(probabilities[chosen])
    return [
        golden.Item(input=photos[index].path, answer=answer)
        for index, answer in zip(chosen, answers, strict=True)
    ]


def _facts(graph: Path, opset: int) -> dict[str, Any]:
    from bentos.precision import variants  # the quantizer, which only this step needs

    return {
        "file_bytes": graph.stat().st_size,
        "precision": variants.kind(graph),
        "opset": opset,
        "x": ["n", 3, SIDE, SIDE],
        "y": ["n", len(LABELS)],
    }
