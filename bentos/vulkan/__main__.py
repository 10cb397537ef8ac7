"""Converts the published photo models that are not converted yet: `python -m bentos.vulkan`."""

import argparse
import hashlib
import importlib
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from bentos import build, converted, store
from bentos.catalog import MODELS
from bentos.recipe import ROOT, VERSION_DIGITS, BuildError
from bentos.spec import Photo
from bentos.sums import file_sha256
from bentos.vulkan import convert

log = logging.getLogger("bentos.vulkan")  # not __name__: that is __main__ in a command

PHOTO_MODELS = tuple(name for name, spec in MODELS.items() if isinstance(spec.takes, Photo))


def ensure(name: str) -> str:
    """Converts the latest published version of a model unless that was done; its own version.

    Raises:
        BuildError: it is not published, is damaged, or cannot be converted.
    """
    published = store.latest(name)
    if published is None:
        raise BuildError(f"{name}: is not published yet. Run `make models MODEL={name}`.")
    if damage := store.fault(name, published.name):
        raise BuildError(
            f"{name}: {published.name} is damaged ({damage}). Run `make models MODEL={name}`."
        )
    stored, version = converted.stored_name(name), _version(published)
    found = store.find(stored, version)
    fault = converted.fault(found, published) if found else None
    if found and not fault:
        store.set_latest(stored, version)
        log.info("%s: up to date (%s:%s)", name, stored, version)
        return version
    if found:
        log.warning("%s: %s:%s is damaged (%s): it is made again", name, stored, version, fault)
        store.discard(stored, version)
    proofs: list[convert.Proof] = []

    def fill(folder: Path) -> None:
        proofs.append(_make(name, published, folder))

    store.put(stored, version, {"project": "bentofleet", "runtime": "ncnn"}, {}, fill)
    (proof,) = proofs
    log.info(
        "%s: converted (%s:%s); over %d photos it differs by %.1e at most",
        *(name, stored, version, proof.photos, proof.largest),
    )
    return version


def _make(name: str, published: Path, folder: Path) -> convert.Proof:
    graph = published / "model.onnx"
    encode = importlib.import_module(f"bentos.{name}.features").encode
    x = convert.golden_inputs(published, encode)
    convert.convert(graph, x.shape[1:], folder)
    proof = convert.prove(graph, folder, x)
    manifest = {
        "name": name,
        "version": published.name,
        "graph": file_sha256(graph),
        "tools": convert.tools(),
        "parity": convert.told(proof),
        "files": {
            path: file_sha256(folder / path) for path in (convert.PARAM_FILE, convert.WEIGHTS_FILE)
        },
    }
    text = json.dumps(manifest, indent=1)
    (folder / converted.MANIFEST).write_text(text, encoding="utf-8")
    return proof


def _version(published: Path) -> str:
    """What decides what a conversion gives, in hexadecimal digits."""
    code = sorted((ROOT / "bentos" / "vulkan").glob("*.py"))
    inputs = [
        published.name,
        file_sha256(published / "model.onnx"),
        convert.tools(),
        [file_sha256(path) for path in code],
    ]
    return hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:VERSION_DIGITS]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every photo model is there in Vulkan's form, else 1 and a line each."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.vulkan", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=PHOTO_MODELS, help="only this one (default: all)")
    asked = parser.parse_args(arguments).model
    failed = False
    with build.progress():
        for name in [asked] if asked else PHOTO_MODELS:
            try:
                ensure(name)
            except BuildError as error:
                sys.stderr.write(f"{error}\n")
                failed = True
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
