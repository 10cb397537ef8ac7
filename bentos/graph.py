"""Writes a torch network as one ONNX graph. Proves nothing: see bentos/parity.py."""

import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx
import onnxruntime  # type: ignore[import-untyped]
import torch

from bentos.parity import INPUT, OUTPUT

OPSET = 17


def write(network: torch.nn.Module, side: int, graph: Path) -> None:
    """Writes the graph: x (n, 3, side, side) float32 to y (n, …) float32, any n."""
    with TemporaryDirectory() as scratch:
        traced, folded = Path(scratch) / "traced.onnx", Path(scratch) / "folded.onnx"
        _trace(network, side, traced)
        _fold(traced, folded)
        model = onnx.load(folded)
    _forget_unused_opsets(model)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, graph)


def _trace(network: torch.nn.Module, side: int, path: Path) -> None:
    with warnings.catch_warnings():
        # The tracing exporter is called deprecated, and tells 20 times that it does not fold the
        # padding; `_fold` does that.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            network,
            (torch.zeros(2, 3, side, side),),
            str(path),
            dynamo=False,  # its successor wants two more packages
            opset_version=OPSET,
            input_names=[INPUT],
            output_names=[OUTPUT],
            dynamic_axes={INPUT: {0: "n"}, OUTPUT: {0: "n"}},
        )


def _fold(traced: Path, folded: Path) -> None:
    """Computes what is constant and moves the padding into the convolutions: 400 nodes to 100."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.optimized_model_filepath = str(folded)
    onnxruntime.InferenceSession(traced, options, providers=["CPUExecutionProvider"])


def _forget_unused_opsets(model: onnx.ModelProto) -> None:
    """Drops the seven domains that ONNX Runtime lists: other runtimes may refuse them."""
    used = {node.domain for node in model.graph.node}
    kept = [opset for opset in model.opset_import if opset.domain in used]
    del model.opset_import[:]
    model.opset_import.extend(kept)
