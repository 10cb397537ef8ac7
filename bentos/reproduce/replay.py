"""Asks a graph the golden questions of a published model."""

import importlib
import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bentos import parity
from bentos.golden import GOLDEN_FILE
from bentos.spec import ModelSpec, Photo, Table, Timestamp


def answers(spec: ModelSpec, graph: Path, published: Path) -> tuple[list[Any], list[Any]]:
    """The answers that were published, and what the graph answers to the same items.

    Args:
        spec: of the model.
        graph: the ONNX file.
        published: the folder with golden.json.
    """
    items = json.loads((published / GOLDEN_FILE).read_bytes())["items"]
    code = importlib.import_module(f"bentos.{spec.name}.features")
    run = parity.runner(graph)
    again = [code.answer(run(x[None]))[0] for x in inputs(spec, published)]
    return [item["answer"] for item in items], again


def inputs(spec: ModelSpec, published: Path) -> NDArray[np.float32]:
    """The graph's input for all golden questions."""
    items = json.loads((published / GOLDEN_FILE).read_bytes())["items"]
    code = importlib.import_module(f"bentos.{spec.name}.features")
    return np.concatenate([_encode(spec, code, published, item["input"]) for item in items])


def _encode(spec: ModelSpec, code: Any, published: Path, given: Any) -> NDArray[np.float32]:
    if isinstance(spec.takes, Photo):
        with Image.open(published / given) as image:
            return np.asarray(code.encode(image.convert("RGB")))[None]
    return np.asarray(code.encode([_row(spec.takes, given)]))


def _row(table: Table, given: Mapping[str, Any]) -> dict[str, object]:
    moments = {column.name for column in table.columns if isinstance(column, Timestamp)}
    return {
        name: datetime.fromisoformat(value) if name in moments else value
        for name, value in given.items()
    }
