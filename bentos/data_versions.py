"""Shows and checks the manifests of the published models: which data and which step made what.

The command `python -m bentos.data_versions`.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from bentos import build, inputs, store
from bentos.catalog import MODELS
from bentos.lineage import MANIFEST_FILE
from bentos.recipe import BuildError


def check(name: str) -> list[str]:
    """The chain of the latest published version, in lines, when everything is as recorded.

    Raises:
        BuildError: files or data are others than recorded; one line.
    """
    published = store.latest(name)
    if published is None:
        raise BuildError(f"{name}: no version is published. Run make models.")
    tag = f"{name}:{published.name}"
    if fault := store.fault(name, published.name):
        raise BuildError(f"{name}: {tag} is damaged ({fault}). Run make models.")
    try:
        manifest = json.loads((published / MANIFEST_FILE).read_bytes())
    except (OSError, ValueError) as error:
        raise BuildError(
            f"{name}: {tag} has no {MANIFEST_FILE} that can be read ({error}). Run make models."
        ) from error
    small = bool(manifest["made"]["parameters"].get("small"))
    if differ := inputs.data_differences(manifest, build.load(name, small=small)):
        raise BuildError(
            f"{name}: the data at hand is not what {tag} was made from ({'; '.join(differ)}). Put "
            "it back, or run make models."
        )
    return [f"{tag}, made {manifest['made']['made_at']}: as recorded", *_chain(manifest)]


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when all is as recorded, else 1 with a line for each model."""
    parser = argparse.ArgumentParser(
        prog="python -m bentos.data_versions", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--model", choices=sorted(MODELS), help="only this one (default: all)")
    options = parser.parse_args(arguments)
    failed = False
    for name in [options.model] if options.model else list(MODELS):
        try:
            sys.stdout.write("\n".join(check(name)) + "\n")
        except BuildError as error:
            sys.stderr.write(f"{error}\n")
            failed = True
    return int(failed)


def _chain(manifest: Mapping[str, Any]) -> Iterator[str]:
    for name, entry in manifest["data"].items():
        rows = "" if entry["rows"] is None else f", {entry['rows']} rows"
        origin = ", ".join(entry["inputs"]) or entry["source"]
        yield f"  {name} {inputs.short(entry['sha256'])}{rows} <- {entry['step']} <- {origin}"
    made = manifest["made"]
    for name, sha256 in made["files"].items():
        yield f"  {name} {inputs.short(sha256)} <- {made['step']} <- {', '.join(made['inputs'])}"


if __name__ == "__main__":
    sys.exit(main())
