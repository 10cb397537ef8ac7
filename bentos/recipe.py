"""What every model's `recipe.py` gives to the build: inputs that make its version, and the work.

Imports neither torch nor xgboost, so that a build with nothing to do costs nothing.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bentos.spec import ModelSpec
from bentos.sums import file_sha256

ROOT = Path(__file__).resolve().parents[1]

VERSION_DIGITS = 12

# These decide what lies in a published model, so a change makes a new version of every model.
_SHARED_CODE = (
    "card.py",
    "golden.py",
    "lineage.py",
    "parity.py",
    "recipe.py",
    "spec.py",
    "sums.py",
)


class BuildError(Exception):
    """Why a model cannot be built, in one line for the user."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """What a model was made from.

    Attributes:
        source: where it comes from, for a reader of the card.
        sha256: of the file.
        rows: items in it; None where rows make no sense (weights).
        simulated: made up by us: its scores say nothing about the world.
    """

    source: str
    sha256: str
    rows: int | None
    simulated: bool
    licence: str
    citation: str


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """One data set and the step that made it, for the manifest of data versions.

    Attributes:
        name: within the model: `tetouan`.
        sha256: of its content.
        rows: items in it; None where rows make no sense.
        source: where it comes from, for a reader.
        step: the function that got or made it: `bentos.energy.data:find`.
        parameters: that the step worked by; JSON.
        inputs: names of the data sets that it was made from.
    """

    name: str
    sha256: str
    rows: int | None
    source: str
    step: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    inputs: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What came out of making a model, beside the files in its folder.

    Attributes:
        metrics: holds every measure that the spec's bars and `primary` name, as numbers at the top.
        parity: the proof that the graph answers as the framework does.
        limits: what the model must not be used or trusted for, plain sentences.
        export: facts about the graph.
    """

    metrics: Mapping[str, Any]
    parity: Mapping[str, Any]
    limits: tuple[str, ...]
    export: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """How one model is made.

    Attributes:
        parameters: everything that was chosen; JSON.
        frameworks: distributions whose version matters.
        code: files whose content matters, beside the Python files next to the spec.
        licence: of the published model.
        make: writes model.onnx and golden.json into a folder. Raises BuildError.
        data_sets: every data set that goes into the model, inputs first; without any the manifest
            has `data` alone.
    """

    spec: ModelSpec
    data: Data
    parameters: Mapping[str, Any]
    frameworks: tuple[str, ...]
    licence: str
    make: Callable[[Path], Outcome]
    code: tuple[Path, ...] = field(default=())
    data_sets: tuple[DataSet, ...] = ()

    @property
    def small(self) -> bool:
        """Whether it makes the variant for tests."""
        return bool(self.parameters.get("small"))

    def framework_versions(self) -> dict[str, str]:
        """Installed version of each framework.

        Raises:
            BuildError: one is not installed.
        """
        try:
            return {name: version(name) for name in self.frameworks}
        except PackageNotFoundError as error:
            raise BuildError(
                f"{self.spec.name}: the package {error.name} is not installed. Run `uv sync`."
            ) from error

    def code_sums(self) -> dict[str, str]:
        """The sha256 of every file whose content decides what is made."""
        folder = ROOT / "bentos"
        shared = [folder / name for name in _SHARED_CODE]
        own = [*(folder / self.spec.name).glob("*.py"), *self.code]
        return {
            path.relative_to(ROOT).as_posix(): file_sha256(path) for path in sorted({*shared, *own})
        }

    def version(self) -> str:
        """The version that these inputs make, in hexadecimal digits."""
        inputs = {
            "data": self.data.sha256,
            "data_sets": {each.name: each.sha256 for each in self.data_sets},
            "simulated": self.data.simulated,
            "parameters": self.parameters,
            "frameworks": self.framework_versions(),
            "code": self.code_sums(),
        }
        canonical = json.dumps(inputs, sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()[:VERSION_DIGITS]
