"""Finds a model's files, loads them, and proves them by their golden answers.

Knows nothing of HTTP. In the container BentoML itself is not imported: the store's layout of
folders is enough, and BentoML would cost 55 MB and three seconds.
"""

import json
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bentos import sums
from bentos.spec import ModelSpec, Photo, Table
from service import contract, proof
from service.api import photos, tables
from service.api.problems import ProblemError
from service.proof import GOLDEN_FILE, Unproved
from service.runtimes import Runtime
from service.runtimes.choice import Choice
from service.runtimes.vulkan import DeviceLost

CARD_FILE = "card.json"
REBUILD = "Build the model again."
WRONG_DEVICE = (
    "The card or its driver computes wrongly: run `make doctor`, which looks at its memory clock "
    "and the kernel."
)


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
        rates: device -> items a second, one by one; of a model on a card also the processor's.
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
        self.rates: dict[str, float] = {}
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
        inputs = self.graph_input(items)
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
    def graph_input(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        """The graph's input: (n, ...)."""

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

    def graph_input(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        """One line for each row."""
        return self._features.encode(items)


class PhotoModel(Model):
    """Takes photos: a file's bytes. Preparing takes milliseconds, so do it in a thread."""

    def __init__(self, takes: Photo, *parts: Any) -> None:
        """As `Model`, after what it takes."""
        super().__init__(*parts)
        self.takes = takes
        if self.runtime.device != contract.VULKAN:
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

    def graph_input(self, items: Sequence[Prepared]) -> NDArray[np.float32]:
        """The pictures, one behind the other."""
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


def load(spec: ModelSpec, path: Path, code: Any, choice: Choice) -> Model:
    """Loads a model, compares its golden answers and measures what it can do.

    Args:
        spec: of the catalog.
        path: the version's folder.
        code: the model's `Features`.
        choice: of the runtime.

    Raises:
        ValueError: files are missing or broken, the device is not there, or an answer differs;
            one line.
    """
    card = _card(spec.name, path)
    golden = _document(spec.name, path / GOLDEN_FILE)
    runtime = choice.open(spec, path)
    parts = (spec, path.name, card, runtime, code)
    match spec.takes:
        case Table() as table:
            model: Model = TableModel(table, *parts)
        case Photo() as photo:
            model = PhotoModel(photo, *parts)
    try:
        inputs = proof.check(model, path, golden)
        model.quick = isinstance(model, TableModel) and proof.is_quick(model, inputs)
        one = model.graph_input(inputs[:1])
        model.rates[runtime.device] = proof.rate(runtime, one)
    except DeviceLost as error:
        raise ValueError(f"{spec.name}: the device gave up ({error}). {WRONG_DEVICE}") from error
    except Unproved as error:
        # The same files answer right on the processor, or they would not have been published.
        cure = REBUILD if runtime.device == contract.CPU else WRONG_DEVICE
        raise ValueError(f"{error}. {cure}") from error
    except (ProblemError, KeyError, TypeError, OSError) as error:
        raise ValueError(
            f"{spec.name}: {path / GOLDEN_FILE} is broken ({error!r}). {REBUILD}"
        ) from error
    if runtime.device != contract.CPU:
        model.rates[contract.CPU] = proof.rate(choice.on_cpu(path), one)
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


def _document(name: str, path: Path) -> dict[str, Any]:
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: {path} cannot be read ({error}). {REBUILD}") from (error)
    if not isinstance(document, dict):
        raise ValueError(f"{name}: {path} should be a JSON object. {REBUILD}")
    return document
