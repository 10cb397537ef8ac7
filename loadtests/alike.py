"""Whether two answers of a model say the same. Standard library only."""

import math
from collections.abc import Mapping
from typing import Any

from service import contract


def own_fields(answer: Mapping[str, Any]) -> dict[str, Any]:
    """An answer without what tells of the release and the moment that gave it."""
    return {k: v for k, v in answer.items() if k not in contract.ANSWER_FIELDS}


def is_alike(one: object, other: object, tolerance: float) -> bool:
    """Whether two values are the same, numbers within the tolerance.

    Args:
        tolerance: largest absolute difference of two numbers.
    """
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return math.isfinite(other) and abs(other - one) <= tolerance
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return one.keys() == other.keys() and all(
            is_alike(one[key], other[key], tolerance) for key in one
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(
            is_alike(a, b, tolerance) for a, b in zip(one, other, strict=True)
        )
    return one == other
