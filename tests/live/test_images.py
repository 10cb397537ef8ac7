"""Images on their way to a host without a registry: real engines, two stores, a line that breaks.

The host's store is on this machine and knows nothing of the other; tests/live/test_ssh.py does the
same over SSH.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from harness.console import KeptConsole
from harness.registries import PASSWORD, USER, PushRegistry
from harness.stores import MIB, ContainerStore, Elsewhere, noise

from infra.host import Host
from infra.images.engine import Engine
from infra.images.store import Store
from infra.provider import image, sending, shelf
from infra.provider.machine import Machine
from infra.provider.resource import Refused

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(shutil.which("podman") is None, reason="the two stores are Podman's"),
]

SOURCE = "localhost/bentofleet/service:cpu-"
TAG = "localhost/bentofleet-lab/service:cpu-"
HOST = Host.from_inputs(
    {
        "name": "alpha",
        "address": "127.0.0.2",
        "connection": "ssh",
        "accelerator": "cpu",
        "stack": "lab",
        "ports_from": 24000,
    }
)

BASE = {f"layer{n}": noise(6 * MIB, n) for n in range(3)}
MODELS = {"energy": noise(MIB, 11), "demand": noise(MIB, 12)}
CODE = {"code": noise(20_000, 21)}
FIRST = {**BASE, **MODELS, **CODE}


class Bench:
    """What builds here, the host there, and what went from one to the other."""

    def __init__(self, folder: Path) -> None:
        self.here = ContainerStore(folder / "here")
        self.there = ContainerStore(folder / "there")
        self.connection = Elsewhere(HOST, self.there)
        self.machine = Machine(HOST, self.connection, "podman")
        self.console = KeptConsole()
        self.resource = image.Image()

    def build(self, version: str, layers: dict[str, bytes]) -> dict[str, object]:
        """An image here, and the inputs that bring it to the host."""
        image_id = self.here.load(f"{SOURCE}{version}", layers, version)
        return {
            "host": HOST.to_inputs(),
            "source": f"{SOURCE}{version}",
            "tag": f"{TAG}{version}",
            "image_id": image_id,
        }

    def bring(self, inputs: dict[str, object]) -> int:
        """Brings it; the bytes that went over the line."""
        before = self.sent
        self.resource.create(inputs, self.console)
        return self.sent - before

    @property
    def sent(self) -> int:
        """All bytes that the registry has sent to the host."""
        made = sending.registry(self.console.stopped)
        return made.sent(sending._name(self.machine, f"{TAG}x"))

    def size(self, inputs: dict[str, object]) -> int:
        """The image's compressed bytes."""
        packed = sending.store().known(str(inputs["image_id"]))
        assert packed is not None
        return packed.size

    def close(self) -> None:
        sending.registry(self.console.stopped).close()
        self.there.close()
        self.here.close()


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bench]:
    made = Bench(tmp_path)
    for name, value in made.here.environ.items():
        monkeypatch.setenv(name, value)
    blobs = Store(tmp_path)
    monkeypatch.setattr(sending, "store", lambda: blobs)
    monkeypatch.setattr(sending, "PAUSE_S", 0.0)
    monkeypatch.setattr(sending.engines, "find", lambda: Engine("podman"))
    monkeypatch.setattr(image, "machine_of", lambda _: made.machine)
    yield made
    made.close()


def test_a_release_sends_what_the_host_lacks_and_the_image_keeps_its_id(bench: Bench) -> None:
    first = bench.build("1", FIRST)

    sent = bench.bring(first)

    assert bench.machine.image_id(f"{TAG}1") == first["image_id"]
    assert sum(map(len, FIRST.values())) <= sent <= 1.01 * bench.size(first)
    assert bench.there.tags() == [f"{TAG}1"]
    assert bench.bring(first) == 0

    code = bench.build("2", {**FIRST, "code": noise(20_000, 22)})
    assert bench.bring(code) <= 0.05 * bench.size(code)
    assert bench.machine.image_id(f"{TAG}2") == code["image_id"]

    model = bench.build("3", {**FIRST, "energy": noise(MIB, 13)})
    assert MIB <= bench.bring(model) <= MIB + 0.05 * bench.size(model)

    assert bench.there.tags() == [f"{TAG}1", f"{TAG}2", f"{TAG}3"]
    assert bench.resource.look({**first, "found_id": first["image_id"]}) == {"image": "as declared"}


def test_what_came_over_whole_is_not_sent_again_after_a_cut(bench: Bench) -> None:
    first = bench.build("1", FIRST)
    bench.connection.line.cut_after(9 * MIB)  # the first layer, and half of the second

    sent = bench.bring(first)

    assert bench.machine.image_id(f"{TAG}1") == first["image_id"]
    assert 0 < sent - bench.size(first) <= len(BASE["layer1"]) + 50_000
    assert any("broke off" in line for line in bench.console.said)
    assert bench.there.tags() == [f"{TAG}1"]


def test_a_run_that_gave_up_goes_on_from_there_when_it_is_run_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ATTEMPTS", 1)
    bench.connection.mends_by_itself = False
    first = bench.build("1", FIRST)
    bench.connection.line.cut_after(14 * MIB)

    with pytest.raises(Refused, match=r"^alpha: image service: the engine did not pull it \(") as e:
        bench.bring(first)
    assert str(e.value).endswith("What came over is kept: run it again.")
    assert bench.machine.image_id(f"{TAG}1") is None

    bench.connection.line.mend()
    rest = bench.bring(first)

    assert rest <= bench.size(first) - 12 * MIB + 50_000
    assert bench.machine.image_id(f"{TAG}1") == first["image_id"]
    assert bench.there.tags() == [f"{TAG}1"]


