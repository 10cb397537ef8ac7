"""Names what differs between the inputs of a published model and the inputs at hand."""

from collections.abc import Iterator, Mapping
from typing import Any

from bentos import flat, lineage
from bentos.recipe import Recipe

_ABSENT = "nothing"
_SHOWN_CHARACTERS = 60
_SHA256_DIGITS = 64
_SHOWN_DIGITS = 12


def differences(card: Mapping[str, Any], manifest: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """One text for each input that differs: data, parameters, frameworks, code.

    Args:
        card: of the published model.
        manifest: its data.json.
        recipe: as it is now.
    """
    return [
        *data_differences(manifest, recipe),
        *_changed("simulated", card["data"]["simulated"], recipe.data.simulated),
        *_changed("parameter", card["parameters"], recipe.parameters),
        *_changed("package", card["frameworks"], recipe.framework_versions()),
        *_changed("code", card.get("code", {}), recipe.code_sums()),
    ]


def data_differences(manifest: Mapping[str, Any], recipe: Recipe) -> list[str]:
    """The same for the data sets alone."""
    then = {
        name: {key: value for key, value in entry.items() if key != "made_at"}
        for name, entry in manifest["data"].items()
    }
    now = {each.name: lineage.entry(each) for each in lineage.data_sets(recipe)}
    return list(_changed("data set", then, now))


def short(value: object) -> str:
    """A value for a message: a sha256 by its first digits, nothing too long."""
    text = str(value)
    digits = _SHOWN_DIGITS if len(text) == _SHA256_DIGITS else _SHOWN_CHARACTERS
    return text[:digits]


def _changed(kind: str, then: object, now: object) -> Iterator[str]:
    was, found = dict(flat.leaves(then)), dict(flat.leaves(now))
    for name in sorted(was.keys() | found.keys()):
        before, after = was.get(name, _ABSENT), found.get(name, _ABSENT)
        if before != after:
            yield f"{kind} {name} is {short(after)} instead of {short(before)}".replace("  ", " ")
