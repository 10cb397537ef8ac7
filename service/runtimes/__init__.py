"""What runs a model: one module per runtime, all with the same face."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Runtime(Protocol):
    """A loaded model.

    Attributes:
        name: for answers and metrics: `onnx`, `ncnn`.
        device: where the work is done: `cpu`, `vulkan`, or `software` for Vulkan without a card.
    """

    name: str
    device: str

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, ...) in, (n, m) out; called from one thread at a time."""
        ...
