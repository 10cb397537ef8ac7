"""An image that goes takes what still runs from it along, and nothing else."""

from dataclasses import replace

import pytest
from harness.console import KeptConsole
from harness.memory import MemoryMachine
from harness.walks import World

from infra.provider import image
from infra.provider.image import Image


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> MemoryMachine:
    """A host on which two replicas run, and an edge from another image."""
    (made,) = World("one").machines
    replica = next(iter(made.there.values()))
    made.there[made.edge_name] = replace(replica, name=made.edge_name, image_id="edge")
    monkeypatch.setattr(image, "machine_of", lambda _: made)
    return made


def test_what_a_silent_host_could_not_end_goes_with_its_image(
    machine: MemoryMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = [c for c in machine.there.values() if c.name != machine.edge_name]
    tag = run[0].image
    monkeypatch.setattr(machine, "image_tags", lambda _: [tag])
    monkeypatch.setattr(machine, "image_id", lambda _: run[0].image_id)
    removed: list[list[str]] = []
    monkeypatch.setattr(machine, "run", lambda argv, *_: removed.append(argv))

    Image().delete({"tag": tag}, KeptConsole())

    assert list(machine.there) == [machine.edge_name]
    assert removed == [[machine.engine, "rmi", tag]]
