"""Measures the graph on the photographs beside this file, whose animals are known."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bentos.recipe import BuildError
from bentos.wildlife import features
from bentos.wildlife.features import LABELS
from bentos.wildlife.spec import TOP

FOLDER = Path(__file__).parent / "photos"
TRUTH = FOLDER / "truth.json"


@dataclass(frozen=True, kw_only=True)
class Photograph:
    """One photograph.

    Attributes:
        classes: the classes that are right, or None where ImageNet has none for the animal.
    """

    path: Path
    classes: tuple[str, ...] | None


def load() -> list[Photograph]:
    """All photographs, by name.

    Raises:
        BuildError: the truth cannot be read, or names a class or a photograph that there is not.
    """
    try:
        truth: dict[str, list[str] | None] = json.loads(TRUTH.read_text(encoding="utf-8"))
        return [_photograph(name, classes) for name, classes in sorted(truth.items())]
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise BuildError(f"{TRUTH}: cannot be used ({error}). Take it from git again.") from error


def _photograph(name: str, classes: list[str] | None) -> Photograph:
    unknown = set(classes or ()) - set(LABELS)
    if unknown:
        raise ValueError(f"{name}: no such class: {', '.join(sorted(unknown))}")
    if not (FOLDER / name).is_file():
        raise ValueError(f"{name}: there is no such photograph")
    return Photograph(path=FOLDER / name, classes=None if classes is None else tuple(classes))


def encode(photographs: Sequence[Photograph]) -> NDArray[np.float32]:
    """The graph's input for all of them."""
    return np.stack(
        [features.encode(Image.open(photograph.path).convert("RGB")) for photograph in photographs]
    )


def measure(
    photographs: Sequence[Photograph], probabilities: NDArray[np.float32]
) -> dict[str, Any]:
    """Top-1 and top-5 over the photographs whose animal has a class.

    Args:
        photographs: all.
        probabilities: (n, 398).
    """
    rows = [_row(*pair) for pair in zip(photographs, probabilities, strict=True)]
    ranks = [row["rank"] for row in rows if row["rank"] is not None]
    first, among = sum(rank == 1 for rank in ranks), sum(rank <= TOP for rank in ranks)
    return {
        "top_1": first / len(ranks),
        "top_5": among / len(ranks),
        "top_1_one_answer": _one_answer(photographs),
        "top_1_photos": first,
        "top_5_photos": among,
        "photos_with_a_class": len(ranks),
        "photos": rows,
    }


def _one_answer(photographs: Sequence[Photograph]) -> float:
    """Share that is right for who always names the animal that most photographs show."""
    known = [photograph.classes for photograph in photographs if photograph.classes is not None]
    counts = Counter(name for classes in known for name in set(classes))
    return max(counts.values()) / len(known)


def clearest(probabilities: NDArray[np.float32], count: int) -> list[int]:
    """The photographs whose best classes lie furthest apart, so that rounding swaps none."""
    best = -np.sort(-probabilities, axis=1)[:, : TOP + 1]
    gaps = -np.diff(best, axis=1).max(axis=1)
    return sorted(np.argsort(-gaps, kind="stable")[:count].tolist())


def _row(photograph: Photograph, probabilities: NDArray[np.float32]) -> dict[str, Any]:
    order = np.argsort(-probabilities, kind="stable")
    names = [LABELS[index] for index in order]
    classes = photograph.classes
    return {
        "photo": photograph.path.name,
        "classes": None if classes is None else list(classes),
        "answer": names[0],
        "probability": float(probabilities[order[0]]),
        "rank": None if classes is None else 1 + min(names.index(name) for name in classes),
    }
