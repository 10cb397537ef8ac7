"""Reads a stack's file without the engine, for commands that only look. Reads no secret."""

import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from infra import addresses, config
from infra.config import ConfigError, Stack
from infra.host import Host
from infra.targets import local

_BOOLEAN, _FLOAT = "tag:yaml.org,2002:bool", "tag:yaml.org,2002:float"

ROOT = Path(__file__).resolve().parents[1]
"""The repository."""


def path_of(stack: str) -> Path:
    """The stack's file."""
    return ROOT / f"Pulumi.{stack}.yaml"


def load(stack: str) -> Stack:
    """The stack's configuration.

    Raises:
        ConfigError: the name is none, there is no such file, it is no YAML, or something in it is
            wrong.
    """
    path = path_of(stack)
    try:
        addresses.stack_name(stack)
    except ValueError as e:
        raise ConfigError([str(e)]) from e
    try:
        content = parse_yaml(path.read_text())
    except FileNotFoundError as e:
        files = [p.name for p in ROOT.glob("Pulumi.*.yaml")]
        others = [n.removeprefix("Pulumi.").removesuffix(".yaml") for n in files]
        known = ", ".join(sorted(n for n in others if not n.endswith(".example"))) or "none yet"
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


def parse_yaml(text: str) -> Any:
    """A file's content as Pulumi reads it.

    Raises:
        yaml.YAMLError: it is none.
    """
    return yaml.load(text, _AsPulumi)  # noqa: S506 - a SafeLoader


def _reason(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        return f"line {error.problem_mark.line + 1}: {error.problem}"
    return (str(error) or type(error).__name__).splitlines()[0]


def hosts(stack: str) -> tuple[Stack, list[Host]]:
    """The configuration and the hosts that take part.

    Raises:
        ConfigError: as `load`.
    """
    settings, every = all_hosts(stack)
    return settings, taking_part(every)


def all_hosts(stack: str) -> tuple[Stack, list[Host]]:
    """The configuration and every host it leads to, those that are out too.

    Raises:
        ConfigError: as `load`.
    """
    settings = load(stack)
    return settings, local.all_hosts(stack, settings)


def taking_part(hosts: list[Host]) -> list[Host]:
    """The hosts that are not out."""
    return [host for host in hosts if not host.out]


class _AsPulumi(yaml.SafeLoader):
    """YAML as Pulumi reads it: a key that stands twice is an error, and `off` a word (YAML 1.2)."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """The mapping, after its keys were compared."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise yaml.constructor.ConstructorError(
                    problem=f"the key {key.value} stands there for the second time",
                    problem_mark=key.start_mark,
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_AsPulumi.yaml_implicit_resolvers = {
    first: [(tag, form) for tag, form in forms if tag != _BOOLEAN]
    for first, forms in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_AsPulumi.add_implicit_resolver(
    _BOOLEAN, re.compile(r"(?:true|True|TRUE|false|False|FALSE)\Z"), list("tTfF")
)
_AsPulumi.add_implicit_resolver(
    _FLOAT, re.compile(r"[-+]?[0-9]+(?:\.[0-9]*)?[eE][-+]?[0-9]+\Z"), list("-+0123456789")
)
