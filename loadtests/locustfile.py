"""Users for `locust -f loadtests/locustfile.py --host URL`: a look at a service, no verdict.

Every user asks once a second. A token, where one is needed, is read from the file that the
environment variable BENTOFLEET_TOKEN_FILE names.
"""

import os
from pathlib import Path

from locust import constant_throughput, task

from bentos.catalog import MODELS
from loadtests import payloads, users

TOKEN_VARIABLE = "BENTOFLEET_TOKEN_FILE"  # noqa: S105 - names a file, is none itself
TIMEOUT_S = 10.0


class HandUser(users.ModelUser):
    """Asks once a second."""

    abstract = True
    wait_time = constant_throughput(1)

    @task
    def predict(self) -> None:
        """Asks for one prediction; Locust counts what was wrong with the answer."""
        self.ask(TIMEOUT_S)


def _token() -> str | None:
    path = os.environ.get(TOKEN_VARIABLE)
    if not path:
        return None
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"{TOKEN_VARIABLE}: cannot be read (got {path}: {error.strerror}). Name a file."
        raise SystemExit(msg) from error


# Locust finds the user classes among the names of this module.
globals().update(
    {
        cls.__name__: cls
        for cls in (
            users.user_class(
                HandUser, spec, requests=payloads.endless(spec, seed=0), token=_token()
            )
            for spec in MODELS.values()
        )
    }
)
