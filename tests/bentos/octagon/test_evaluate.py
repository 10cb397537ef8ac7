"""The threshold and the measures, on answers made by hand."""

import numpy as np
import pytest

from bentos.octagon import evaluate, examples
from bentos.octagon.scenes import Scene
from bentos.octagon.signs import OCTAGON
from bentos.octagon.spec import CELLS


def test_the_threshold_parts_what_can_be_parted() -> None:
    scores = np.array([-3.0, -2.0, -1.0, 2.0, 3.0])
    truth = np.array([False, False, False, True, True])
    assert -1 < evaluate.threshold(scores, truth) < 2


def test_where_it_cannot_it_balances_what_is_missed_and_what_is_wrong() -> None:
    scores = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
    truth = np.array([False, False, True, False, True])
    assert 1 < evaluate.threshold(scores, truth) < 2


def test_measures_are_of_the_class_with_octagons() -> None:
    truth = np.array([True, True, False, False, False])
    said = np.array([True, False, True, False, False])
    assert evaluate.measure(truth, said) == {"accuracy": 0.6, "recall": 0.5, "precision": 0.5}


def outputs(scenes: list[Scene], hot: list[tuple[int, int] | None]) -> np.ndarray:
    y = np.zeros((len(scenes), 1 + CELLS**2), np.float32)
    for row, cell in zip(y, hot, strict=True):
        if cell is not None:
            row[0], row[1 + cell[0] * CELLS + cell[1]] = 1, 1
    return y


def test_the_summary_counts_per_size_kind_and_background(rendered: list[Scene]) -> None:
    hot = []
    for scene in rendered:
        place = examples.cell_of(scene, scene.centres[0]) if scene.kind == OCTAGON else None
        hot.append(None if place is None else (round(place[0]), round(place[1])))
    found = evaluate.summary(rendered, outputs(rendered, hot), 0.5)
    assert (found["accuracy"], found["recall"], found["heat_map_hits"]) == (1, 1, 1)
    octagons = sum(scene.kind == OCTAGON for scene in rendered)
    assert octagons == found["octagons"] == sum(row["octagons"] for row in found["by_sign_px"])
    assert found["by_kind"][OCTAGON] == {"scenes": octagons, "answered_yes": 1}
    assert sum(kind["scenes"] for kind in found["by_kind"].values()) == len(rendered)
    assert sum(one["scenes"] for one in found["by_background"].values()) == len(rendered)
    assert found["accuracy_always_no"] == pytest.approx(1 - octagons / len(rendered))


def test_a_hot_cell_beside_the_sign_is_no_hit(rendered: list[Scene]) -> None:
    hot = [(0, 0) if scene.kind == OCTAGON else None for scene in rendered]
    found = evaluate.summary(rendered, outputs(rendered, hot), 0.5)
    assert (found["recall"], found["heat_map_hits"]) == (1, 0)
