"""The rendered scenes: which photos go where, what they are made of, and a cache of them."""

import hashlib
import json
import logging
import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.octagon import font, scenes
from bentos.octagon.parameters import Parameters
from bentos.octagon.scenes import Scene
from bentos.recipe import ROOT
from bentos.sums import file_sha256
from bentos.wildlife import photographs

log = logging.getLogger(__name__)

CACHE = ROOT / "build" / "data" / "octagon"

_CODE = ("backgrounds", "data", "font", "packages", "scenes", "signs")
_SHARES = (("test", 8), ("validation", 5))
_CHUNK = 40
_PURPOSES = {"train": "learn from", "validation": "choose a threshold by", "test": "score by"}


@dataclass(frozen=True, kw_only=True)
class Split:
    """One of the three sets.

    Attributes:
        photos: the backgrounds; no other split has them.
    """

    name: str
    count: int
    photos: tuple[Path, ...]


def splits(parameters: Parameters) -> dict[str, Split]:
    """`train`, `validation` and `test`, each with photographs of its own."""
    photos = sorted(photographs.FOLDER.glob("*.jpg"))
    Random(f"{parameters.seed}/photos").shuffle(photos)  # noqa: S311  guards no secret
    found = {}
    for name, count in _SHARES:
        found[name], photos = photos[:count], photos[count:]
    found["train"] = photos
    return {
        name: Split(name=name, count=getattr(parameters, name), photos=tuple(sorted(own)))
        for name, own in found.items()
    }


def sha256(parameters: Parameters) -> str:
    """Of everything that the scenes are rendered from: known before they are."""
    folder = Path(__file__).parent
    files = [*(folder / f"{name}.py" for name in _CODE), font.find()]
    inputs: dict[str, Any] = {
        "files": [file_sha256(path) for path in files],
        "seed": parameters.seed,
        "splits": {
            name: [split.count, *(f"{path.name} {file_sha256(path)}" for path in split.photos)]
            for name, split in splits(parameters).items()
        },
    }
    return hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()


def load(split: Split, parameters: Parameters) -> list[Scene]:
    """The scenes of a split: out of the cache, or rendered on all cores and put there."""
    cached = CACHE / sha256(parameters)[:16] / f"{split.name}.npz"
    if cached.is_file():
        return _read(cached)
    log.info("octagon: rendering %d scenes to %s", split.count, _PURPOSES[split.name])
    made = _render_all(split, parameters.seed)
    _write(cached, made)
    return made


def _render_all(split: Split, seed: int) -> list[Scene]:
    """Every scene has random numbers of its own, so the number of cores changes nothing."""
    work = partial(_render, split, seed)
    cores = len(os.sched_getaffinity(0))
    # Not forked: the build has threads of torch and ONNX Runtime.
    pool = ProcessPoolExecutor(cores, multiprocessing.get_context("spawn"))
    try:
        return list(pool.map(work, range(split.count), chunksize=_CHUNK))
    finally:
        pool.shutdown(cancel_futures=True)


def _render(split: Split, seed: int, number: int) -> Scene:
    random = Random(f"{seed}/{split.name}/{number}")  # noqa: S311  guards no secret
    return scenes.render(split.photos, random)


def _write(path: Path, made: Sequence[Scene]) -> None:
    """By one rename, so that a run that was killed leaves no half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    facts = [{**asdict(scene), "photo": len(scene.photo)} for scene in made]
    photos = np.frombuffer(b"".join(scene.photo for scene in made), np.uint8)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with fresh.open("wb") as file:
        np.savez(file, photos=photos, facts=np.array(json.dumps(facts)))
    fresh.replace(path)


def _read(path: Path) -> list[Scene]:
    with np.load(path) as stored:
        photos: NDArray[np.uint8] = stored["photos"]
        facts = json.loads(str(stored["facts"]))
    found, start = [], 0
    for fact in facts:
        end = start + fact.pop("photo")
        centres = tuple((x, y) for x, y in fact.pop("centres"))
        found.append(Scene(photo=photos[start:end].tobytes(), centres=centres, **fact))
        start = end
    return found
