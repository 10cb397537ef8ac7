"""Finds a model's files, loads them, and proves them by their golden answers.

Knows nothing of HTTP. In the container BentoML itself is not imported: the store's layout of
folders is enough, and BentoML would cost 55 MB and three seconds.
"""

import itertools
import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import orjson
from numpy.typing import NDArray

from bentos import sums
from bentos.spec import ModelSpec, Photo, Table
from service.api import photos, tables
from service.api.problems import ProblemError
from service.runtimes import Runtime
from service.runtimes.onnx import OnnxRuntime

GRAPH_FILE = "model.onnx"
CARD_FILE = "card.json"
GOLDEN_FILE = "golden.json"
REBUILD = "Build the model again."

QUICK_ITEMS = 64
# A hand-over to a thread and back waits for Python's lock, up to 5 ms where the loop is busy: what
# runs faster than that is better run in the loop. Our tables take 0.1 to 1 ms.
_QUICK_S = 0.005
_QUICK_TRIALS = 3  # of which the fastest counts: a busy machine only ever adds to it

Answer = dict[str, object]
Prepared = Any  # a checked row, or a photo's float32 array (3, s, s)


class Features(Protocol):
    """A model's own code: `bentos.<model>.features`, the same in training and service."""

    def encode(self, given: Any, /) -> NDArray[np.float32]:
        """Rows to (n, k), or one picture to (3, s, s)."""
        ...

    def answer(self, outputs: NDArray[np.float32], /) -> list[Answer]:
        """The graph's (n, m) output to one answer per item."""
        ...


