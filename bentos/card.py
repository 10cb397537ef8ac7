"""The model card: what a published model was made from, what it scores, and its limits."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bentos import lineage, sums
from bentos.recipe import Data, Outcome, Recipe
from bentos.spec import Bar

CARD_FILE = "card.json"

SIMULATED_LIMIT = (
    "The data is simulated: the scores show that the software works and say nothing about the "
    "real world."
)


@dataclass(frozen=True, kw_only=True)
class MeasuredBar:
    """A bar and what the model reached.

    Attributes:
        measured: None where the outcome has no such measure, which is not ok.
    """

    measure: str
    at_least: float
    measured: float | None
    ok: bool


@dataclass(frozen=True, kw_only=True)
class Compared:
    """The spec's primary measure beside its baseline and the version that was live.

    Attributes:
        measured: None where the outcome has no such measure.
        baseline: what the simplest way to answer reaches; None where the spec names none.
        live_version: None where no published version was measured the same way.
        accepted: why the model was published though it is worse than the live one.
    """

    measure: str
    measured: float | None
    lower_is_better: bool
    slack: float
    protocol: int
    baseline_measure: str | None = None
    baseline: float | None = None
    live_version: str | None = None
    live: float | None = None
    accepted: str | None = None


@dataclass(frozen=True, kw_only=True)
class Card:
    """All that is known about one version of a model; the JSON of card.json.

    Attributes:
        compared: None until the publishing rule has looked at it.
        code: sha256 of each file of code that decided what was made.
        files: sha256 of each file beside the card, by its path: what is loaded must be the same.
    """

    name: str
    version: str
    title: str
    summary: str
    created_at: str
    data: Data
    parameters: Mapping[str, Any]
    metrics: Mapping[str, Any]
    bars: tuple[MeasuredBar, ...]
    compared: Compared | None
    frameworks: Mapping[str, str]
    code: Mapping[str, str]
    licence: str
    limits: tuple[str, ...]
    parity: Mapping[str, Any]
    export: Mapping[str, Any]
    files: Mapping[str, str]

    def missed(self) -> list[str]:
        """One line for each bar that the model does not reach."""
        return [
            f"{self.name}: {bar.measure} is {_shown(bar.measured)}, below its bar of "
            f"{bar.at_least:g}. The model is not published. Look at its data and parameters; the "
            f"bar stands in bentos/{self.name}/spec.py."
            for bar in self.bars
            if not bar.ok
        ]

    def write(self, folder: Path) -> None:
        """Writes card.json."""
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False, allow_nan=False)
        (folder / CARD_FILE).write_text(text, encoding="utf-8")


def make(recipe: Recipe, version: str, outcome: Outcome, folder: Path) -> Card:
    """The card of a model that was just made into `folder`; its manifest goes there too."""
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    lineage.write(folder, recipe, version, created_at)
    limits = (SIMULATED_LIMIT, *outcome.limits) if recipe.data.simulated else outcome.limits
    return Card(
        name=recipe.spec.name,
        version=version,
        title=recipe.spec.title,
        summary=recipe.spec.summary,
        created_at=created_at,
        data=recipe.data,
        parameters=recipe.parameters,
        metrics=outcome.metrics,
        bars=tuple(_measure(bar, outcome.metrics) for bar in recipe.spec.bars),
        compared=None,
        frameworks=recipe.framework_versions(),
        code=recipe.code_sums(),
        licence=recipe.licence,
        limits=limits,
        parity=outcome.parity,
        export=outcome.export,
        files=sums.of_folder(folder),
    )


def _measure(bar: Bar, metrics: Mapping[str, Any]) -> MeasuredBar:
    measured = metrics.get(bar.measure)
    return MeasuredBar(
        measure=bar.measure,
        at_least=bar.at_least,
        measured=measured,
        ok=measured is not None and measured >= bar.at_least,
    )


def _shown(measured: float | None) -> str:
    return "not measured" if measured is None else f"{measured:.4g}"
