"""Nested JSON as a flat table of names and values."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of everything that is neither object nor list, in order.

    A name is the path: keys and positions joined by dots.
    """
    if isinstance(value, Mapping):
        parts: Sequence[tuple[str, Any]] = [(str(key), part) for key, part in value.items()]
    elif isinstance(value, Sequence) and not isinstance(value, str):
        parts = [(str(position), part) for position, part in enumerate(value)]
    else:
        yield name, value
        return
    for key, part in parts:
        yield from leaves(part, f"{name}.{key}" if name else key)


def numbers(value: Any) -> dict[str, float]:
    """The leaves that are numbers; true is 1 and false is 0."""
    return {name: float(leaf) for name, leaf in leaves(value) if isinstance(leaf, (int, float))}
