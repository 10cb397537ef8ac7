"""Makes and publishes the models that are missing or whose inputs changed.

The command `python -m bentos.build`. What a model is made of: its own `recipe.py`.
"""

import argparse
import contextlib
import importlib
import logging
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from bentos import card, rule, store
from bentos.catalog import MODELS
from bentos.recipe import BuildError, Recipe
from bentos.tracking import journal

log = logging.getLogger("bentos.build")  # not __name__: that is __main__ in a command

_INTERRUPTED = 130


def build(name: str, *, small: bool, accepted: str | None = None) -> str:
    """Makes and publishes one model unless its version is in the store.

    Args:
        name: of the catalog.
        small: a variant for tests: fewer rows and rounds, a version of its own.
        accepted: why the model may be worse than the one that is live; goes into its card.

    Returns:
        The version.

    Raises:
        BuildError: it cannot be made, misses a bar or is worse than its baseline or than the live
            one; one line each.
    """
    recipe = load(name, small=small)
    version = recipe.version()
    if damage := store.fault(name, version):
        log.warning("%s: %s:%s is damaged (%s): it is made again", name, name, version, damage)
    elif store.find(name, version):
        store.set_latest(name, version)
        log.info("%s: up to date (%s:%s)", name, name, version)
        return version
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix=f"bentofleet-{name}-") as scratch:
        folder = Path(scratch)
        made = _compared(recipe, card.make(recipe, version, recipe.make(folder), folder), accepted)
        duration_s = time.monotonic() - started
        refused = made.missed() or rule.refusals(made)
        if not refused:
            if damage:
                store.discard(name, version)
            store.publish(made, folder)
            log.info("%s: published (%s:%s) after %.0f s", name, name, version, duration_s)
        journal.record(made, folder, duration_s, refused)
    if refused:
        raise BuildError("\n".join(refused))
    return version


def _compared(recipe: Recipe, made: card.Card, accepted: str | None) -> card.Card:
    others = [each for each in store.cards(made.name) if each["version"] != made.version]
    return rule.compare(made, recipe.spec.compared(), others, accepted)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every model asked for is published, 1 when one is not, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.build", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    parser.add_argument("--small", action="store_true", help="quick variants, for tests")
    parser.add_argument(
        "--accept-worse",
        metavar="REASON",
        help="publish --model though it is worse than the live one; the reason goes into its card",
    )
    options = parser.parse_args(arguments)
    if options.accept_worse is not None and not (options.model and options.accept_worse.strip()):
        parser.error("--accept-worse wants a reason, and --model with the one it is for")
    names = [options.model] if options.model else list(MODELS)
    with progress():
        return _build_all(names, options.small, options.accept_worse)


@contextlib.contextmanager
def progress() -> Iterator[None]:
    """Shows what the models' code tells on standard output."""
    shown = logging.StreamHandler(sys.stdout)
    package = logging.getLogger("bentos")
    package.setLevel(logging.INFO)
    package.addHandler(shown)
    try:
        yield
    finally:
        package.removeHandler(shown)


def load(name: str, *, small: bool) -> Recipe:
    """The recipe of a model of the catalog, for the data that is at hand.

    Raises:
        BuildError: the data is missing or is not what it should be.
    """
    module = importlib.import_module(f"bentos.{name}.recipe")
    made: Recipe = module.recipe(small=small)
    return made


def _build_all(names: Sequence[str], small: bool, accepted: str | None) -> int:
    failed = False
    for name in names:
        try:
            build(name, small=small, accepted=accepted)
        except BuildError as error:
            sys.stderr.write(f"{error}\n")
            failed = True
        except OSError as error:
            sys.stderr.write(f"{name}: cannot be built ({error}). Mend that and run it again.\n")
            failed = True
        except KeyboardInterrupt:
            sys.stderr.write(f"{name}: interrupted. Run it again, it goes on from what is there.\n")
            return _INTERRUPTED
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
