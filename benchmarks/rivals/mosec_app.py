"""mosec: a Rust front, one process per model, batches. Runs in the environment of tools/mosec.

Its workers see a request's body and no headers, so they cannot ask for a token.
"""

import json
import os
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from mosec import DecodingError, Runtime, Server, Worker  # type: ignore[import-not-found]

from benchmarks.rivals import same
from service.api.problems import ProblemError

CHECKED = os.environ.get("BENCH_MOSEC_CHECKED") == "1"
BATCH = int(os.environ.get("BENCH_MOSEC_BATCH", "1"))
WAIT_MS = int(os.environ.get("BENCH_MOSEC_WAIT_MS", "0"))


class Energy(Worker):  # type: ignore[misc]
    """The table model."""

    def __init__(self) -> None:
        """Loads it."""
        super().__init__()
        self.rows = same.Rows()

    def deserialize(self, data: bytes) -> Mapping[str, object]:
        """A row; where it is not checked, only the text of the moment is read."""
        row = json.loads(data)
        if CHECKED:
            return _called(self.rows.check, row)  # type: ignore[no-any-return]
        return {**row, "timestamp": datetime.fromisoformat(row["timestamp"])}

    def forward(self, data: Any) -> Any:
        """A batch, or one row where batches are off."""
        return self.rows.answers(data) if BATCH > 1 else self.rows.answers([data])[0]


class Wildlife(Worker):  # type: ignore[misc]
    """The photo model."""

    def __init__(self) -> None:
        """Loads it."""
        super().__init__()
        self.photos = same.Photos()

    def deserialize(self, data: bytes) -> Any:
        """The graph's input."""
        return _called(self.photos.check, data) if CHECKED else self.photos.read(data)

    def forward(self, data: Any) -> Any:
        """A batch, or one photo where batches are off."""
        return self.photos.answers(data) if BATCH > 1 else self.photos.answers([data])[0]


def _called(check: Any, given: object) -> Any:
    try:
        return check(given)
    except ProblemError as problem:
        raise DecodingError(problem.detail) from problem


def main() -> None:
    """Serves both; mosec reads its own arguments."""
    server = Server()
    server.register_runtime(
        {
            path: [Runtime(worker, max_batch_size=BATCH, max_wait_time=WAIT_MS)]
            for path, worker in ((same.TABLE_PATH, Energy), (same.PHOTO_PATH, Wildlife))
        }
    )
    server.run()


if __name__ == "__main__":
    main()
