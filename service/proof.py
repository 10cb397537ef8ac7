"""Proves a loaded model by its golden answers, and measures what it can do."""

import itertools
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
from numpy.typing import NDArray

from service.runtimes import Runtime

if TYPE_CHECKING:
    from service.models import Model

GOLDEN_FILE = "golden.json"

QUICK_ITEMS = 64
# A hand-over to a thread and back waits for Python's lock, up to 5 ms where the loop is busy: what
# runs faster than that is better run in the loop. Our tables take 0.1 to 1 ms.
_QUICK_S = 0.005
_QUICK_TRIALS = 3  # of which the fastest counts: a busy machine only ever adds to it
_RATE_RUNS, _RATE_RUN_S = 5, 0.002  # short: a busy machine leaves no long ones alone
_RATE_MOST_S = 3.0


class Unproved(Exception):
    """A model does not answer as it was published: what differs, without a cure."""


def check(model: "Model", path: Path, golden: Mapping[str, Any]) -> list[Any]:
    """The golden inputs, prepared; what they answer is as it should be.

    Raises:
        Unproved: it is not, or there are none; one line.
        ProblemError, KeyError, TypeError, OSError: golden.json is broken.
    """
    name, tolerance, items = model.spec.name, float(golden["tolerance"]), golden["items"]
    if not items:
        raise Unproved(f"{name}: {path / GOLDEN_FILE} has no golden answers")
    inputs = [model.prepare(model.golden_input(item["input"], path)) for item in items]
    most = model.max_batch
    for start in range(0, len(items), most):
        answers = model.run(inputs[start : start + most])
        for number, answer in enumerate(answers, start):
            if isinstance(answer, Exception):
                raise Unproved(f"{name}: golden answer {number}: the model failed ({answer!r})")
            seen = orjson.loads(orjson.dumps(answer))  # as a client would see it
            if fault := _difference(items[number]["answer"], seen, tolerance):
                raise Unproved(f"{name}: golden answer {number} {fault}")
    return inputs


def is_quick(model: "Model", inputs: Sequence[Any]) -> bool:
    """Whether `QUICK_ITEMS` run in no more time than the event loop can spare."""
    most = min(QUICK_ITEMS, model.max_batch)
    batch = list(itertools.islice(itertools.cycle(inputs), most))

    def duration_s() -> float:
        started = time.perf_counter()
        model.run(batch)
        return time.perf_counter() - started

    return min(duration_s() for _ in range(_QUICK_TRIALS)) <= _QUICK_S


def _difference(golden: object, answer: object, tolerance: float) -> str | None:
    """How an answer differs, in words; None where it is the same within the tolerance."""
    pairs: Iterable[tuple[object, object]] = ()
    if isinstance(golden, int | float) and isinstance(answer, int | float):
        difference = abs(answer - golden)
        if not difference <= tolerance or not math.isfinite(answer):
            return f"differs by {difference:.3g} (tolerance {tolerance:g})"
    elif isinstance(golden, dict) and isinstance(answer, dict) and golden.keys() == answer.keys():
        pairs = ((golden[key], answer[key]) for key in golden)
    elif isinstance(golden, list) and isinstance(answer, list) and len(golden) == len(answer):
        pairs = zip(golden, answer, strict=True)
    elif golden != answer:
        return f"is {answer!r:.80} instead of {golden!r:.80}"
    faults = (_difference(one, other, tolerance) for one, other in pairs)
    return next(filter(None, faults), None)


def rate(runtime: Runtime, inputs: NDArray[np.float32]) -> float:
    """Items a second, one after another: the best of a few short runs."""
    best, begun = 0.0, time.perf_counter()
    for _ in range(_RATE_RUNS):
        count, took_s, started = 0, 0.0, time.perf_counter()
        while took_s < _RATE_RUN_S:
            runtime.run(inputs)
            count, took_s = count + 1, time.perf_counter() - started
        best = max(best, count / took_s)
        if time.perf_counter() - begun > _RATE_MOST_S:
            break
    return best
