"""What `make precision` measures the octagon model by."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bentos.octagon import data, scored
from bentos.octagon.parameters import SMALL
from bentos.octagon.signs import OCTAGON
from bentos.octagon.spec import CELLS

TINY = replace(SMALL, test=30, validation=4)


def test_truth_scores_one_and_the_opposite_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data, "CACHE", tmp_path)
    made = scored.scored(TINY)
    kinds = [scene.kind for scene in data.load(data.splits(TINY)["test"], TINY)]
    truth = np.array([kind == OCTAGON for kind in kinds])
    outputs = np.zeros((len(truth), 1 + CELLS**2), np.float32)

    outputs[:, 0] = truth
    assert made.measure(outputs) == {"accuracy": 1.0, "recall": 1.0}
    outputs[:, 0] = ~truth
    assert made.measure(outputs) == {"accuracy": 0.0, "recall": 0.0}
    assert len(made.x) == 30
    assert made.calibration is not None
    assert len(made.calibration) == 4
    assert truth.any()
