"""Turns whatever a card's metrics hold into headed tables."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bentos import flat
from bentos.tables import table

_MOST_ROWS = 60
_FIRST_LEVEL, _DEEPEST_LEVEL = 3, 5


def sections(
    metrics: Mapping[str, Any], pictures: Mapping[str, str], name: str, level: int = _FIRST_LEVEL
) -> Iterator[str]:
    """The blocks of a page: plain values first, then a headed part for all that is nested.

    Args:
        metrics: any JSON object.
        pictures: by the key of the top-level metric that they show.
        name: of the model, for the pictures' files.
        level: of the headings.
    """
    plain = [(words(key), value) for key, value in metrics.items() if _is_plain(value)]
    if plain:
        yield table(("measure", "value"), plain)
    for key, value in metrics.items():
        if _is_plain(value) or not value:
            continue
        yield f"{'#' * min(level, _DEEPEST_LEVEL)} {words(key).capitalize()}"
        if level == _FIRST_LEVEL and slug(key) in pictures:
            yield f"![{words(key)}]({name}-{slug(key)}.svg)"
        yield from _nested(value, pictures, name, level)


def rows(values: Mapping[str, Any]) -> list[tuple[str, object]]:
    """An object's leaves; a list of plain values stays in one row."""
    found: list[tuple[str, object]] = []
    for key, value in values.items():
        if isinstance(value, list) and all(_is_plain(part) for part in value):
            found.append((words(key), ", ".join(str(part) for part in value)))
        else:
            found += [(words(name), leaf) for name, leaf in flat.leaves(value, key)]
    return found


def words(key: str) -> str:
    """A key for a reader."""
    return key.replace("_", " ").replace(".", ", ")


def slug(key: str) -> str:
    """A key as part of a file's name."""
    return "".join(c if c.isalnum() else "-" for c in key.lower())


def _nested(value: Any, pictures: Mapping[str, str], name: str, level: int) -> Iterator[str]:
    if isinstance(value, list):
        yield _list(value)
    elif all(isinstance(part, Mapping) and part for part in value.values()):
        named = [{"": key, **part} for key, part in value.items()]
        yield _list(named)
    else:
        yield from sections(value, pictures, name, level + 1)


def _list(values: Sequence[Any]) -> str:
    """A list as a table with a row for each part, or as one line where its parts are plain."""
    if all(_is_plain(part) for part in values):
        return ", ".join(str(part) for part in values)
    flattened = [dict(flat.leaves(_joined(part))) for part in values[:_MOST_ROWS]]
    columns = list(dict.fromkeys(column for row in flattened for column in row))
    header = [words(column) for column in columns]
    text = table(header, [[row.get(column) for column in columns] for row in flattened])
    left = len(values) - _MOST_ROWS
    return text if left <= 0 else f"{text}\n\n{left} more rows are in the card."


def _joined(part: Any) -> Any:
    """A row whose lists of plain values are one cell each."""
    if not isinstance(part, Mapping):
        return part
    return {
        key: ", ".join(map(str, value))
        if isinstance(value, list) and all(map(_is_plain, value))
        else value
        for key, value in part.items()
    }


def _is_plain(value: Any) -> bool:
    return not isinstance(value, (Mapping, list))
