"""Images to a host over SSH: its network is only itself, so every byte comes through the line."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.console import KeptConsole
from harness.loopback import LoopbackHost, why_no_host
from harness.stores import MIB, ContainerStore, noise

from infra.connection import line
from infra.host import Host
from infra.images.engine import Engine
from infra.images.store import Store
from infra.provider import image, sending
from infra.provider.machine import open_machine

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(why_no_host() is not None, reason=why_no_host() or ""),
    pytest.mark.skipif(shutil.which("podman") is None, reason="the two stores are Podman's"),
]

SOURCE, TAG = "localhost/bentofleet/service:cpu-", "localhost/bentofleet-lab/service:cpu-"
FIRST = {**{f"layer{n}": noise(6 * MIB, n) for n in range(3)}, "code": noise(20_000, 21)}


class Way:
    """What builds here, a host behind SSH, and what goes there."""

    def __init__(self, folder: Path) -> None:
        self.here = ContainerStore(folder / "here")
        self.there = LoopbackHost("images", "127.0.0.2", base=folder / "hosts")
        entry = {"accelerator": "cpu", "stack": "lab", "ports_from": 24000}
        self.host = Host.from_inputs({**self.there.entry(), **entry})
        self.console = KeptConsole()

    def build(self, version: str, layers: dict[str, bytes]) -> dict[str, object]:
        """An image here, and the inputs that bring it to the host."""
        image_id = self.here.load(f"{SOURCE}{version}", layers, version)
        tags = {"source": f"{SOURCE}{version}", "tag": f"{TAG}{version}"}
        return {"host": self.host.to_inputs(), "image_id": image_id, **tags}

    def bring(self, inputs: dict[str, object]) -> int:
        """Brings it as `pulumi up` does; the bytes that went over the line."""
        before = self.sent
        state = image.Image().create(inputs, self.console)
        assert state["found_id"] == inputs["image_id"]
        return self.sent - before

    @property
    def sent(self) -> int:
        """All bytes that the registry has sent."""
        name = sending._name(open_machine(self.host), f"{TAG}x")
        return sending.registry(self.console.stopped).sent(name)

    def size(self, inputs: dict[str, object]) -> int:
        """The image's compressed bytes."""
        packed = sending.store().known(str(inputs["image_id"]))
        assert packed is not None
        return packed.size

    def cut_after(self, number: int) -> None:
        """Cuts the line once, when so many bytes have been sent."""
        name = sending._name(open_machine(self.host), f"{TAG}x")
        served = sending.registry(self.console.stopped)
        count = served.count
        limit = served.sent(name) + number

        def counted(of: str, size: int) -> None:
            count(of, size)
            if served.sent(name) > limit:
                served.count = count  # type: ignore[method-assign]
                self.there.sshd.cut()

        served.count = counted  # type: ignore[method-assign]

    def close(self) -> None:
        sending.registry(self.console.stopped).close()
        line.close_all()
        self.there.close()
        self.here.close()


@pytest.fixture
def way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Way]:
    made = Way(tmp_path)
    for name, value in made.here.environ.items():
        monkeypatch.setenv(name, value)
    blobs = Store(tmp_path)
    monkeypatch.setattr(sending, "store", lambda: blobs)
    monkeypatch.setattr(sending, "PAUSE_S", 0.0)
    monkeypatch.setattr(sending.engines, "find", lambda: Engine("podman"))
    yield made
    made.close()


def test_over_ssh_a_cut_line_costs_the_layer_that_was_under_way_and_a_new_code_the_code(
    way: Way,
) -> None:
    first = way.build("1", FIRST)
    way.cut_after(9 * MIB)  # the first layer, and half of the second

    sent = way.bring(first)

    assert any("the line was cut" in said for said in way.console.said)
    assert 0 < sent - way.size(first) <= len(FIRST["layer1"]) + 50_000
    assert way.bring(first) == 0

    code = way.build("2", {**FIRST, "code": noise(20_000, 22)})
    assert way.bring(code) <= 0.05 * way.size(code)
    told = open_machine(way.host).run(["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"])
    assert sorted(told.split()) == [f"{TAG}1", f"{TAG}2"]
