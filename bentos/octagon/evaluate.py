"""Chooses the threshold, and measures answers: as a whole, per size of the sign, per kind."""

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.octagon import backgrounds, examples
from bentos.octagon.scenes import LONG_SIDE_PX, Scene
from bentos.octagon.signs import OCTAGON
from bentos.octagon.spec import CELLS

SIZES_PX = (0, 40, 52, 68, 400)
"""Bounds of the groups of signs, in pixels across."""

_NEAR_CELLS = 1.5
_STEPS = 400

Booleans = NDArray[np.bool_]
Floats = NDArray[np.floating[Any]]


def threshold(scores: Floats, truth: Booleans) -> float:
    """The score with the highest F1; between two scores that occur, so nothing is on it."""
    candidates: Floats = np.unique(np.quantile(scores, np.linspace(0, 1, _STEPS)))
    middles = (candidates[:-1] + candidates[1:]) / 2
    return float(max(middles, key=lambda middle: _f1(truth, scores >= middle)))


def _f1(truth: Booleans, said: Booleans) -> float:
    right, wrong = int((truth & said).sum()), int((truth != said).sum())
    return 2 * right / max(1, 2 * right + wrong)


def measure(truth: Booleans, said: Booleans) -> dict[str, float]:
    """Accuracy, and recall and precision of the class with octagons."""
    right = int(np.count_nonzero(truth & said))
    return {
        "accuracy": float((truth == said).mean()),
        "recall": right / max(1, int(truth.sum())),
        "precision": right / max(1, int(said.sum())),
    }


def summary(scenes: Sequence[Scene], outputs: NDArray[np.float32], least: float) -> dict[str, Any]:
    """The card's metrics of the published graph.

    Args:
        scenes: of the test.
        outputs: (n, 1 + CELLS²) of the graph.
        least: probability from which on the answer is yes.
    """
    truth, said = examples.labels(scenes) > 0, outputs[:, 0] >= least
    textured = np.array([scene.background == backgrounds.TEXTURE for scene in scenes])
    return {
        **measure(truth, said),
        "accuracy_always_no": float(1 - truth.mean()),
        "heat_map_hits": _hits(scenes, outputs[:, 1:], truth & said),
        "scenes": len(scenes),
        "octagons": int(truth.sum()),
        "by_background": {
            name: {"scenes": int(chosen.sum()), **measure(truth[chosen], said[chosen])}
            for name, chosen in (("photographs", ~textured), ("textures", textured))
        },
        "by_sign_px": _by_size(scenes, truth, said),
        "by_kind": _by_kind(scenes, said),
    }


_ENOUGH = 20
"""Octagons of a size without which nothing is said of it."""


def limits(metrics: Mapping[str, Any]) -> tuple[str, ...]:
    """What the groups by size and kind say about small signs and about lookalikes."""
    rows = metrics["by_sign_px"]
    smallest = next((row for row in rows if row["octagons"] >= _ENOUGH), rows[0])
    wrong = {
        kind: row["answered_yes"] for kind, row in metrics["by_kind"].items() if kind != OCTAGON
    }
    worst = max(wrong, key=wrong.__getitem__)
    return (
        f"Small signs are harder: of octagons below {smallest['to']} pixels across in a scene of "
        f"{LONG_SIDE_PX} it finds {smallest['recall']:.0%}.",
        f"Of scenes with a black or red lookalike it errs most with the {worst}: "
        f"{wrong[worst]:.0%} of them are taken for octagons.",
    )


def about_pruning(report: Mapping[str, Any]) -> str:
    """What the pruning took and gave."""
    before, pruned, tuned = (report[step] for step in ("before", "pruned", "tuned"))
    size = tuned["weights_packed_bytes"] / before["weights_packed_bytes"]
    return (
        f"{report['share']:.0%} of the head's weights are pruned to zero. Packed, they take "
        f"{size:.0%} of what they took; ONNX Runtime computes zeros like any number, so nothing is "
        f"faster. Accuracy before, after, and after fine-tuning: {before['accuracy']:.4f}, "
        f"{pruned['accuracy']:.4f}, {tuned['accuracy']:.4f}."
    )


def _by_size(scenes: Sequence[Scene], truth: Booleans, said: Booleans) -> list[dict[str, Any]]:
    across = np.array([scene.across_px for scene in scenes])
    rows = []
    for low, high in itertools.pairwise(SIZES_PX):
        chosen = (across >= low) & (across < high)
        of_it, other = chosen & truth, chosen & ~truth & (across > 0)
        if of_it.any():
            rows.append(
                {
                    "from": low,
                    "to": high,
                    "octagons": int(of_it.sum()),
                    "recall": float(said[of_it].mean()),
                    "lookalikes": int(other.sum()),
                    "taken_for_one": float(said[other].mean()) if other.any() else None,
                }
            )
    return rows


def _by_kind(scenes: Sequence[Scene], said: Booleans) -> dict[str, dict[str, float]]:
    kinds = np.array([scene.kind for scene in scenes])
    return {
        str(kind): {
            "scenes": int((kinds == kind).sum()),
            "answered_yes": float(said[kinds == kind].mean()),
        }
        for kind in np.unique(kinds)
    }


def _hits(scenes: Sequence[Scene], cells: NDArray[np.float32], found: Booleans) -> float:
    """Share of the octagons found whose hottest cell lies on one (the pointing game)."""
    chosen = np.flatnonzero(found).tolist()
    hits = 0
    for index in chosen:
        hottest = np.array(divmod(int(cells[index].argmax()), CELLS))
        places = [examples.cell_of(scenes[index], centre) for centre in scenes[index].centres]
        hits += any(np.abs(hottest - place).max() <= _NEAR_CELLS for place in places)
    return hits / max(1, len(chosen))
