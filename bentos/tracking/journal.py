"""Records every model that was made as a run of MLflow, in a SQLite file beside the model store.

MLflow is used in a process of its own: what it costs, prints or breaks never meets the build.
"""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bentos import flat, store
from bentos.card import CARD_FILE, Card
from bentos.lineage import MANIFEST_FILE
from bentos.recipe import ROOT

log = logging.getLogger(__name__)

SWITCH_VARIABLE = "BENTOFLEET_TRACKING"
QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
}
"""Nothing leaves this machine, and nothing runs that was not asked for."""

_PATIENCE_S = 180.0  # MLflow itself would try for an hour; on a busy machine it needs 40 s
_SHOWN_CHARACTERS = 200


def folder() -> Path:
    """Where the runs lie: beside the model store, so build/mlflow."""
    return store.home().parent / "mlflow"


def database() -> Path:
    """The SQLite file."""
    return folder() / "mlflow.db"


def environment() -> dict[str, str]:
    """For a process that uses MLflow."""
    return {**os.environ, **QUIET}


def record(card: Card, made: Path, duration_s: float, refused: Sequence[str]) -> None:
    """Records a model that was made; a fault is a warning, for the model itself is safe.

    Args:
        card: of the model.
        made: the folder that it was made into.
        duration_s: that making it took.
        refused: why it was not published; nothing where it was.
    """
    if os.environ.get(SWITCH_VARIABLE) == "off":
        return
    run = json.dumps(_run(card, made, duration_s, refused))
    command = [sys.executable, "-m", "bentos.tracking.run"]
    try:
        done = subprocess.run(
            command,
            input=run,
            text=True,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_S,
            env=environment(),
            cwd=ROOT,
        )
    except subprocess.TimeoutExpired:
        fault = f"no answer in {_PATIENCE_S:g} s"
    except OSError as error:
        fault = str(error)
    else:
        if done.returncode == 0:
            return
        fault = (done.stderr.strip() or "it said nothing").splitlines()[-1][:_SHOWN_CHARACTERS]
    log.warning(
        "%s: the run was not recorded in %s (%s). The model is not affected; move that file away "
        "if it is damaged.",
        card.name,
        database(),
        fault,
    )


def _run(card: Card, made: Path, duration_s: float, refused: Sequence[str]) -> dict[str, Any]:
    return {
        "database": str(database()),
        "artifacts": str(folder() / "artifacts"),
        "experiment": card.name,
        "name": card.version,
        "parameters": {
            **{name: _text(value) for name, value in card.parameters.items()},
            "data_sha256": card.data.sha256,
        },
        "metrics": {**flat.numbers(card.metrics), "build_duration_s": duration_s},
        "tags": {
            "version": card.version,
            "data_sha256": card.data.sha256,
            "simulated": str(card.data.simulated).lower(),
            "small": str(bool(card.parameters.get("small"))).lower(),
            "result": "refused" if refused else "published",
            **({"refused": " ".join(refused)} if refused else {}),
            **{f"framework.{name}": version for name, version in card.frameworks.items()},
        },
        "refused": bool(refused),
        "files": {
            CARD_FILE: json.dumps(asdict(card), indent=1, ensure_ascii=False),
            MANIFEST_FILE: (made / MANIFEST_FILE).read_text(encoding="utf-8"),
        },
    }


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
