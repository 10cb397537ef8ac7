"""Runs an ONNX graph with ONNX Runtime on the CPU."""

from pathlib import Path

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

INPUT = "x"
OUTPUT = "y"
_ERRORS_ONLY = 3  # ONNX Runtime's own log goes to stderr in its own form


class OnnxRuntime:
    """A graph with one input `x` (n, ...) and one output `y` (n, m), both float32."""

    name = "onnx"
    device = "cpu"

    def __init__(self, path: Path, threads: int) -> None:
        """Loads the graph.

        Args:
            path: the .onnx file.
            threads: for one run; more than one costs more than it gives on a busy machine.

        Raises:
            ValueError: not a graph that this contract describes.
        """
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = _ERRORS_ONLY
        # Measured with the four models: 13 MB less without, and as fast. A pattern is one block for
        # all that a run holds.
        options.enable_mem_pattern = False
        # A waiting thread must not spin: replicas and the decoder share these cores.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = onnxruntime.InferenceSession(
                path, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # ONNX Runtime has no common base for what a bad file raises
            raise ValueError(
                f"{path}: ONNX Runtime cannot load it ({_first_line(error)}). "
                "Build the model again."
            ) from error
        self._check(path)

    def run(self, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, ...) float32 in, (n, m) float32 out."""
        outputs: NDArray[np.float32] = self._session.run([OUTPUT], {INPUT: inputs})[0]
        return outputs

    def _check(self, path: Path) -> None:
        found = [
            [(node.name, node.type) for node in nodes]
            for nodes in (self._session.get_inputs(), self._session.get_outputs())
        ]
        if found != [[(INPUT, "tensor(float)")], [(OUTPUT, "tensor(float)")]]:
            raise ValueError(
                f"{path}: should have the input {INPUT!r} and the output {OUTPUT!r}, both float32 "
                f"(got {found[0]} and {found[1]}). Export the model again."
            )


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
