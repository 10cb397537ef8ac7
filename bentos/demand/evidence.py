"""Runs training and tests over a panel: the figures of the card. Publishes nothing.

The command `python -m bentos.demand.evidence` prints those of the real sales.
"""

import json
import logging
import sys
from dataclasses import asdict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bentos.demand import evaluate, features, retail, safety, train
from bentos.demand.evaluate import Split
from bentos.demand.panel import Panel, Rows, rows
from bentos.demand.parameters import (
    FULL,
    OBJECTIVE,
    OTHER_OBJECTIVES,
    RETAIL,
    Parameters,
    Windows,
)
from bentos.demand.spec import COVERAGE

log = logging.getLogger(__name__)


def score(
    name: str,
    panel: Panel,
    learnt: Rows,
    x: NDArray[np.float32],
    windows: Windows,
    parameters: Parameters,
) -> dict[str, Any]:
    """Trains and measures every rolling test, and looks closer at the last.

    Args:
        name: of the data, for the log.
        panel: that the rows are of.
        learnt: the rows.
        x: (n, k) of `features.encode`.
        windows: how time is cut.
        parameters: of the boosters.
    """
    cells, services = [], []
    for split in evaluate.splits(learnt.week, windows):
        fitted = train.fit(learnt, x, split, parameters)
        predicted = train.predict(fitted, x[split.test])
        cell = evaluate.compare(learnt, split, predicted)
        _say(name, cell)
        cells.append(cell)
        services.append(safety.served(learnt, split.test, predicted, fitted.multipliers))
    return {
        **evaluate.summary(cells, COVERAGE),
        **safety.summary(services),
        "windows": asdict(windows),
        "tests": cells,
        "last_test": evaluate.by_group(panel, learnt, split, predicted),
        "objectives": _objectives(learnt, x, split, parameters, cells[-1]),
    }


def of_retail(content: bytes, parameters: Parameters) -> dict[str, Any]:
    """The same on the real sales, by the same code and parameters."""
    panel = retail.parse(content)
    learnt = rows(panel)
    return {
        "source": retail.SOURCE,
        "sha256": retail.SHA256,
        "products": len(panel.series),
        "weeks": len(panel.weeks),
        **score("retail", panel, learnt, features.encode(learnt.items), RETAIL, parameters),
    }


def _objectives(
    learnt: Rows,
    x: NDArray[np.float32],
    split: Split,
    parameters: Parameters,
    cell: dict[str, Any],
) -> dict[str, float]:
    """WAPE of the last test by what the forecast's booster makes small."""
    truth = learnt.demand[split.test]
    found = {OBJECTIVE: cell["model"]["wape"]}
    for objective in OTHER_OBJECTIVES:
        booster = train.fit_one(learnt, x, split.train, parameters, objective)
        found[objective] = evaluate.accuracy(truth, train.units(booster, x[split.test]))["wape"]
    return found


def _say(name: str, cell: dict[str, Any]) -> None:
    baselines = ", ".join(f"{key} {cell[key]['wape']:.3f}" for key in evaluate.BASELINES)
    log.info(
        "demand: %s, %s: WAPE %.3f (%s), coverage %.3f",
        name,
        cell["split"],
        cell["model"]["wape"],
        baselines,
        cell["interval"]["coverage"],
    )


def main() -> int:
    """The command."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    content = retail.find()
    if content is None:
        return 1
    sys.stdout.write(json.dumps(of_retail(content, FULL), indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
