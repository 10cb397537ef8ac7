"""Makes the pages under docs/models from the cards of the published models; knows none by name.

The command `python -m bentos.pages`.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bentos import store
from bentos.card import CARD_FILE
from bentos.catalog import MODELS
from bentos.pages.text import write, write_index
from bentos.recipe import ROOT, BuildError

DEFAULT_OUT = ROOT / "docs" / "models"
_NEEDED = {"summary", "compared"}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every model asked for has a fresh page, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.pages", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, help="default: docs/models")
    options = parser.parse_args(arguments)
    failed = False
    try:
        options.out.mkdir(parents=True, exist_ok=True)
        for name in [options.model] if options.model else sorted(MODELS):
            try:
                sys.stdout.write(f"{write(_card(name), options.out)}\n")
            except BuildError as error:
                sys.stderr.write(f"{error}\n")
                failed = True
        write_index(options.out)
    except OSError as error:
        sys.stderr.write(f"{options.out}: cannot be written ({error}). Choose another --out.\n")
        failed = True
    return int(failed)


def _card(name: str) -> Any:
    """The card of the latest version.

    Raises:
        BuildError: there is none, it is damaged, or it is of the variant for tests.
    """
    published = store.latest(name)
    if published is None:
        raise BuildError(f"{name}: no version is published. Run make models.")
    if fault := store.fault(name, published.name):
        raise BuildError(f"{name}: {name}:{published.name} is damaged ({fault}). Run make models.")
    card = json.loads((published / CARD_FILE).read_bytes())
    if not card.keys() >= _NEEDED:
        raise BuildError(
            f"{name}: {name}:{published.name} was published by an older version of this software. "
            "Run make models."
        )
    if card["parameters"].get("small"):
        raise BuildError(
            f"{name}: {name}:{published.name} is the small variant, for tests. Run make models."
        )
    return card


if __name__ == "__main__":
    sys.exit(main())