class Model(ABC):
    """A loaded model.

    Attributes:
        card: what was written when it was trained.
        max_batch: most items in one run.
        quick: whether `QUICK_ITEMS` run in no more time than the event loop can spare.
        count: is told of each run: seconds, items.
    """

    def __init__(
        self, spec: ModelSpec, version: str, card: Mapping[str, Any], runtime: Runtime, code: Any
    ) -> None:
        """Puts the parts together; `code` is the model's `Features`."""
        self.spec = spec
        self.version = version
        self.card = card
        self.runtime = runtime
        self.max_batch = spec.max_batch
        self.quick = False
        self.count: Callable[[float, int], None] = lambda duration_s, items: None
        self._features: Features = code

    @abstractmethod
    def prepare(self, given: Any) -> Prepared:
        """A client's item, checked and ready for `run`.

        Raises:
            ProblemError: the client's error.
        """

    def run(self, items: Sequence[Prepared]) -> list[Answer | Exception]:
        """One answer per item; an item whose outputs are not finite fails alone."""
        inputs = self._inputs(items)
        started = time.perf_counter()
        outputs = self.runtime.run(inputs)
        self.count(time.perf_counter() - started, len(items))
        if np.isfinite(outputs).all():
            return list(self._features.answer(outputs))
        return [self._finite(outputs[i : i + 1]) for i in range(len(items))]

    @abstractmethod
    def golden_input(self, given: Any, path: Path) -> Any:
        """The client's item that a golden answer's `input` stands for."""

    @abstractmethod
    def _inputs(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        """The graph's input."""

    def _finite(self, output: NDArray[np.float32]) -> Answer | Exception:
        if np.isfinite(output).all():
            return self._features.answer(output)[0]
        return ArithmeticError(f"{self.spec.name}: an output that is not finite")


class TableModel(Model):
    """Takes rows: JSON objects."""

    def __init__(self, takes: Table, *parts: Any) -> None:
        """As `Model`, after what it takes."""
        super().__init__(*parts)
        self.takes = takes
        self._rows = tables.Rows(takes)

    def prepare(self, given: Any) -> Prepared:
        """A row's values."""
        return self._rows.check(given)

    def read(self, body: bytes) -> Prepared:
        """The values of the one row in a request's body.

        Raises:
            ProblemError: the client's error.
        """
        return self._rows.read(body)

    def golden_input(self, given: Any, path: Path) -> Any:
        """The row as it stands there."""
        return given

    def _inputs(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        return self._features.encode(items)


class PhotoModel(Model):
    """Takes photos: a file's bytes. Preparing takes milliseconds, so do it in a thread."""

    def __init__(self, takes: Photo, *parts: Any) -> None:
        """As `Model`, after what it takes."""
        super().__init__(*parts)
        self.takes = takes
        if self.runtime.device == "cpu":
            # Measured with EfficientNet-Lite0: a photo costs the same in a batch of 8, and the
            # batch's activations cost 90 MB.
            self.max_batch = 1

    def prepare(self, given: Any) -> Prepared:
        """The decoded picture as the graph's input."""
        with photos.decode(given, self.takes) as picture:
            return self._features.encode(picture)

    def golden_input(self, given: Any, path: Path) -> Any:
        """The bytes of the file that is named there."""
        return (path / given).read_bytes()

    def _inputs(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        return np.stack(items)


def models_dir(environ: Mapping[str, str], root: Path) -> Path:
    """The folder with the models: the bento's own where there is one, else the BentoML store's.

    Args:
        environ: `BENTOML_HOME` is read as BentoML does.
        root: the folder that holds `service/`.
    """
    bundled = root.parent / "models"
    if root.name == "src" and (root.parent / "bento.yaml").is_file() and bundled.is_dir():
        return bundled
    if home := environ.get("BENTOML_HOME"):
        return Path(home) / "models"
    ours = root / "build" / "bentoml" / "models"  # where `make models` puts them
    return ours if ours.is_dir() else Path.home() / "bentoml" / "models"


def pins(root: Path) -> dict[str, str]:
    """The versions that a bento was built with, where the service runs from one."""
    manifest = root.parent / "bento.yaml"
    if root.name != "src" or not manifest.is_file():
        return {}
    import yaml  # comes with BentoML; a checkout does without it

    tags = [model["tag"] for model in yaml.safe_load(manifest.read_text()).get("models", [])]
    return dict(tag.split(":", 1) for tag in tags)


def folder(models: Path, name: str, version: str | None = None) -> Path:
    """The folder of one version of a model; without `version` the one that the store calls latest.

    Raises:
        ValueError: there is none.
    """
    if version is not None:
        return _there(models, name, version)
    latest = models / name / "latest"
    if latest.is_file():
        return _there(models, name, latest.read_text(errors="replace").strip())
    versions = [path for path in (models / name).glob("*") if path.is_dir()]
    if len(versions) != 1:
        found = "none" if not versions else f"{len(versions)} versions and no `latest`"
        raise ValueError(f"{name}: should be in {models} (got {found}). Run `make models`.")
    return versions[0]


def _there(models: Path, name: str, version: str) -> Path:
    found = models / name / version
    if version in ("", ".", "..") or "/" in version or not found.is_dir():
        raise ValueError(
            f"{name}: the version that is asked for should be in {models} (got {version!r}). "
            "Run `make models`."
        )
    return found


def load(spec: ModelSpec, path: Path, code: Any, threads: int) -> Model:
    """Loads a model and compares its golden answers.

    Args:
        spec: of the catalog.
        path: the version's folder.
        code: the model's `Features`.
        threads: of the runtime.

    Raises:
        ValueError: files are missing or broken, or an answer differs; one line.
    """
    card = _card(spec.name, path)
    golden = _document(spec.name, path / GOLDEN_FILE)
    parts = (spec, path.name, card, OnnxRuntime(path / GRAPH_FILE, threads), code)
    match spec.takes:
        case Table() as table:
            model: Model = TableModel(table, *parts)
        case Photo() as photo:
            model = PhotoModel(photo, *parts)
    try:
        _check_golden(model, path, golden)
    except (ProblemError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{spec.name}: {path / GOLDEN_FILE} is broken ({error!r}). {REBUILD}"
        ) from error
    return model


def _card(name: str, path: Path) -> dict[str, Any]:
    """The card, if it is this version's and the files beside it are those that it tells of."""
    card = _document(name, path / CARD_FILE)
    if (card.get("name"), card.get("version")) != (name, path.name):
        fault: str | None = f"{CARD_FILE} is of {card.get('name')}:{card.get('version')}"
    else:
        fault = sums.fault(path, card)
    if fault:
        raise ValueError(f"{name}: {path}: {fault}. {REBUILD}")
    return card


def _check_golden(model: Model, path: Path, golden: Mapping[str, Any]) -> None:
    name, tolerance, items = model.spec.name, float(golden["tolerance"]), golden["items"]
    if not items:
        raise ValueError(f"{name}: {path / GOLDEN_FILE} has no golden answers. {REBUILD}")
    inputs = [model.prepare(model.golden_input(item["input"], path)) for item in items]
    most = model.max_batch
    for start in range(0, len(items), most):
        answers = model.run(inputs[start : start + most])
        for number, answer in enumerate(answers, start):
            where = f"{name}: golden answer {number}"
            if isinstance(answer, Exception):
                raise ValueError(f"{where}: the model failed ({answer!r}). {REBUILD}")
            seen = orjson.loads(orjson.dumps(answer))  # as a client would see it
            _compare(where, items[number]["answer"], seen, tolerance)
    model.quick = isinstance(model, TableModel) and _is_quick(model, inputs)


def _is_quick(model: Model, inputs: Sequence[Prepared]) -> bool:
    most = min(QUICK_ITEMS, model.max_batch)
    batch = list(itertools.islice(itertools.cycle(inputs), most))

    def duration_s() -> float:
        started = time.perf_counter()
        model.run(batch)
        return time.perf_counter() - started

    return min(duration_s() for _ in range(_QUICK_TRIALS)) <= _QUICK_S


def _compare(where: str, golden: object, answer: object, tolerance: float) -> None:
    if isinstance(golden, int | float) and isinstance(answer, int | float):
        difference = abs(answer - golden)
        if not difference <= tolerance or not math.isfinite(answer):
            raise ValueError(
                f"{where} differs by {difference:.3g} (tolerance {tolerance:g}). {REBUILD}"
            )
    elif isinstance(golden, dict) and isinstance(answer, dict) and golden.keys() == answer.keys():
        for key in golden:
            _compare(where, golden[key], answer[key], tolerance)
    elif isinstance(golden, list) and isinstance(answer, list) and len(golden) == len(answer):
        for one, other in zip(golden, answer, strict=True):
            _compare(where, one, other, tolerance)
    elif golden != answer:
        raise ValueError(f"{where} is {answer!r:.80} instead of {golden!r:.80}. {REBUILD}")


def _document(name: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: {path} cannot be read ({error}). {REBUILD}") from (error)
    if not isinstance(document, dict):
        raise ValueError(f"{name}: {path} should be a JSON object. {REBUILD}")
    return document
