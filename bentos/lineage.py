"""Writes the manifest of data versions: each data set and file of a model, and what made it.

It lies as data.json in the published model; bentos/data_versions.py shows and checks it.
"""

import json
from pathlib import Path
from typing import Any

from bentos import sums
from bentos.recipe import DataSet, Recipe

MANIFEST_FILE = "data.json"


def write(folder: Path, recipe: Recipe, version: str, made_at: str) -> None:
    """Writes data.json for the files that were just made into `folder`."""
    made = {
        name: sha256 for name, sha256 in sums.of_folder(folder).items() if name != MANIFEST_FILE
    }
    document = {
        "model": f"{recipe.spec.name}:{version}",
        "made_at": made_at,
        "data": {each.name: {**entry(each), "made_at": made_at} for each in data_sets(recipe)},
        "made": {
            "step": f"bentos.{recipe.spec.name}.recipe:recipe",
            "parameters": recipe.parameters,
            "inputs": [each.name for each in data_sets(recipe)],
            "made_at": made_at,
            "files": made,
        },
    }
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / MANIFEST_FILE).write_text(text, encoding="utf-8")


def data_sets(recipe: Recipe) -> tuple[DataSet, ...]:
    """The recipe's data sets; its one data set where it names none."""
    data = recipe.data
    return recipe.data_sets or (
        DataSet(
            name="data",
            sha256=data.sha256,
            rows=data.rows,
            source=data.source,
            step=f"bentos.{recipe.spec.name}.recipe:recipe",
        ),
    )


def entry(each: DataSet) -> dict[str, Any]:
    """A data set as the manifest has it, without the moment."""
    return {
        "sha256": each.sha256,
        "rows": each.rows,
        "source": each.source,
        "step": each.step,
        "parameters": dict(each.parameters),
        "inputs": list(each.inputs),
    }
