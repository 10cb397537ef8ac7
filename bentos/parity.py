"""Proves per output that an exported graph answers as the model it was made from."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime  # type: ignore[import-untyped]
from numpy.typing import NDArray

from bentos.recipe import BuildError

INPUT, OUTPUT = "x", "y"

_SINGLES = 64


@dataclass(frozen=True, kw_only=True)
class Rule:
    """What passes as the same answer.

    Attributes:
        measure: of a difference; relative is to the expected value.
        tolerance: largest difference that passes.
        same_first: the largest output has to be the same one for every item.
    """

    measure: Literal["relative", "absolute"]
    tolerance: float
    same_first: bool = False


@dataclass(frozen=True, kw_only=True)
class Parity:
    """The differences that were found; all within the tolerance.

    Attributes:
        measure: as in the rule; so is `tolerance`.
        largest: over all outputs and items.
        outputs: largest difference of each output.
        items: compared at once, and `singles` of them again one by one: the runtime has a code
            path of its own for one item.
    """

    measure: str
    tolerance: float
    largest: float
    outputs: dict[str, float]
    items: int
    singles: int

    def worst(self, count: int) -> "Parity":
        """The same, with the `count` worst outputs only."""
        order = sorted(self.outputs, key=self.outputs.__getitem__, reverse=True)
        return replace(self, outputs={name: self.outputs[name] for name in order[:count]})


def runner(graph: Path) -> Callable[[NDArray[np.float32]], NDArray[np.float32]]:
    """The graph as a function, on one thread.

    Raises:
        BuildError: the graph does not have exactly one input `x` and one output `y`.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    names = [
        [port.name for port in ports] for ports in (session.get_inputs(), session.get_outputs())
    ]
    if names != [[INPUT], [OUTPUT]]:
        raise BuildError(
            f"{graph}: should have the input x and the output y (got {names}). Correct export.py."
        )

    def run(x: NDArray[np.float32]) -> NDArray[np.float32]:
        (y,) = session.run([OUTPUT], {INPUT: x})
        return np.asarray(y)

    return run


def prove(
    graph: Path,
    x: NDArray[np.float32],
    expected: NDArray[Any],
    names: Sequence[str],
    rule: Rule,
) -> Parity:
    """Runs the graph on `x`, all at once and one by one, and compares every output.

    Args:
        graph: the ONNX file.
        x: (n, ...) inputs.
        expected: (n, m) what the model itself answers.
        names: of the m outputs.
        rule: what passes.

    Raises:
        BuildError: an output differs by more, is not finite, or the shape is another.
    """
    run = runner(graph)
    chosen = np.arange(len(x))[:: max(1, len(x) // _SINGLES)][:_SINGLES]
    alone = np.concatenate([run(x[index : index + 1]) for index in chosen])
    together = run(x)
    worst = np.maximum(
        _differences(graph, together, expected, rule),
        _differences(graph, alone, expected[chosen], rule),
    )
    outputs = {name: float(value) for name, value in zip(names, worst, strict=True)}
    _check(graph, outputs, rule)
    if rule.same_first and (together.argmax(axis=1) != expected.argmax(axis=1)).any():
        raise BuildError(
            f"{graph.name}: an item's largest output is another one than the model's. "
            "Correct export.py."
        )
    return Parity(
        measure=rule.measure,
        tolerance=rule.tolerance,
        largest=max(outputs.values()),
        outputs=outputs,
        items=len(x),
        singles=len(chosen),
    )


def _check(graph: Path, outputs: Mapping[str, float], rule: Rule) -> None:
    for name, difference in outputs.items():
        if not difference <= rule.tolerance:  # also when it is not a number
            raise BuildError(
                f"{graph.name}: the output {name} differs from the model by {difference:.3g} "
                f"({rule.measure}; at most {rule.tolerance:g} is allowed). The export is wrong. "
                "Correct export.py, or go back to the versions of uv.lock."
            )


def _differences(
    graph: Path, got: NDArray[Any], expected: NDArray[Any], rule: Rule
) -> NDArray[np.float64]:
    if got.shape != expected.shape:
        raise BuildError(
            f"{graph.name}: the output's shape should be {expected.shape} (got {got.shape}). "
            "Correct export.py."
        )
    reference = expected.astype(np.float64)
    difference = np.abs(got.astype(np.float64) - reference)
    if rule.measure == "relative":
        difference /= np.maximum(np.abs(reference), np.finfo(np.float32).tiny)
    return np.asarray(difference.max(axis=0))
