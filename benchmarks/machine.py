"""Where and with what it is measured."""

import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

from benchmarks.rivals import same
from bentos.machine import processor

_PACKAGES = ("bentoml", "fastapi", "httptools", "numpy", "onnxruntime", "pillow", "pydantic")
_MORE = ("starlette", "uvicorn", "uvloop")


def about() -> dict[str, Any]:
    """The machine, the versions, the models, and now."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": _system()},
        "versions": _versions(),
        "models": {name: same.model_folder(name).name for name in (same.TABLE, same.PHOTO)},
    }


def load() -> list[float]:
    """Load averages of 1, 5 and 15 minutes."""
    return [round(each, 2) for each in os.getloadavg()]


def cores() -> tuple[int, int]:
    """The server's core and the load generator's.

    Raises:
        ValueError: there is only one.
    """
    usable = sorted(os.sched_getaffinity(0))
    if len(usable) < 2:
        raise ValueError(
            f"Two cores are needed, one for servers and one for users (got {len(usable)}). "
            "Run it on a larger machine."
        )
    return usable[-1], usable[0]


def _versions() -> Mapping[str, str]:
    lock = (same.ROOT / "tools" / "mosec" / "pyproject.toml").read_text()
    mosec = lock.partition('"mosec==')[2].partition('"')[0]
    named = {name: version(name) for name in (*_PACKAGES, *_MORE)}
    return {"Python": platform.python_version(), **named, "mosec": mosec, "wrk": _wrk()}


def _wrk() -> str:
    told = subprocess.run(["wrk", "-v"], capture_output=True, text=True)
    return (told.stdout + told.stderr).split()[1]


def _system() -> str:
    return f"{platform.system()} {platform.release()}"