def test_bytes_that_were_altered_on_the_way_are_refused_by_the_host(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ATTEMPTS", 1)
    first = bench.build("1", CODE)
    packed = sending.pack(str(first["source"]), str(first["image_id"]))
    path = sending.store().path(packed.layers[0].digest)
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    with pytest.raises(Refused, match="the engine did not pull it"):
        bench.bring(first)

    assert bench.there.tags() == []


def test_a_host_that_got_its_image_from_a_stick_is_sent_the_new_code_alone(bench: Bench) -> None:
    first = bench.build("1", FIRST)
    bench.there.load(f"{SOURCE}1", FIRST, "1")

    assert bench.bring(first) == 0
    assert bench.machine.image_id(f"{TAG}1") == first["image_id"]

    code = bench.build("2", {**FIRST, "code": noise(20_000, 22)})
    assert bench.bring(code) <= 0.05 * bench.size(code)


def test_ctrl_c_ends_the_sending_and_nothing_is_named(bench: Bench) -> None:
    first = bench.build("1", FIRST)
    sending.pack(str(first["source"]), str(first["image_id"]))
    bench.console.stopped.set()

    with pytest.raises(Refused, match=r"^alpha: image service: interrupted\. What came over is"):
        bench.bring(first)

    assert bench.there.tags() == []


def test_destroy_removes_the_stacks_images_with_what_a_killed_run_left_and_no_other(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sending, "ATTEMPTS", 1)
    bench.there.load("localhost/of-somebody-else:1", {"x": b"x"})
    bench.bring(first := bench.build("1", CODE))
    bench.connection.mends_by_itself = False
    bench.connection.line.cut_after(8 * MIB)
    with pytest.raises(Refused):
        bench.bring(second := bench.build("2", FIRST))
    assert any("service-part" in tag for tag in bench.there.tags())

    bench.resource.delete({**second}, bench.console)

    assert bench.machine.image_id(f"{TAG}1") is None
    assert bench.there.tags() == ["localhost/of-somebody-else:1"]
    bench.resource.delete({**first}, bench.console)


def test_an_image_that_somebody_replaced_is_seen_and_put_back(bench: Bench) -> None:
    first = bench.build("1", CODE)
    state = {**first, **bench.resource.create(first, bench.console)}
    other = bench.there.load(f"{TAG}1", {"other": b"other"})

    assert bench.resource.look(state) == {"image": f"replaced by image {other[:12]}"}

    bench.resource.update(state, first, bench.console)
    assert bench.resource.look(state) == {"image": "as declared"}


@pytest.fixture
def registry() -> Iterator[PushRegistry]:
    made = PushRegistry()
    shelf._pushed.clear()
    yield made
    made.close()


def through(registry: PushRegistry, inputs: dict[str, object], **login: str) -> dict[str, object]:
    """The same image, through a registry."""
    given = {"user": USER, "password": PASSWORD, **login}
    return {**inputs, "registry": {"repository": f"{registry.address}/org/bentofleet", **given}}


def test_through_a_registry_an_image_is_pushed_once_and_pulled_by_its_digest(
    bench: Bench, registry: PushRegistry
) -> None:
    first = through(registry, bench.build("1", FIRST))

    state = {**first, **bench.resource.create(first, bench.console)}

    assert bench.machine.image_id(f"{TAG}1") == first["image_id"]
    assert bench.resource.look(state) == {"image": "as declared"}
    taken, given = registry.taken, registry.given
    bench.resource.create({**first, "tag": f"{TAG}also"}, bench.console)
    assert registry.pushes == 1

    code = through(registry, bench.build("2", {**FIRST, "code": noise(20_000, 22)}))
    bench.resource.create(code, bench.console)

    assert registry.taken - taken <= 0.05 * taken
    assert registry.given - given <= 0.05 * given
    assert bench.there.tags() == [f"{TAG}1", f"{TAG}2", f"{TAG}also"]
    assert bench.sent == 0


def test_a_registrys_password_stands_in_no_command_and_stays_nowhere(
    bench: Bench, registry: PushRegistry, tmp_path: Path
) -> None:
    first = through(registry, bench.build("1", CODE))
    bench.resource.create(first, bench.console)

    assert PASSWORD not in str(bench.connection.seen)
    assert PASSWORD not in str(bench.console.said)
    assert PASSWORD not in repr(shelf.Shelf.of(first["registry"]))
    left = [p for p in tmp_path.rglob("config.json") if not p.is_relative_to(bench.here.folder)]
    assert left == []


def test_a_wrong_password_is_told_without_it(bench: Bench, registry: PushRegistry) -> None:
    first = through(registry, bench.build("1", CODE), password="planted-and-wrong")

    with pytest.raises(Refused, match=r"was not pushed \(.*\)\. Look whether this machine") as e:
        bench.resource.create(first, bench.console)

    assert "planted-and-wrong" not in str(e.value)


def test_a_host_that_may_not_read_the_registry_is_named(
    bench: Bench, registry: PushRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = through(registry, bench.build("1", CODE))
    shelf.Shelf.of(first["registry"]).fill(str(first["source"]), str(first["image_id"]))
    wrong = through(registry, first, password="planted-and-wrong")

    with pytest.raises(Refused, match=r"^alpha: image .*: the engine did not pull it \(.*registry"):
        bench.resource.create(wrong, bench.console)

    assert bench.there.tags() == []
    assert not (bench.there.folder / "root/pull-service").exists()
