"""The year's rows, which show what another form of the graph loses."""

import numpy as np
from numpy.typing import NDArray

from bentos.energy import data, evaluate, features
from bentos.scored import Scored

_TOLERANCE = 0.0005


def scored() -> Scored:
    """R² of each zone over all rows: the model saw them, so only the difference tells something.

    Raises:
        BuildError: the data cannot be used.
    """
    content, found = data.find()
    table = data.parse(content)

    def measure(power_kw: NDArray[np.float32]) -> dict[str, float]:
        return {
            f"r2_zone_{zone + 1}": evaluate.measure(truth, power_kw[:, zone]).r2
            for zone, truth in enumerate(table.power_kw.T)
        }

    simulated = " (simulated)" if found.simulated else ""
    return Scored(
        items=f"{len(table.items)} rows of the year{simulated}, which it was trained on",
        x=features.encode(table.items),
        measure=measure,
        tolerance=_TOLERANCE,
    )
