"""Models converted for a runtime of their own: where they lie, and whether they are whole.

A converted model is one in the store beside the published one, `wildlife-vulkan` beside `wildlife`:
a card's sums and a CPU image stay as they are. Standard library only: build and service read it.
"""

import json
from pathlib import Path

from bentos.sums import file_sha256

MANIFEST = "conversion.json"
SUFFIX = "vulkan"


def stored_name(model: str) -> str:
    """The name in the store."""
    return f"{model}-{SUFFIX}"


def fault(folder: Path, published: Path) -> str | None:
    """What is wrong with a converted model; None where it is whole and of that version.

    Args:
        folder: of the converted model.
        published: the folder of the model that is served.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        version, sums = manifest["version"], dict(manifest["files"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        return f"{MANIFEST} cannot be read ({error!r})"
    if version != published.name:
        return f"it was converted from version {version}, and {published.name} is served"
    for name, expected in sums.items():
        try:
            found = file_sha256(folder / name)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != expected:
            return f"{name} was cut off or altered after it was converted"
    return None if sums else f"{MANIFEST} names no file"
