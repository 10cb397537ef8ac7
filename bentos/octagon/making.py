"""Makes the octagon model from scenes and labels: trains, prunes, exports, measures."""

import logging
import tempfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from bentos import golden, graph, parity
from bentos.octagon import data, evaluate, examples, features, network, train
from bentos.octagon.examples import Examples
from bentos.octagon.features import SIDE
from bentos.octagon.labelled import Label
from bentos.octagon.parameters import Parameters
from bentos.octagon.scenes import Scene
from bentos.octagon.spec import CELLS, SPEC
from bentos.recipe import Outcome

log = logging.getLogger(__name__)

GRAPH_FILE = "model.onnx"
OUTPUTS = (
    "probability",
    *(f"cell {row} {column}" for row in range(CELLS) for column in range(CELLS)),
)
PARITY = parity.Rule(measure="absolute", tolerance=1e-4)

_GOLDEN_OF_EACH = 4
_PARITY_ITEMS = 32
_WORST_OUTPUTS = 8
_PHOTO_COUNTS = 8  # times that a real photo is among the scenes: there are few of them
_LIMITS = (
    "The score is of rendered scenes with flat packages, before photographs of animals and "
    "textures that training did not see. On real product photos expect less: the report that this "
    "model follows has an accuracy of .966 and a recall of .88 there. Label some of yours with "
    "`python -m bentos.octagon.label` before you trust it.",
    "It tells whether there is a black octagon, not what is written in it, and not how many.",
    "Labels that are bent round bottles, hidden in part, larger than a third of the photo or "
    "smaller than a tenth of it were not trained on.",
    "The heat map is 16 by 16 cells: it shows where to look and outlines nothing.",
)


@dataclass(frozen=True, kw_only=True)
class Sets:
    """The scenes that are measured on, and what the head sees of all."""

    test_scenes: list[Scene]
    train: Examples
    validation: Examples
    test: Examples


def make(path: Path, labels: tuple[Label, ...], parameters: Parameters, folder: Path) -> Outcome:
    """Writes model.onnx and golden.json into the folder.

    Args:
        path: of the weights to start from.
        labels: of real photos; may be none.
        parameters: what was chosen.
        folder: an empty one.
    """
    frozen = network.stem(path)
    with train.repeatable(parameters):
        sets = _sets(frozen, labels, parameters)
        trained, pruning = _train(frozen, sets, parameters)
    written = folder / GRAPH_FILE
    whole = network.Whole(frozen, trained).eval()
    graph.write(whole, SIDE, written)
    proof = _prove(written, whole, sets.test_scenes)
    photos = [scene.photo for scene in sets.test_scenes]
    outputs = examples.over_photos(photos, parity.runner(written))
    metrics = evaluate.summary(sets.test_scenes, outputs, features.THRESHOLD)
    log.info("octagon: accuracy %.4f, recall %.4f", metrics["accuracy"], metrics["recall"])
    _write_golden(folder, photos, outputs)
    return Outcome(
        metrics={**metrics, "pruning": pruning, **_on_labels(written, labels)},
        parity=asdict(proof.worst(_WORST_OUTPUTS)),
        limits=(*_LIMITS, *evaluate.limits(metrics), evaluate.about_pruning(pruning)),
        export=_facts(written),
    )


def _sets(frozen: nn.Module, labels: Sequence[Label], parameters: Parameters) -> Sets:
    """Everything rendered, and seen through the frozen part."""
    scenes = {name: data.load(split, parameters) for name, split in data.splits(parameters).items()}
    log.info("octagon: %d scenes through the frozen part", sum(map(len, scenes.values())))
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "frozen.onnx"
        graph.write(frozen, SIDE, path)
        run = parity.runner(path)
        seen = {name: examples.of_scenes(found, run) for name, found in scenes.items()}
        learnt = [label for label in labels if not label.is_held_out]
        if learnt:
            photos = [label.path.read_bytes() for label in learnt] * _PHOTO_COUNTS
            truth = [label.octagon for label in learnt] * _PHOTO_COUNTS
            seen["train"] += examples.of_photos(photos, truth, run)
    return Sets(test_scenes=scenes["test"], **seen)


