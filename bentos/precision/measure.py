"""Measures the forms of one graph side by side: size, speed, scores, golden answers."""

import importlib
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos import parity
from bentos.precision import variants
from bentos.precision.variants import FP16, FP32, INT8, NotApplicable
from bentos.recipe import ROOT
from bentos.reproduce import closeness, replay
from bentos.scored import Scored
from bentos.spec import ModelSpec, Photo

FASTER = 1.05
"""A form is only worth its change if three rounds of four are at least so much faster."""

_ROUND_S = 0.05
_ROWS = 64  # of a table at once, as a busy service has them

Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


_SUM_OFF = 1e-3
"""How far a graph's outputs may be from 1 in sum and still be the probabilities of classes."""


@dataclass(frozen=True, kw_only=True)
class Figures:
    """One form of a graph.

    Attributes:
        form: `fp32`, `fp16` or `int8`.
        reason: why there is none; all else is empty then.
        items_per_s: of one thread's processor time, the median of all rounds.
        speed: times fp32, in the same round: lower quartile, median, upper quartile.
        scores: of `Scored.measure`.
        same_first: share of the scored items whose likeliest class is fp32's; None without classes.
        golden_difference: largest, from the published answers; None where texts differ.
    """

    form: str
    reason: str | None = None
    file_bytes: int = 0
    items_per_s: float = 0.0
    speed: tuple[float, ...] = ()
    scores: Mapping[str, float] = field(default_factory=dict)
    same_first: float | None = None
    golden_difference: float | None = None


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All forms of one model's graph, and the one to serve.

    Attributes:
        published: what the published graph computes in.
        items: that were scored.
        tolerance: how much of a score may be lost.
        serve: the form that the rule chooses.
        why: in words.
    """

    name: str
    version: str
    published: str
    items: str
    calibrated_on: str
    tolerance: float
    golden_tolerance: float
    batch: int
    rounds: int
    forms: tuple[Figures, ...]
    serve: str
    why: str

    def as_json(self) -> dict[str, Any]:
        """For the file of figures."""
        return asdict(self)


def measure(spec: ModelSpec, published: Path, rounds: int) -> Measured:
    """Makes and measures every form of a published graph.

    Args:
        spec: the model's.
        published: the version's folder.
        rounds: of timing, all forms in each.

    Raises:
        BuildError: the scored items cannot be used.
    """
    graph, scored = published / "model.onnx", _scored(spec.name)
    with tempfile.TemporaryDirectory(prefix="bentofleet-precision-") as scratch:
        graphs, reasons = _make(graph, scored, Path(scratch))
        found = _figures(spec, published, graphs, scored, rounds)
    forms = tuple(
        found.get(form) or Figures(form=form, reason=reasons[form]) for form in (FP32, FP16, INT8)
    )
    serve, why = decide(forms, scored.tolerance if scored else None, spec.golden_tolerance)
    return Measured(
        name=spec.name,
        version=published.name,
        published=variants.kind(graph),
        items=scored.items if scored else "",
        calibrated_on=scored.calibrated_on if scored else "",
        tolerance=scored.tolerance if scored else 0.0,
        golden_tolerance=spec.golden_tolerance,
        batch=_batch(spec),
        rounds=rounds,
        forms=forms,
        serve=serve,
        why=why,
    )


def decide(
    forms: tuple[Figures, ...], tolerance: float | None, golden_tolerance: float
) -> tuple[str, str]:
    """The form to serve: the fastest that loses nothing beyond the tolerance; and why.

    Args:
        forms: fp32 first.
        tolerance: of each score; None where there are no scores, and golden answers decide.
        golden_tolerance: of a golden answer.
    """
    base, best, notes = forms[0], forms[0], []
    for each in forms[1:]:
        if each.reason:
            continue
        if lost := _lost(base, each, tolerance, golden_tolerance):
            notes.append(f"{each.form} {lost}")
        elif each.speed[0] < FASTER:
            notes.append(f"{each.form} is not faster by {FASTER - 1:.0%}")
        elif best is base or each.speed[1] > best.speed[1]:
            best = each
    if best is not base:
        return best.form, f"{best.form} is {best.speed[1]:.2f} times as fast and loses nothing"
    return FP32, "; ".join(notes) or "there is no other form"


def _lost(
    base: Figures, other: Figures, tolerance: float | None, golden_tolerance: float
) -> str | None:
    """What a form loses beyond the tolerance, in words."""
    if tolerance is None:
        off = other.golden_difference
        if off is None or off > golden_tolerance:
            return "answers golden questions otherwise"
        return None
    for name, score in base.scores.items():
        if not score - other.scores[name] <= tolerance:  # also when it is not a number
            return f"loses {score - other.scores[name]:.4f} of {name} (at most {tolerance:g})"
    return None


def _scored(name: str) -> Scored | None:
    """What the model's own `scored.py` gives, if it has one."""
    if not (ROOT / "bentos" / name / "scored.py").is_file():
        return None
    found: Scored = importlib.import_module(f"bentos.{name}.scored").scored()
    return found


