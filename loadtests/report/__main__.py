"""The command `python -m loadtests.report DIR`: writes DIR/verdict.html, changes nothing else."""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from loadtests import verdict as verdicts
from loadtests.figures import FILE as GATE_FILE
from loadtests.files import write_atomically
from loadtests.report.page import render
from loadtests.report.words import LANGUAGES

PAGE = "verdict.html"


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the page; 1 with one line where there is no verdict to show."""
    parser = argparse.ArgumentParser(prog="python -m loadtests.report", description=__doc__)
    parser.add_argument("folder", type=Path, metavar="DIR", help="of an attempt")
    parser.add_argument("--language", choices=LANGUAGES, help="default: the verdict's")
    arguments = parser.parse_args(argv)
    folder: Path = arguments.folder
    try:
        verdict = verdicts.load(folder / verdicts.FILE)
        page = render(verdict, _gate(folder / GATE_FILE), arguments.language or verdict.language)
        write_atomically(folder / PAGE, page)
    except ValueError as error:
        sys.stderr.write(f"report: {error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"report: {folder}: cannot be written ({error.strerror}). Free it.\n")
        return 1
    sys.stdout.write(f"{folder / PAGE}\n")
    return 0


def _gate(path: Path) -> Mapping[str, Any] | None:
    """The load test's figures; None where it did not run or left nothing that can be read."""
    try:
        told: object = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, Mapping) else None


if __name__ == "__main__":
    sys.exit(main())
