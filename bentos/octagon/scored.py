"""The rendered scenes that show what another form of the graph loses."""

import numpy as np
from numpy.typing import NDArray

from bentos.octagon import data, evaluate, examples, features
from bentos.octagon.parameters import FULL, Parameters
from bentos.scored import Scored

SCENES = 400
"""Of those that the model is scored by: 315 MB of input."""

CALIBRATING = 96
_TOLERANCE = 0.005  # two of the scenes


def scored(parameters: Parameters = FULL) -> Scored:
    """The first test scenes; scenes of the validation calibrate.

    Raises:
        BuildError: the scenes cannot be rendered.
    """
    splits = data.splits(parameters)
    scenes = data.load(splits["test"], parameters)[:SCENES]
    others = data.load(splits["validation"], parameters)[:CALIBRATING]
    truth = examples.labels(scenes) > 0

    def measure(outputs: NDArray[np.float32]) -> dict[str, float]:
        found = evaluate.measure(truth, outputs[:, 0] >= features.THRESHOLD)
        return {"accuracy": found["accuracy"], "recall": found["recall"]}

    return Scored(
        items=f"{len(scenes)} rendered scenes over photographs that training did not see",
        x=examples.encode([scene.photo for scene in scenes]),
        measure=measure,
        tolerance=_TOLERANCE,
        calibration=examples.encode([scene.photo for scene in others]),
        calibrated_on=f"{len(others)} scenes that are not scored",
    )
