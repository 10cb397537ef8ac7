"""Compares two JSON values leaf by leaf: numbers within a tolerance, all else word for word."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bentos import flat

_ABSENT = "nothing"


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One leaf that differs by too much.

    Attributes:
        name: its path.
        published: the value then.
        again: the value now.
        difference: None where it is no number, or there is no such leaf.
    """

    name: str
    published: Any
    again: Any
    difference: float | None


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What a comparison found.

    Attributes:
        tolerance: largest difference that passes.
        relative: a difference is divided by the published number where that is above 1.
        compared: leaves.
        largest: difference among the numbers.
        beyond: the leaves that differ by more.
    """

    tolerance: float
    relative: bool
    compared: int
    largest: float
    beyond: tuple[Difference, ...]


def compare(
    published: Any,
    again: Any,
    tolerance: float,
    *,
    relative: bool = False,
    skipped: Callable[[str], bool] = lambda name: False,
) -> Comparison:
    """Compares every leaf but those whose name is `skipped`."""
    then, now = dict(flat.leaves(published)), dict(flat.leaves(again))
    largest, beyond = 0.0, []
    names = [name for name in {**then, **now} if not skipped(name)]
    for name in names:
        was, found = then.get(name, _ABSENT), now.get(name, _ABSENT)
        difference = _difference(was, found, relative)
        if difference is not None:
            largest = max(largest, difference)
        if was != found if difference is None else not difference <= tolerance:
            beyond.append(Difference(name=name, published=was, again=found, difference=difference))
    return Comparison(
        tolerance=tolerance,
        relative=relative,
        compared=len(names),
        largest=largest,
        beyond=tuple(beyond),
    )


def _difference(was: object, found: object, relative: bool) -> float | None:
    numbers = isinstance(was, (int, float)) and isinstance(found, (int, float))
    if not numbers or isinstance(was, bool) or isinstance(found, bool):
        return None
    difference = abs(float(found) - float(was))  # type: ignore[arg-type]
    if math.isnan(difference):
        return math.inf
    return difference / max(1.0, abs(float(was))) if relative else difference  # type: ignore[arg-type]
