"""Makes and publishes the models that are missing or whose inputs changed.

The command `python -m bentos.build`. What a model is made of: its own `recipe.py`.
"""

import argparse
import importlib
import logging
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from bentos import card, store
from bentos.catalog import MODELS
from bentos.recipe import BuildError, Recipe

log = logging.getLogger("bentos.build")  # not __name__: that is __main__ in a command

_INTERRUPTED = 130


def build(name: str, *, small: bool) -> str:
    """Makes and publishes one model unless its version is in the store.

    Args:
        name: of the catalog.
        small: a variant for tests: fewer rows and rounds, a version of its own.

    Returns:
        The version.

    Raises:
        BuildError: it cannot be made, or misses a bar; one line each.
    """
    recipe = _recipe(name, small)
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
        made = card.make(recipe, version, recipe.make(folder), folder)
        if missed := made.missed():
            raise BuildError("\n".join(missed))
        if damage:
            store.discard(name, version)
        store.publish(made, folder)
    duration_s = time.monotonic() - started
    log.info("%s: published (%s:%s) after %.0f s", name, name, version, duration_s)
    return version


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every model asked for is published, 1 when one is not, 130 on Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.build", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    parser.add_argument("--small", action="store_true", help="quick variants, for tests")
    options = parser.parse_args(arguments)
    shown = logging.StreamHandler(sys.stdout)
    package = logging.getLogger("bentos")
    package.setLevel(logging.INFO)
    package.addHandler(shown)
    try:
        return _build_all([options.model] if options.model else list(MODELS), options.small)
    finally:
        package.removeHandler(shown)


def _build_all(names: Sequence[str], small: bool) -> int:
    failed = False
    for name in names:
        try:
            build(name, small=small)
        except BuildError as error:
            sys.stderr.write(f"{error}\n")
            failed = True
        except OSError as error:
            sys.stderr.write(f"{name}: cannot be built ({error}).\n")
            failed = True
        except KeyboardInterrupt:
            sys.stderr.write(f"{name}: interrupted, nothing of it was published.\n")
            return _INTERRUPTED
    return int(failed)


def _recipe(name: str, small: bool) -> Recipe:
    module = importlib.import_module(f"bentos.{name}.recipe")
    made: Recipe = module.recipe(small=small)
    return made


if __name__ == "__main__":
    sys.exit(main())
