"""Makes the fp16 and int8 forms of an ONNX graph, or says why there is none."""

import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnxruntime.quantization import (  # type: ignore[import-untyped]
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_dynamic,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import (  # type: ignore[import-untyped]
    quant_pre_process,
)
from onnxruntime.transformers.float16 import (  # type: ignore[import-untyped]
    DEFAULT_OP_BLOCK_LIST,
    convert_float_to_float16,
)

from bentos import parity
from bentos.parity import INPUT

FP32, FP16, INT8 = "fp32", "fp16", "int8"
_QUANTIZED = frozenset(
    {"QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "MatMulInteger", "ConvInteger"}
)
_SHOWN = 4
_WORDS = 120


class NotApplicable(Exception):
    """Why a graph has no such form, in words."""


def kind(graph: Path) -> str:
    """What a graph computes in."""
    model = onnx.load(graph)
    if any(node.op_type in _QUANTIZED for node in model.graph.node):
        return INT8
    halves = onnx.TensorProto.FLOAT16
    return FP16 if any(each.data_type == halves for each in model.graph.initializer) else FP32


def fp16(graph: Path, target: Path) -> Path:
    """The graph with 16-bit weights and sums; input and output stay as they are.

    Raises:
        NotApplicable: nothing in it can be computed so.
    """
    model = onnx.load(graph)
    kept = sorted(_operations(model) & set(DEFAULT_OP_BLOCK_LIST))
    if kept and not any(each.data_type == onnx.TensorProto.FLOAT for each in _weights(model)):
        raise NotApplicable(
            f"the converter leaves {', '.join(kept)} in fp32: ONNX defines no 16-bit trees"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the smallest weights become the smallest half
        onnx.save(convert_float_to_float16(model, keep_io_types=True), target)
    return _loads(target)


def int8(graph: Path, target: Path, calibration: NDArray[np.float32] | None) -> Path:
    """The graph with 8-bit weights; activations too where there are inputs to calibrate with.

    Args:
        graph: fp32.
        target: the new file.
        calibration: (n, ...) inputs; None leaves activations to be scaled at run time.

    Raises:
        NotApplicable: the quantizer finds nothing to quantize, or cannot.
    """
    model = onnx.load(graph)
    has_convolutions = "Conv" in _operations(model)
    if has_convolutions and calibration is None:
        raise NotApplicable("there are no calibration inputs beside the scored ones")
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.ERROR)  # the quantizer advises its own preprocessing even after it
    try:
        if has_convolutions:
            _static(graph, target, calibration)
        else:
            quantize_dynamic(
                graph,
                target,
                weight_type=QuantType.QInt8,
                per_channel=True,
                extra_options={"DefaultTensorType": onnx.TensorProto.FLOAT},  # of trees' outputs
            )
    except (RuntimeError, ValueError, KeyError) as error:
        raise NotApplicable(f"the quantizer refuses it ({str(error)[:_WORDS]})") from error
    finally:
        root.setLevel(level)
    if not _operations(onnx.load(target)) & _QUANTIZED:
        operations = sorted(_operations(model))
        named = ", ".join(operations[:_SHOWN]) + (", …" if len(operations) > _SHOWN else "")
        raise NotApplicable(f"the quantizer changed nothing: there is no integer form of {named}")
    return _loads(target)


def _static(graph: Path, target: Path, calibration: Any) -> None:
    prepared = target.with_suffix(".prepared.onnx")
    quant_pre_process(str(graph), str(prepared), skip_symbolic_shape=True)
    quantize_static(
        prepared,
        target,
        _Inputs(calibration),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod.MinMax,
        # Weights of 7 bits: on processors without VNNI the sums of 8-bit ones overflow, and a graph
        # has to answer the same on every host.
        reduce_range=True,
    )
    prepared.unlink()


class _Inputs(CalibrationDataReader):  # type: ignore[misc]
    """Gives the calibration inputs one by one."""

    def __init__(self, x: NDArray[np.float32]) -> None:
        self._rest: Iterator[NDArray[np.float32]] = iter(x)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        item = next(self._rest, None)
        return None if item is None else {INPUT: item[None]}


def _operations(model: onnx.ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


def _weights(model: onnx.ModelProto) -> list[onnx.TensorProto]:
    """Tensors of more than one number: the rest are shapes and constants."""
    return [each for each in model.graph.initializer if np.prod(each.dims) > 1]


def _loads(target: Path) -> Path:
    try:
        parity.runner(target)
    except Exception as error:  # ONNX Runtime has no common base for what it raises
        raise NotApplicable(f"ONNX Runtime does not load it ({str(error)[:_WORDS]})") from error
    return target
