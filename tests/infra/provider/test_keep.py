"""Which images a host keeps."""

import json
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

from infra.host import Paths
from infra.provider import keep

REPOSITORY = "localhost/bentofleet-demo/service"


class Shelf:
    """A machine that has only records and image tags."""

    engine = "podman"
    paths = Paths(PurePosixPath("/x"))

    def __init__(self, records: dict[str, str], tags: list[str], running: str = "") -> None:
        self.files = records
        self.tags = tags
        self.running = running

    def names_in(self, _: PurePosixPath) -> list[str]:
        return list(self.files)

    def read(self, path: PurePosixPath) -> str | None:
        return self.files.get(path.name)

    def remove(self, path: PurePosixPath) -> None:
        del self.files[path.name]

    def image_tags(self, _: str) -> list[str]:
        return list(self.tags)

    def image_id(self, tag: str) -> str:
        return f"id of {tag}"

    def containers(self) -> list[Any]:
        return [SimpleNamespace(image_id=f"id of {self.running}")]

    def run(self, argv: list[str]) -> str:
        assert argv[:2] == ["podman", "rmi"]
        self.tags.remove(argv[2])
        return ""


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


def test_a_damaged_record_is_passed_over() -> None:
    host = shelf()
    host.files["r3.json"] = "{"

    assert [e["release"] for e in keep.promoted(host)] == ["r5", "r4", "r2", "r1"]  # type: ignore[arg-type]
