"""Writes one run into MLflow's store; the process that bentos/tracking/journal.py starts.

The run comes as JSON on standard input, a fault goes as one line to standard error.
"""

import json
import logging
import math
import sqlite3
import sys
import warnings
from pathlib import Path
from typing import Any

_LOCK_S = 10.0
_METRICS, _PARAMETERS = 1000, 100  # most that MLflow takes at once


def main() -> int:
    """Records the run; 0 when it is in the store."""
    run = json.load(sys.stdin)
    try:
        _check(Path(run["database"]))
        _record(run)
    except Exception as error:  # a library's process ends here: whatever it was goes to the caller
        words = " ".join(str(error).split())
        sys.stderr.write(f"{type(error).__name__}: {words}\n")
        return 1
    return 0


def _check(database: Path) -> None:
    """Fails at once where the file is locked or no database: MLflow would try again for long."""
    database.parent.mkdir(parents=True, exist_ok=True)
    with sqlite3.connect(database, timeout=_LOCK_S) as connection:
        connection.execute("BEGIN IMMEDIATE")
    connection.close()


def _record(run: dict[str, Any]) -> None:
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    # Imported here: seconds that are spent only when the store can be written to.
    from mlflow import MlflowClient
    from mlflow.entities import Metric, Param, RunTag

    client = MlflowClient(tracking_uri=f"sqlite:///{run['database']}")
    started = client.create_run(_experiment(client, run), run_name=run["name"])
    name, now = started.info.run_id, started.info.start_time
    finite = {key: value for key, value in run["metrics"].items() if math.isfinite(value)}
    metrics = [Metric(key, value, now, 0) for key, value in finite.items()]
    for start in range(0, len(metrics), _METRICS):
        client.log_batch(name, metrics=metrics[start : start + _METRICS])
    parameters = [Param(*pair) for pair in run["parameters"].items()]
    for start in range(0, len(parameters), _PARAMETERS):
        client.log_batch(name, params=parameters[start : start + _PARAMETERS])
    client.log_batch(name, tags=[RunTag(*pair) for pair in run["tags"].items()])
    for file, text in run["files"].items():
        client.log_text(name, text, file)
    client.set_terminated(name, "FAILED" if run["refused"] else "FINISHED")


def _experiment(client: Any, run: dict[str, Any]) -> str:
    found = client.get_experiment_by_name(run["experiment"])
    if found is not None:
        return str(found.experiment_id)
    location = (Path(run["artifacts"]) / run["experiment"]).as_uri()
    return str(client.create_experiment(run["experiment"], artifact_location=location))


if __name__ == "__main__":
    sys.exit(main())
