"""Labels a folder of real photos with the published model, and trains a new one on the labels.

The command `python -m bentos.octagon.label FOLDER`. What the model is not sure of is left to a
person: on a page, or in a CSV file. The photos stay as they are. With `--retrain` a new version is
made from the rendered scenes, the labels that the model was sure of, and what the person said.
"""

import argparse
import logging
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bentos import build, parity, store
from bentos.octagon import examples, labelled, review
from bentos.octagon.labelled import CONFIDENT, UNREADABLE, UNSURE
from bentos.recipe import BuildError
from bentos.sums import file_sha256

log = logging.getLogger("bentos.octagon.label")  # not __name__: that is __main__ in a command

CONFIDENCE = 0.95

_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp"})
_SAVE_EVERY = 50
_INTERRUPTED = 130

Row = dict[str, str]
Run = Callable[[NDArray[np.float32]], NDArray[np.float32]]


def label(folder: Path, confidence: float) -> Counter[str]:
    """Labels every photo below the folder that has no label of this model yet.

    Args:
        folder: gets octagon-labels.csv, octagon-review.csv and octagon-review.html.
        confidence: probability of its own answer from which on the model is sure.

    Returns:
        Photos by status.

    Raises:
        BuildError: no model, no photos, or a file of labels cannot be read.
    """
    photos = _photos(folder)
    version, run = _model()
    path = folder / labelled.LABELS_FILE
    done = {row["path"]: row for row in labelled.read(path, labelled.LABEL_COLUMNS)}
    known = {"version": version, "confidence": f"{confidence:g}"}
    rows: list[Row] = []
    fresh = 0
    for photo in photos:
        name = photo.relative_to(folder).as_posix()
        row, sha256 = done.get(name, {}), file_sha256(photo)
        if {**row, **known, "sha256": sha256} != row:
            row = {"path": name, "sha256": sha256, **known, **_judged(photo, run, confidence)}
            done[name] = row
            fresh += 1
            if fresh % _SAVE_EVERY == 0:
                labelled.write(path, labelled.LABEL_COLUMNS, done.values())
                log.info("octagon: %d photos labelled", fresh)
        rows.append(row)
    labelled.write(path, labelled.LABEL_COLUMNS, rows)
    _ask(folder, rows)
    return Counter(row["status"] for row in rows)


def retrain(folder: Path, *, small: bool = False) -> str:
    """Makes and publishes the version that also learnt from the folder's labels.

    Raises:
        BuildError: there are no labels, or the new model is not good enough to be published.
    """
    labels = labelled.load(folder)
    by_person = sum(each.by_person for each in labels)
    log.info("octagon: %d labels, %d of them by a person", len(labels), by_person)
    os.environ[labelled.VARIABLE] = str(folder)
    return build.build("octagon", small=small)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when all was done, 1 when not, 130 on Ctrl-C."""
    options = _parser().parse_args(arguments)
    folder = options.folder.expanduser().resolve()
    with build.progress():
        try:
            if options.retrain:
                version = retrain(folder, small=options.small)
                log.info("octagon:%s is the latest. For `make models` to keep to it, put", version)
                log.info("%s=%s into .env.", labelled.VARIABLE, folder)
            else:
                _tell(folder, label(folder, options.confidence))
        except BuildError as error:
            sys.stderr.write(f"{error}\n")
            return 1
        except OSError as error:
            sys.stderr.write(f"octagon: cannot go on ({error}). Mend that and run it again.\n")
            return 1
        except KeyboardInterrupt:
            sys.stderr.write("octagon: interrupted. Run it again, it goes on from what is there.\n")
            return _INTERRUPTED
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bentos.octagon.label", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("folder", type=Path, help="of photos; folders in it count too")
    parser.add_argument(
        "--confidence",
        type=_confidence,
        default=CONFIDENCE,
        help=f"how sure the model must be to need no person (default: {CONFIDENCE:g})",
    )
    parser.add_argument("--retrain", action="store_true", help="train on the labels that are there")
    parser.add_argument("--small", action="store_true", help="with --retrain: the tests' variant")
    return parser


def _confidence(text: str) -> float:
    value = float(text)
    if not 0.5 <= value < 1:
        raise argparse.ArgumentTypeError(f"should be from .5 to below 1 (got {text})")
    return value


def _photos(folder: Path) -> list[Path]:
    found = sorted(
        path for path in folder.rglob("*") if path.suffix.lower() in _SUFFIXES and path.is_file()
    )
    if not found:
        raise BuildError(f"{folder}: has no photos. Name a folder with JPEG, PNG or WebP files.")
    return found


def _model() -> tuple[str, Run]:
    """The published model's version, and its graph as a function."""
    folder = store.latest("octagon")
    if folder is None:
        raise BuildError("octagon: no version is published. Run `make models`.")
    if damage := store.fault("octagon", folder.name):
        raise BuildError(
            f"octagon: octagon:{folder.name} is damaged ({damage}). Run `make models`."
        )
    return folder.name, parity.runner(folder / "model.onnx")


def _judged(photo: Path, run: Run, confidence: float) -> Row:
    """What the model says of a photo."""
    try:
        x = examples.encode([photo.read_bytes()])
    except Exception as error:  # Pillow's decoders raise a dozen types on broken files
        log.warning("%s: cannot be decoded (%s). It is left out of the labels.", photo, error)
        return {"octagon": "", "probability": "", "status": UNREADABLE}
    probability = float(run(x)[0, 0])
    sure = max(probability, 1 - probability) >= confidence
    return {
        "octagon": str(int(probability >= 0.5)),
        "probability": f"{probability:.4f}",
        "status": CONFIDENT if sure else UNSURE,
    }


def _ask(folder: Path, rows: Sequence[Row]) -> None:
    """Writes the review file and its page; what a person already said stays in it."""
    said = {sha256: "yes" if yes else "no" for sha256, yes in labelled.answers(folder).items()}
    asked = [
        {column: row[column] for column in labelled.REVIEW_COLUMNS[:-1]}
        | {"octagon": said.get(row["sha256"], "")}
        for row in rows
        if row["status"] == UNSURE or (row["sha256"] in said and row["status"] != UNREADABLE)
    ]
    labelled.write(folder / labelled.REVIEW_FILE, labelled.REVIEW_COLUMNS, asked)
    review.write(folder, asked)


def _tell(folder: Path, counts: Counter[str]) -> None:
    log.info(
        "octagon: %d photos: %s",
        counts.total(),
        ", ".join(f"{counts[status]} {status}" for status in (CONFIDENT, UNSURE, UNREADABLE)),
    )
    log.info("octagon: answer in %s, then run this with --retrain.", folder / review.PAGE_FILE)


if __name__ == "__main__":
    sys.exit(main())
