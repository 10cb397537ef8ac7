"""Logs of containers have a bound, and it is seen when one has none."""

from typing import Any

import pytest

from infra.commands import rotation


def test_each_engine_is_told_how_large_a_log_may_grow() -> None:
    assert rotation.options("podman") == ["--log-driver", "k8s-file", "--log-opt", "max-size=10m"]
    assert rotation.options("/usr/bin/docker") == [
        *("--log-driver", "json-file", "--log-opt", "max-size=10m", "--log-opt", "max-file=3")
    ]


@pytest.mark.parametrize(
    ("told", "is_bounded"),
    [
        (
            {"Type": "k8s-file", "Config": None, "Path": "/x/ctr.log", "Tag": "", "Size": "10MB"},
            True,
        ),
        (
            {"Type": "k8s-file", "Config": None, "Path": "/x/ctr.log", "Tag": "", "Size": "0B"},
            False,
        ),
        ({"Type": "json-file", "Config": {"max-file": "3", "max-size": "10m"}}, True),
        ({"Type": "json-file", "Config": {}}, False),
        ({"Type": "journald", "Config": {}, "Size": "0B"}, True),
        (None, True),
    ],
    ids=["podman", "podman without", "docker", "docker without", "journald", "not told"],
)
def test_a_log_without_a_bound_is_seen(told: dict[str, Any] | None, is_bounded: bool) -> None:
    assert rotation.is_bounded(told) is is_bounded
