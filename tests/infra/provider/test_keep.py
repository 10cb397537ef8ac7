"""Which images a host keeps."""

import json
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from infra.connection import Done, HostError
from infra.host import Paths
from infra.provider import keep

REPOSITORY = "localhost/bentofleet-demo/service"


class Shelf:
    """A machine that has only records and image tags."""

    engine = "podman"
    paths = Paths(PurePosixPath("/x"))
    host = SimpleNamespace(name="here")

    def __init__(self, records: dict[str, str], tags: list[str], running: str = "") -> None:
        self.files = records
        self.tags = tags
        self.running = running
        self.edge = ""
        self.refused: dict[str, str] = {}

    def names_in(self, _: PurePosixPath) -> list[str]:
        return list(self.files)

    def read(self, path: PurePosixPath) -> str | None:
        return self.files.get(path.name)

    def remove(self, path: PurePosixPath) -> None:
        del self.files[path.name]

    def image_tags(self, repository: str) -> list[str]:
        return [tag for tag in self.tags if tag.startswith(f"{repository}:")]

    def image_id(self, tag: str) -> str:
        return f"id of {tag}"

    def containers(self) -> list[Any]:
        replica = SimpleNamespace(image_id=f"id of {self.running}", role="replica")
        edges = [SimpleNamespace(image_id=f"id of {self.edge}", role="edge")] if self.edge else []
        return [replica, *edges]

    @property
    def connection(self) -> Any:
        return SimpleNamespace(run=self._run)

    def _run(self, argv: list[str]) -> Done:
        assert argv[:2] == ["podman", "rmi"]
        if argv[2] in self.refused:
            return Done(2, "", self.refused[argv[2]])
        self.tags.remove(argv[2])
        return Done(0, "", "")


def record(number: int) -> tuple[str, str]:
    entry = {
        "release": f"r{number}",
        "image": f"{REPOSITORY}:{number}",
        "promoted_at": f"2026-01-0{number}T00:00:00+00:00",
    }
    return f"r{number}.json", json.dumps(entry)


def shelf(running: str = "") -> Shelf:
    tags = [f"{REPOSITORY}:{n}" for n in range(1, 6)]
    return Shelf(dict(record(n) for n in range(1, 6)), tags, running)


def test_the_last_releases_are_kept_with_their_records() -> None:
    host = shelf()

    keep.prune(host, f"{REPOSITORY}:5", keep=2)  # type: ignore[arg-type]

    assert host.tags == [f"{REPOSITORY}:4", f"{REPOSITORY}:5"]
    assert sorted(host.files) == ["r4.json", "r5.json"]


def test_an_image_in_use_is_never_removed() -> None:
    host = shelf(running=f"{REPOSITORY}:1")

    keep.prune(host, f"{REPOSITORY}:5", keep=1)  # type: ignore[arg-type]

    assert host.tags == [f"{REPOSITORY}:1", f"{REPOSITORY}:5"]


def test_a_candidate_that_was_never_promoted_goes_with_the_next_release() -> None:
    host = shelf()
    host.tags.append(f"{REPOSITORY}:candidate")

    keep.prune(host, f"{REPOSITORY}:5", keep=5)  # type: ignore[arg-type]

    assert f"{REPOSITORY}:candidate" not in host.tags


EDGES = "localhost/bentofleet-demo/edge"


def test_old_images_of_the_edge_go_with_the_next_release() -> None:
    host = shelf()
    host.tags += [f"{EDGES}:1", f"{EDGES}:2", "localhost/bentofleet-other/edge:1"]
    host.edge = f"{EDGES}:2"

    keep.prune(host, f"{REPOSITORY}:5", keep=5)  # type: ignore[arg-type]

    assert host.tags[5:] == [f"{EDGES}:2", "localhost/bentofleet-other/edge:1"]


def test_without_a_container_of_the_edge_nobody_knows_which_of_its_images_is_old() -> None:
    host = shelf()
    host.tags += [f"{EDGES}:1", f"{EDGES}:2"]

    keep.prune(host, f"{REPOSITORY}:5", keep=5)  # type: ignore[arg-type]

    assert host.tags[5:] == [f"{EDGES}:1", f"{EDGES}:2"]


@pytest.mark.parametrize(
    "complaint",
    [
        "Error: image used by 8e8df: image is in use by a container",
        "conflict: unable to remove repository reference (must force) - container 8e is using its",
        "conflict: unable to delete 8e - image is being used by running container 7d",
    ],
)
def test_an_image_that_somebody_elses_container_holds_stays_until_later(complaint: str) -> None:
    host = shelf()
    host.refused = {f"{REPOSITORY}:1": complaint}

    keep.prune(host, f"{REPOSITORY}:5", keep=2)  # type: ignore[arg-type]

    assert host.tags == [f"{REPOSITORY}:1", f"{REPOSITORY}:4", f"{REPOSITORY}:5"]


def test_an_engine_that_cannot_remove_an_image_is_told() -> None:
    host = shelf()
    host.refused = {f"{REPOSITORY}:1": "Error: read-only file system"}

    with pytest.raises(HostError) as caught:
        keep.prune(host, f"{REPOSITORY}:5", keep=2)  # type: ignore[arg-type]

    assert str(caught.value) == (
        f"here: cannot remove the old image {REPOSITORY}:1 (Error: read-only file system). "
        "Look whether the container engine is well."
    )


def test_a_damaged_record_is_passed_over() -> None:
    host = shelf()
    host.files["r3.json"] = "{"

    assert [e["release"] for e in keep.promoted(host)] == ["r5", "r4", "r2", "r1"]  # type: ignore[arg-type]