def _train(
    frozen: nn.Module, sets: Sets, parameters: Parameters
) -> tuple[nn.Sequential, dict[str, Any]]:
    """The head that is published, and the report of its pruning."""
    trained = train.fit(sets.train, parameters)
    report: dict[str, Any] = {"share": parameters.pruned_share}
    report["before"] = _measured(frozen, trained, sets)
    train.cut(trained, parameters.pruned_share)
    report["pruned"] = _measured(frozen, trained, sets)
    train.tune(trained, sets.train, parameters)
    report["tuned"] = _measured(frozen, trained, sets)
    network.shift(trained, -report["tuned"]["threshold"])
    return trained, report


def _measured(frozen: nn.Module, trained: nn.Sequential, sets: Sets) -> dict[str, float]:
    """Scores on the test with a threshold by the validation, and the size of the weights."""
    validation = train.scores(trained, sets.validation.features)
    threshold = evaluate.threshold(validation, sets.validation.labels > 0)
    said = train.scores(trained, sets.test.features) >= threshold
    kept = [layer.weight.detach().numpy().tobytes() for layer in network.convolutions(trained)]
    found = {
        "threshold": threshold,
        **evaluate.measure(sets.test.labels > 0, said),
        "zeros": train.zeros(trained),
        "weights_bytes": sum(map(len, kept)),
        "weights_packed_bytes": len(zlib.compress(b"".join(kept))),
    }
    log.info(
        "octagon: %(zeros).0f %% zeros: accuracy %(accuracy).4f, recall %(recall).4f",
        {**found, "zeros": 100 * found["zeros"]},
    )
    return found


def _prove(written: Path, whole: nn.Module, scenes: Sequence[Scene]) -> parity.Parity:
    x = examples.encode([scene.photo for scene in scenes[:_PARITY_ITEMS]])
    with torch.inference_mode():
        expected = whole(torch.from_numpy(x)).numpy()
    return parity.prove(written, x, expected, OUTPUTS, PARITY)


def _on_labels(written: Path, labels: Sequence[Label]) -> Mapping[str, Any]:
    """What real photos that a person labelled say; nothing where there are none."""
    if not labels:
        return {}
    counts = {
        "learnt_from_person": sum(each.by_person and not each.is_held_out for each in labels),
        "learnt_from_model": sum(not each.by_person for each in labels),
    }
    held = [label for label in labels if label.is_held_out]
    if not held:
        return {"real_photos": counts}
    photos = [label.path.read_bytes() for label in held]
    outputs = examples.over_photos(photos, parity.runner(written))
    truth = np.array([label.octagon for label in held])
    scored = evaluate.measure(truth, outputs[:, 0] >= features.THRESHOLD)
    return {"real_photos": {**counts, "measured_on": len(held), **scored}}


def _write_golden(folder: Path, photos: Sequence[bytes], outputs: NDArray[np.float32]) -> None:
    """The photos that the model is surest of, half of them with an octagon."""
    order = np.argsort(outputs[:, 0], kind="stable")
    chosen = [*order[-_GOLDEN_OF_EACH:], *order[:_GOLDEN_OF_EACH]]
    with tempfile.TemporaryDirectory() as scratch:
        items = []
        for index, answer in zip(chosen, features.answer(outputs[chosen]), strict=True):
            path = Path(scratch) / f"scene_{index:04}.jpg"
            path.write_bytes(photos[index])
            items.append(golden.Item(input=path, answer=answer))
        golden.write(folder, SPEC.golden_tolerance, items)


def _facts(written: Path) -> dict[str, Any]:
    return {
        "file_bytes": written.stat().st_size,
        "opset": graph.OPSET,
        "x": ["n", 3, SIDE, SIDE],
        "y": ["n", len(OUTPUTS)],
    }
