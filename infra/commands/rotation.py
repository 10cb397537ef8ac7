"""How large the log of a container may grow: what the engine is told, and whether it was told so.

No other log of ours is on a host: what the start unit says goes to systemd's journal, which has a
bound of its own.
"""

from collections.abc import Mapping
from typing import Any

FILE_SIZE = "10m"
FILES = "3"
"""Docker keeps so many files of that size; Podman begins its one file anew."""

BOUNDED_BY_THEMSELVES = ("journald", "local", "none", "passthrough")
UNBOUNDED = ("", "0B", "-1")


def options(engine: str) -> list[str]:
    """What bounds a container's log when it is started."""
    driver = "json-file" if engine.endswith("docker") else "k8s-file"
    size = ["--log-opt", f"max-size={FILE_SIZE}"]
    files = ["--log-opt", f"max-file={FILES}"] if driver == "json-file" else []
    return ["--log-driver", driver, *size, *files]


def is_bounded(log_config: Mapping[str, Any] | None) -> bool:
    """Whether a container's log has a bound, by what `inspect` tells under `LogConfig`.

    Docker has the bound in `Config`, Podman in `Size` (`10MB`, `0B` for none). What an engine does
    not tell is taken for bounded, since it was started so.
    """
    if not log_config or log_config.get("Type") in BOUNDED_BY_THEMSELVES:
        return True
    if "Size" in log_config:
        return str(log_config["Size"]) not in UNBOUNDED
    config = log_config.get("Config")
    return config is None or str(config.get("max-size", "")) not in UNBOUNDED