def _make(
    graph: Path, scored: Scored | None, folder: Path
) -> tuple[dict[str, Path], dict[str, str]]:
    """The graphs that there are, and the reasons of those that there are not."""
    calibration = scored.calibration if scored else None
    makers: dict[str, Callable[[], Path]] = {
        FP32: lambda: graph,
        FP16: lambda: variants.fp16(graph, folder / "fp16.onnx"),
        INT8: lambda: variants.int8(graph, folder / "int8.onnx", calibration),
    }
    made: dict[str, Path] = {}
    reasons: dict[str, str] = {}
    for form, make in makers.items():
        try:
            made[form] = make()
        except NotApplicable as error:
            reasons[form] = str(error)
    return made, reasons


def _figures(
    spec: ModelSpec,
    published: Path,
    graphs: Mapping[str, Path],
    scored: Scored | None,
    rounds: int,
) -> dict[str, Figures]:
    runs = {form: parity.runner(path) for form, path in graphs.items()}
    x = scored.x if scored else replay.inputs(spec, published)
    batch = np.resize(x, (_batch(spec), *x.shape[1:]))
    times = _times(runs, batch, rounds)
    outputs = {form: _outputs(run, x) for form, run in runs.items()}
    first = {form: y.argmax(axis=1) for form, y in outputs.items()}
    is_classes = np.allclose(outputs[FP32].sum(axis=1), 1, atol=_SUM_OFF)
    return {
        form: Figures(
            form=form,
            file_bytes=path.stat().st_size,
            items_per_s=len(batch) / median(times[form]),
            speed=tuple(quantiles([a / b for a, b in zip(times[FP32], times[form], strict=True)])),
            scores=dict(scored.measure(outputs[form])) if scored else {},
            same_first=float((first[form] == first[FP32]).mean()) if is_classes else None,
            golden_difference=_golden(spec, path, published),
        )
        for form, path in graphs.items()
    }


def _times(
    runs: Mapping[str, Run], batch: NDArray[np.float32], rounds: int
) -> dict[str, list[float]]:
    """Seconds for one run of each, in rounds that hold all of them, in turning order.

    Of the processor and not of the clock: one thread does the work, and a busy machine only makes
    it wait.
    """
    repeats = {form: _repeats(run, batch) for form, run in runs.items()}
    times: dict[str, list[float]] = {form: [] for form in runs}
    order = list(runs)
    for _ in range(rounds):
        for form in order:
            started = time.thread_time()
            for _ in range(repeats[form]):
                runs[form](batch)
            times[form].append((time.thread_time() - started) / repeats[form])
        order.append(order.pop(0))
    return times


def _repeats(run: Run, batch: NDArray[np.float32]) -> int:
    """Runs that fill a round; the first ones are slower and not counted."""
    run(batch)
    started = time.perf_counter()
    run(batch)
    return max(1, round(_ROUND_S / max(time.perf_counter() - started, 1e-6)))


def _outputs(run: Run, x: NDArray[np.float32]) -> NDArray[np.float32]:
    """All outputs, a few thousand rows or one photo at a time."""
    step = 4096 if x.ndim == 2 else 1
    return np.concatenate([run(x[start : start + step]) for start in range(0, len(x), step)])


def _golden(spec: ModelSpec, graph: Path, published: Path) -> float | None:
    then, now = replay.answers(spec, graph, published)
    found = closeness.compare(then, now, tolerance=float("inf"))
    texts = any(each.difference is None for each in found.beyond)
    return None if texts else found.largest


def _batch(spec: ModelSpec) -> int:
    return 1 if isinstance(spec.takes, Photo) else min(_ROWS, spec.max_batch)
