"""What a release is."""

from typing import Any

import pytest

from infra import release
from infra.config import Service

TAG = "localhost/bentofleet/service:cpu-0123456789ab"


def id_of(memory_mib: int = 1024, tag: str = TAG, more: str = "", **settings: Any) -> str:
    tags = [each for each in (tag, more) if each]
    return release.release_id(tags, release.environment(Service(**settings)), memory_mib)


@pytest.mark.parametrize(
    "other",
    [
        {"threads": 2},
        {"models": ["energy"]},
        {"auth": "off"},
        {"docs": False},
        {"memory_mib": 512},
        {"tag": TAG[:-1] + "c"},
        {"more": TAG.replace("cpu", "vulkan")},
    ],
    ids=lambda o: next(iter(o)),
)
def test_what_reaches_the_service_process_makes_another_release(other: dict[str, Any]) -> None:
    assert id_of(**other) != id_of()


def test_the_order_of_the_hosts_does_not_make_another_release() -> None:
    other = TAG.replace("cpu", "vulkan")

    assert id_of(tag=TAG, more=other) == id_of(tag=other, more=TAG)


def test_the_number_of_replicas_is_not_part_of_a_release() -> None:
    assert id_of(replicas=5) == id_of()


def test_an_id_is_short_enough_for_a_container_name() -> None:
    assert len(id_of()) == 12
    assert int(id_of(), 16) >= 0


def test_a_stack_has_its_own_tag_so_that_destroy_leaves_the_build() -> None:
    assert release.stack_tag("demo", TAG) == "localhost/bentofleet-demo/service:cpu-0123456789ab"
