"""The example stacks are right as they stand."""

from pathlib import Path

import pytest
import yaml

from infra import config

ROOT = Path(__file__).resolve().parents[1]
EXAMPLES = sorted(ROOT.glob("Pulumi.*.example.yaml"))


def test_there_is_an_example() -> None:
    assert EXAMPLES


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.name)
def test_an_example_is_a_right_stack(path: Path) -> None:
    assert config.parse(yaml.safe_load(path.read_text())["config"][config.KEY])
