"""Reads a stack's file without the engine, for commands that only look. Reads no secret."""

from pathlib import Path

import yaml

from infra import config
from infra.config import ConfigError, Stack
from infra.host import Host
from infra.targets import local

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""


def path_of(stack: str) -> Path:
    """The stack's file."""
    return ROOT / f"Pulumi.{stack}.yaml"


def load(stack: str) -> Stack:
    """The stack's configuration.

    Raises:
        ConfigError: there is no such file, it is no YAML, or something in it is wrong.
    """
    path = path_of(stack)
    try:
        content = yaml.safe_load(path.read_text())
    except FileNotFoundError as e:
        others = sorted(p.name.split(".")[1] for p in ROOT.glob("Pulumi.*.yaml"))
        known = ", ".join(n for n in others if n != "yaml") or "none yet"
        msg = f"{path.name}: there is no such stack. Choose one with STACK=… (there is: {known})."
        raise ConfigError([msg]) from e
    except OSError as e:
        msg = f"{path.name}: cannot be read ({e.strerror}). Correct that."
        raise ConfigError([msg]) from e
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as e:
        msg = f"{path.name}: is no YAML ({_reason(e)}). Correct it."
        raise ConfigError([msg]) from e
    keys = content.get("config") if isinstance(content, dict) else None
    if not isinstance(keys, dict) or config.KEY not in keys:
        msg = f"{path.name}: has no `{config.KEY}` under `config`. See docs/configuration.md."
        raise ConfigError([msg])
    return config.parse(keys[config.KEY])


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return (str(error) or type(error).__name__).splitlines()[0]


def hosts(stack: str) -> tuple[Stack, list[Host]]:
    """The configuration and the hosts it leads to.

    Raises:
        ConfigError: as `load`.
    """
    settings = load(stack)
    return settings, local.hosts(stack, settings)
