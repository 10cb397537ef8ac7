"""The process's settings, read once from the environment; names and defaults are the contract's."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service import contract

_DEFAULTS = {setting.name: setting for setting in contract.SETTINGS}
_MAX_PORT = 65535
_MAX_THREADS = 64
_MAX_DRAIN_S = 600


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What one service process was told.

    Attributes:
        models: names to serve; empty: all of the catalog.
        metrics_host: empty: not told.
        metrics_port: 0: no inner port.
    """

    models: tuple[str, ...]
    release: str
    auth: bool
    jwks: Path
    audience: str
    issuer: str
    host: str
    port: int
    metrics_host: str
    metrics_port: int
    docs: bool
    threads: int
    json_logs: bool
    drain_s: int
    accelerator: str = contract.CPU
    software_device: bool = False


def read(environ: Mapping[str, str]) -> Settings:
    """Settings from environment variables; an empty variable counts as not set.

    Raises:
        ValueError: one line that names the variable.
    """
    value = {name: environ.get(name) or setting.default for name, setting in _DEFAULTS.items()}
    for name, setting in _DEFAULTS.items():
        if setting.choices and value[name] not in setting.choices:
            allowed = " or ".join(setting.choices)
            raise ValueError(f"{name}: should be {allowed} (got {value[name]!r}).")
    names = (name.strip() for name in value[contract.ENV_MODELS].split(","))
    return Settings(
        models=tuple(name for name in names if name),
        release=_header_safe(value, contract.ENV_RELEASE),
        auth=value[contract.ENV_AUTH] == "jwt",
        jwks=Path(value[contract.ENV_JWKS]),
        audience=value[contract.ENV_AUDIENCE],
        issuer=value[contract.ENV_ISSUER],
        host=value[contract.ENV_HOST],
        port=_whole(value, contract.ENV_PORT, 1, _MAX_PORT),
        metrics_host=value[contract.ENV_METRICS_HOST],
        metrics_port=_whole(value, contract.ENV_METRICS_PORT, 0, _MAX_PORT),
        docs=value[contract.ENV_DOCS] == "on",
        threads=_whole(value, contract.ENV_THREADS, 1, _MAX_THREADS),
        json_logs=value[contract.ENV_LOG] == "json",
        drain_s=_whole(value, contract.ENV_DRAIN_S, 0, _MAX_DRAIN_S),
        accelerator=value[contract.ENV_ACCELERATOR],
        software_device=value[contract.ENV_SOFTWARE_DEVICE] == "on",
    )


def _whole(value: Mapping[str, str], name: str, low: int, high: int) -> int:
    text = value[name]
    if not (text.isascii() and text.isdigit() and low <= int(text) <= high):
        raise ValueError(f"{name}: should be a whole number from {low} to {high} (got {text!r}).")
    return int(text)


def _header_safe(value: Mapping[str, str], name: str) -> str:
    text = value[name]
    if not (text.isascii() and text.isprintable()):
        raise ValueError(f"{name}: should be plain ASCII, it goes into a header (got {text!r}).")
    return text
