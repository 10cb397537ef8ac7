"""build/images.json: the images built last, and from what. The build writes, `pulumi up` reads."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from infra.images import inputs

FILE = "build/images.json"
CURE = "Run `make image`."

VARIABLE = "BENTOFLEET_IMAGES"
"""Environment: another file of the same form to deploy from, such as one kept from a build."""


@dataclass(frozen=True, kw_only=True)
class BuiltImage:
    """One image that the engine of this machine has.

    Attributes:
        name: the accelerator (`cpu`, `vulkan`), or `edge`.
        tag: repository and tag; the tag's last 12 digits are made from the inputs.
        image_id: 64 hex digits.
        bento: tag of the bento inside; None in the edge's image.
        inputs: name of each input -> hash of its content.
    """

    name: str
    tag: str
    image_id: str
    bento: str | None
    inputs: Mapping[str, str]


def load(root: Path) -> dict[str, BuiltImage]:
    """All built images by name.

    Raises:
        ValueError: nothing was built yet, or the file is not what the build writes; one line.
    """
    try:
        path = Path(os.environ.get(VARIABLE) or root / FILE)
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(f"{FILE}: no image was built yet. {CURE}") from error
    except (OSError, ValueError) as error:
        raise ValueError(f"{FILE}: cannot be read ({error}). {CURE}") from error
    if not isinstance(content, dict):
        raise ValueError(f"{FILE}: should be an object (got {type(content).__name__}). {CURE}")
    return {name: _image(name, entry) for name, entry in content.items()}


def load_fresh(root: Path, needed: Iterable[str] = ("cpu", "edge")) -> dict[str, BuiltImage]:
    """The images that are needed, when each is made from the inputs as they are now.

    Raises:
        ValueError: as `load`, or an image is missing or older than its inputs; names them.
    """
    images = load(root)
    for name in sorted(needed):
        if name not in images:
            raise ValueError(f"{FILE}: the image {name} is missing. {_cure(name)}")
        changed = changed_inputs(root, images[name])
        if changed:
            what = f"the image {name} is older than its inputs ({_some(changed)})"
            raise ValueError(f"{FILE}: {what}. {_cure(name)}")
    return images


def _cure(name: str) -> str:
    """What builds an image: those that every stack needs are built without being asked for."""
    return CURE if name in ("cpu", "edge") else f"Run `make image ACCELERATOR={name}`."


def changed_inputs(root: Path, image: BuiltImage) -> list[str]:
    """Names of the inputs that differ now from those the image was made from, sorted.

    Raises:
        ValueError: bentofile.yaml cannot be read.
    """
    if image.name == "edge":
        now = inputs.of_edge(root)
    else:
        now = inputs.of_service(root, accelerator=image.name)
    names = now.keys() | image.inputs.keys()
    return sorted(name for name in names if now.get(name) != image.inputs.get(name))


def save(root: Path, image: BuiltImage) -> None:
    """Puts one image into the file, which is at every moment the old or the new one."""
    try:
        images = load(root)
    except ValueError:
        images = {}  # missing or broken: it is written anew
    images[image.name] = image
    content = {name: _entry(images[name]) for name in sorted(images)}
    path = root / FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_suffix(f".part{os.getpid()}")
    part.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    part.replace(path)


def _entry(image: BuiltImage) -> dict[str, Any]:
    entry = {"tag": image.tag, "image_id": image.image_id, "inputs": dict(image.inputs)}
    return entry | ({"bento": image.bento} if image.bento else {})


def _image(name: str, entry: Any) -> BuiltImage:
    fields = entry if isinstance(entry, dict) else {}
    for key, kind in (("tag", str), ("image_id", str), ("inputs", dict)):
        if not isinstance(fields.get(key), kind):
            raise ValueError(f"{FILE}: {name}.{key} is missing or no {kind.__name__}. {CURE}")
    return BuiltImage(
        name=name,
        tag=fields["tag"],
        image_id=fields["image_id"],
        bento=fields.get("bento"),
        inputs=fields["inputs"],
    )


def _some(names: list[str], most: int = 4) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
