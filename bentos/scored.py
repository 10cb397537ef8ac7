"""What a model's own `scored.py` gives to whoever measures other forms of its graph.

`bentos.<model>.scored.scored()`; a model without one is measured by its golden answers alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Items whose truth is known.

    Attributes:
        items: what they are, for a reader.
        x: the graph's input for them.
        measure: the graph's output to measures; higher is better.
        tolerance: how much of a measure may be lost.
        calibration: inputs that are not among them, for quantizing; None where there are none.
        calibrated_on: what those are, for a reader.
    """

    items: str
    x: NDArray[np.float32]
    measure: Callable[[NDArray[np.float32]], Mapping[str, float]]
    tolerance: float
    calibration: NDArray[np.float32] | None = field(default=None)
    calibrated_on: str = ""
