"""What each image is made from, with hashes: the source of tags and of 'is it up to date'.

Reads files only; no BentoML, so that a preview can ask at every run.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

import yaml

from bentos.catalog import MODELS
from bentos.converted import stored_name
from bentos.spec import Photo
from infra import versions
from service import contract

BENTOFILE = "bentofile.yaml"
SERVICE_RECIPE = "infra/images/service.dockerfile.j2"
REQUIREMENTS = {
    contract.CPU: "service/requirements.txt",
    contract.VULKAN: "service/requirements-vulkan.txt",
}
"""What each accelerator's image installs; the others install the first besides."""

EDGE = "infra/images/edge"
EDGE_RECIPE = f"{EDGE}/Containerfile"

MISSING = "missing"
"""Stands for the hash of a model that is not in the store."""

DATED = ("card.json", "conversion.json", "data.json", "model.yaml")
"""Files of a stored model that tell when it was made; its version stands for the rest of them."""

DIGITS = 12


def tag_of(inputs: Mapping[str, str]) -> str:
    """12 hex digits that change when any input changes, appears or goes."""
    lines = "".join(f"{name}\0{inputs[name]}\n" for name in sorted(inputs))
    return hashlib.sha256(lines.encode()).hexdigest()[:DIGITS]


def of_edge(root: Path) -> dict[str, str]:
    """Inputs of the edge image."""
    files = sorted(path.name for path in (root / EDGE).iterdir() if path.is_file())
    return {**{f"{EDGE}/{name}": _file_hash(root / EDGE / name) for name in files}, **_shared()}


def of_service(
    root: Path, environ: Mapping[str, str] = os.environ, accelerator: str = contract.CPU
) -> dict[str, str]:
    """Inputs of an accelerator's bento and of the service image made from it.

    A model that is not in the store has the hash `MISSING`.

    Raises:
        ValueError: bentofile.yaml is missing or has no `include` or `models`; one line.
    """
    bentofile = read_bentofile(root)
    tags = [*bentofile["models"], *converted(bentofile["models"], accelerator)]
    files = [BENTOFILE, SERVICE_RECIPE, *included(root, bentofile["include"])]
    if accelerator != contract.CPU:
        files.append(REQUIREMENTS[accelerator])
    store = model_store(root, environ)
    named = {} if accelerator == contract.CPU else {"accelerator": _text_hash(accelerator)}
    return {
        **{name: _file_hash(root / name) for name in files},
        **{f"model {tag}": _model_hash(store, tag) for tag in tags},
        **named,
        **_shared(),
    }


def converted(tags: Iterable[str], accelerator: str) -> list[str]:
    """Tags of the converted models that an accelerator needs beside the published `tags`."""
    names = [tag.partition(":")[0] for tag in tags]
    if accelerator != contract.VULKAN:
        return []
    photos = [name for name in names if name in MODELS and isinstance(MODELS[name].takes, Photo)]
    return [f"{stored_name(name)}:latest" for name in photos]


def read_bentofile(root: Path) -> dict[str, list[str]]:
    """The lists `include` and `models` of bentofile.yaml.

    Raises:
        ValueError: missing, not YAML, or one of them is not a list of strings.
    """
    try:
        content = yaml.safe_load((root / BENTOFILE).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        first = str(error).splitlines()[0]
        raise ValueError(
            f"{BENTOFILE}: cannot be read ({first}). Put it right and run again."
        ) from error
    lists = {}
    for key in ("include", "models"):
        value = content.get(key) if isinstance(content, dict) else None
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ValueError(
                f"{BENTOFILE}: {key} should be a list of strings (got {value!r}). Put it right "
                "and run again."
            )
        lists[key] = value
    return lists


def included(root: Path, patterns: Iterable[str]) -> list[str]:
    """The files that BentoML takes into the bento, as sorted paths from the root."""
    found = {path for pattern in patterns for path in root.glob(pattern) if path.is_file()}
    names = (path.relative_to(root) for path in found if "__pycache__" not in path.parts)
    return sorted(name.as_posix() for name in names)


def model_store(root: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of BentoML's model store: below BENTOML_HOME, else where set-up puts it."""
    return Path(environ.get("BENTOML_HOME") or root / "build/bentoml") / "models"


def model_version(store: Path, tag: str) -> str | None:
    """The version that `name:latest` or `name:version` means now; None where there is none."""
    name, _, version = tag.partition(":")
    if version in ("", "latest"):
        pointer = store / name / "latest"
        version = pointer.read_text(encoding="utf-8").strip() if pointer.is_file() else ""
    return version if version and (store / name / version).is_dir() else None


def _model_hash(store: Path, tag: str) -> str:
    version = model_version(store, tag)
    if version is None:
        return MISSING
    folder = store / tag.partition(":")[0] / version
    digest = hashlib.sha256(version.encode())
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in DATED:
            digest.update(f"{path.relative_to(folder).as_posix()}\0{_file_hash(path)}\n".encode())
    return digest.hexdigest()


def _shared() -> dict[str, str]:
    values = {"base image": versions.BASE_IMAGE, "file time": versions.IMAGE_EPOCH_S}
    return {name: _text_hash(value) for name, value in values.items()}


def _text_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
