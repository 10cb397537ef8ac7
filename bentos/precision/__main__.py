"""The command `python -m bentos.precision` (`make precision`).

Writes docs/precision.json and, from it, docs/precision.md.
"""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bentos import machine, store
from bentos.catalog import MODELS
from bentos.precision import page
from bentos.precision.measure import Measured, measure
from bentos.recipe import ROOT, BuildError

JSON_FILE, PAGE_FILE = "precision.json", "precision.md"
_ROUNDS, _FEWEST = 40, 4
_VERSIONS = ("onnxruntime", "onnx", "numpy")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when every model asked for was measured, else 1."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.precision",
        description="Measures fp32, fp16 and int8 forms of the published models on this machine.",
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    parser.add_argument("--rounds", type=int, default=_ROUNDS, help=f"default: {_ROUNDS}")
    parser.add_argument(
        "--page", action="store_true", help="measure nothing; make the page from the figures there"
    )
    parser.add_argument("--out", type=Path, default=ROOT / "docs", help="default: docs")
    options = parser.parse_args(arguments)
    if options.rounds < _FEWEST:
        parser.error(f"--rounds: should be at least {_FEWEST} (got {options.rounds})")
    if options.page and not (options.out / JSON_FILE).is_file():
        parser.error(f"--page: {options.out / JSON_FILE} is not there. Measure first")
    before = _read(options.out / JSON_FILE)
    document = {**(before if options.page else _about()), "models": before.get("models", [])}
    names = [options.model] if options.model else sorted(MODELS)
    return int(_measure_all([] if options.page else names, document, options))


def _measure_all(
    names: Sequence[str], document: dict[str, Any], options: argparse.Namespace
) -> bool:
    """Measures, writes figures and page; whether something failed."""
    failed = False
    for name in names:
        try:
            found = _measured(name, options.rounds)
        except BuildError as error:
            sys.stderr.write(f"{error}\n")
            failed = True
            continue
        sys.stdout.write(f"{name}: serve {found.serve} ({found.why})\n")
        document["models"] = _with(document["models"], found)
    try:
        _write(options.out, document)
    except OSError as error:
        sys.stderr.write(f"{options.out}: cannot be written ({error}). Choose another --out.\n")
        failed = True
    return failed


def _measured(name: str, rounds: int) -> Measured:
    published = store.latest(name)
    if published is None:
        raise BuildError(f"{name}: no version is published. Run make models.")
    if fault := store.fault(name, published.name):
        raise BuildError(f"{name}: {name}:{published.name} is damaged ({fault}). Run make models.")
    return measure(MODELS[name], published, rounds)


def _about() -> dict[str, Any]:
    """Where and with what it is measured."""
    return {
        "schema_version": 1,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "processor": machine.processor(),
            "cores": len(os.sched_getaffinity(0)),
            "load": round(os.getloadavg()[0], 1),
        },
        "versions": {"Python": platform.python_version()} | {n: version(n) for n in _VERSIONS},
    }


def _read(path: Path) -> Mapping[str, Any]:
    """The figures that are there; none where they cannot be read."""
    try:
        document = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _with(models: Sequence[Mapping[str, Any]], found: Measured) -> list[Mapping[str, Any]]:
    """The models' figures, sorted by name, with those of one instead of its old ones."""
    others = [each for each in models if each["name"] != found.name]
    return sorted([*others, found.as_json()], key=lambda each: str(each["name"]))


def _write(folder: Path, document: Mapping[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1) + "\n"
    (folder / JSON_FILE).write_text(text, encoding="utf-8")
    (folder / PAGE_FILE).write_text(page.render(json.loads(text)), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
