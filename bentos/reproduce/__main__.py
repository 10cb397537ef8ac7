"""Makes published models again from the inputs at hand and compares: is what was published true?

The command `python -m bentos.reproduce`. Publishes nothing.
"""

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bentos import build, inputs, store
from bentos.card import CARD_FILE
from bentos.catalog import MODELS
from bentos.lineage import MANIFEST_FILE
from bentos.recipe import ROOT, BuildError, Recipe
from bentos.reproduce import closeness, replay, report
from bentos.reproduce.remade import Result

log = logging.getLogger("bentos.reproduce")  # not __name__: that is __main__ in a command

DEFAULT_OUT = ROOT / "reports"

_INTERRUPTED = 130
_GRAPH_FILE = "model.onnx"
_TIMES = ("_s", "_ms")


def reproduce(name: str, *, small: bool) -> Result:
    """Makes the latest published version of a model again and compares.

    Raises:
        BuildError: there is nothing to compare with, or it cannot be made; one line.
    """
    published = store.latest(name)
    if published is None:
        raise BuildError(f"{name}: no version is published. Run make models.")
    if fault := store.fault(name, published.name):
        raise BuildError(f"{name}: {name}:{published.name} is damaged ({fault}). Run make models.")
    card, manifest = _read(published, CARD_FILE), _read(published, MANIFEST_FILE)
    recipe = build.load(name, small=small)
    differ = inputs.differences(card, manifest, recipe)
    log.info("%s: making %s:%s again, %d inputs differ", name, name, published.name, len(differ))
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"bentofleet-{name}-") as scratch:
        outcome = recipe.make(Path(scratch))
        duration_s = time.monotonic() - started
        metrics = json.loads(json.dumps(outcome.metrics))  # as they look when they come from a file
        then, again = replay.answers(recipe.spec, Path(scratch) / _GRAPH_FILE, published)
    return Result(
        name=name,
        version=published.name,
        duration_s=round(duration_s, 1),
        inputs=tuple(differ),
        metrics=_metrics(recipe, card["metrics"], metrics),
        answers=closeness.compare(then, again, recipe.spec.golden_tolerance),
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every model asked for comes out again, else 1, on Ctrl-C 130."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.reproduce", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    parser.add_argument("--small", action="store_true", help="the quick variants, for tests")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="folder of the report")
    options = parser.parse_args(arguments)
    names = [options.model] if options.model else list(MODELS)
    results, faults = [], []
    with build.progress():
        for name in names:
            try:
                results.append(reproduce(name, small=options.small))
                log.info("%s", results[-1].line())
            except BuildError as error:
                faults.append(str(error))
            except OSError as error:
                faults.append(
                    f"{name}: cannot be made again ({error}). Mend that and run it again."
                )
            except KeyboardInterrupt:
                sys.stderr.write(f"{name}: interrupted, nothing was reported. Run it again.\n")
                return _INTERRUPTED
    return _report(options.out, results, faults)


def _report(out: Path, results: Sequence[Result], faults: Sequence[str]) -> int:
    wrong = [*faults, *(fault for result in results if (fault := result.fault()))]
    try:
        page = report.write(out, results, faults)
    except OSError as error:
        sys.stderr.write(f"{out}: the report cannot be written ({error}). Choose another --out.\n")
        return 1
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    sys.stdout.write(f"report: {page}\n")
    return int(bool(wrong))


def _metrics(recipe: Recipe, published: Any, again: Any) -> closeness.Comparison:
    return closeness.compare(
        published,
        again,
        recipe.spec.retrain_tolerance,
        relative=True,
        skipped=lambda name: any(part.endswith(_TIMES) for part in name.split(".")),
    )


def _read(folder: Path, file: str) -> Any:
    try:
        return json.loads((folder / file).read_bytes())
    except (OSError, ValueError) as error:
        raise BuildError(
            f"{folder.parent.name}: {folder.parent.name}:{folder.name} has no {file} that can be "
            f"read ({error}). Run make models."
        ) from error


if __name__ == "__main__":
    sys.exit(main())
