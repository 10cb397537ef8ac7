"""What every server of the benchmark has in common: graphs, features, tokens, checks.

Read by the rivals' processes, mosec's environment included, and by the yardstick without HTTP.
"""

import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bentos.catalog import MODELS
from bentos.energy import features as energy
from bentos.spec import ModelSpec, Photo, Table
from bentos.wildlife import features as wildlife
from service import contract, models, settings
from service.api import photos, tables
from service.auth import Auth
from service.keys import KeySet
from service.runtimes import choice
from service.runtimes.onnx import OnnxRuntime

ROOT = Path(__file__).resolve().parents[2]
TABLE = "energy"
PHOTO = "wildlife"
TABLE_PATH = contract.predict_path(TABLE)
PHOTO_PATH = contract.predict_path(PHOTO)

Answer = dict[str, Any]


class Rows:
    """The table model."""

    def __init__(self) -> None:
        """Loads the published graph, on one thread."""
        self._takes = _table(MODELS[TABLE])
        self._runtime = _runtime(TABLE)

    def check(self, row: object) -> dict[str, object]:
        """A row's values, as our service checks them.

        Raises:
            ProblemError: the client's error.
        """
        return tables.check(row, self._takes)

    def answers(self, rows: Sequence[Mapping[str, object]]) -> list[Answer]:
        """One answer per row; numbers are floats, the timestamp is a datetime."""
        return energy.answer(self._runtime.run(energy.encode(rows)))


class Photos:
    """The photo model."""

    def __init__(self) -> None:
        """Loads the published graph, on one thread."""
        self._takes = _photo(MODELS[PHOTO])
        self._runtime = _runtime(PHOTO)

    def read(self, body: bytes) -> NDArray[np.float32]:
        """The graph's input for a file's bytes, read without any check."""
        return self.encode(Image.open(BytesIO(body)))

    def check(self, body: bytes) -> NDArray[np.float32]:
        """The same, checked as our service does.

        Raises:
            ProblemError: the client's error.
        """
        with photos.decode(body, self._takes) as picture:
            return wildlife.encode(picture)

    def encode(self, picture: Image.Image) -> NDArray[np.float32]:
        """The graph's input for a picture."""
        return wildlife.encode(picture.convert("RGB"))

    def answers(self, inputs: Sequence[NDArray[np.float32]]) -> list[Answer]:
        """One answer per input."""
        return wildlife.answer(self._runtime.run(np.stack(inputs)))


def auth() -> Auth:
    """Checks tokens as our service does, with the settings of this process."""
    told = settings.read(os.environ)
    return Auth(KeySet(told.jwks), told.audience, told.issuer)


def model_folder(name: str) -> Path:
    """The folder of the published model that our service would serve.

    Raises:
        ValueError: there is none.
    """
    return models.folder(models.models_dir(os.environ, ROOT), name)


def _runtime(name: str) -> OnnxRuntime:
    return OnnxRuntime(model_folder(name) / choice.GRAPH_FILE, 1)


def _table(spec: ModelSpec) -> Table:
    if not isinstance(spec.takes, Table):
        raise TypeError(f"{spec.name}: takes no rows.")
    return spec.takes


def _photo(spec: ModelSpec) -> Photo:
    if not isinstance(spec.takes, Photo):
        raise TypeError(f"{spec.name}: takes no photos.")
    return spec.takes
