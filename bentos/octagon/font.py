"""Finds the font of the signs: DejaVu Sans Bold, which matplotlib ships. Imports no matplotlib."""

from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Final

from bentos.recipe import BuildError

PACKAGE: Final = "matplotlib"
FILE: Final = "matplotlib/mpl-data/fonts/ttf/DejaVuSans-Bold.ttf"
LICENCE: Final = "Bitstream Vera licence with the DejaVu changes in the public domain"


@cache
def find() -> Path:
    """The font's file.

    Raises:
        BuildError: the package is not installed, or has no such file.
    """
    try:
        path = Path(str(distribution(PACKAGE).locate_file(FILE)))
    except PackageNotFoundError as error:
        raise BuildError(
            f"octagon: the package {PACKAGE} is not installed. Run `uv sync`."
        ) from error
    if not path.is_file():
        raise BuildError(f"{path}: there is no such font. Install {PACKAGE} again.")
    return path
