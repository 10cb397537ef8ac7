"""Photos on a card: what is refused, and that nothing falls back to the processor in silence.

ncnn is played here; the real one computes in tests/live/test_vulkan.py and tests/bentos/vulkan.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from bentos import converted, sums
from service import contract, models
from service.runtimes import vulkan
from service.runtimes.choice import Choice

VERSION = "0123456789ab"
CARD, SOFTWARE = ("AMD Radeon RX 580 (RADV POLARIS10)", 0), ("llvmpipe (LLVM 15.0.6)", 3)


class Mat:
    def __init__(self, array, batch_index=None):
        self.array = np.array(array)

    def clone(self):
        return self

    def numpy(self, batch_index=None):
        return self.array


class Extractor:
    def __init__(self, net):
        self._net = net

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def input(self, name, mat):
        assert name == "in0"
        self._x = mat.array
        return 0

    def extract(self, name):
        assert name == "out0"
        return self._net.ncnn.fails, Mat(self._x.mean((2, 3)) + self._net.ncnn.error)


class Net:
    def __init__(self, ncnn):
        self.ncnn = ncnn
        self.opt = SimpleNamespace()
        self.device = None

    def set_vulkan_device(self, number):
        self.ncnn.chosen.append(number)

    def load_param(self, path):
        return 0 if Path(path).read_bytes() else -1

    def load_model(self, path):
        return 0 if Path(path).read_bytes() else -1

    def layers(self):
        return self.ncnn.layers

    def create_extractor(self):
        return Extractor(self)


class Ncnn(SimpleNamespace):
    """As much of ncnn as the runtime uses."""

    def __init__(self):
        super().__init__(devices=[CARD], layers=[], fails=0, error=0.0, chosen=[], nets=[], Mat=Mat)

    def Net(self):  # noqa: N802  ncnn's own name
        self.nets.append(Net(self))
        return self.nets[-1]

    def get_gpu_count(self):
        return len(self.devices)

    def get_gpu_info(self, number):
        name, kind = self.devices[number]
        return SimpleNamespace(
            device_name=lambda: name,
            type=lambda: kind,
            driver_version=lambda: 22 << 22 | 3 << 12 | 6,
        )


def layer(kind, *, shader=True):
    return SimpleNamespace(type=kind, support_vulkan=shader)


@pytest.fixture
def ncnn(monkeypatch, tmp_path):
    """A container with a card, its node and Mesa's drivers; take away what a test is about."""
    played = Ncnn()
    monkeypatch.setitem(sys.modules, "ncnn", played)
    monkeypatch.setattr(vulkan, "DRIVERS", tmp_path / "icd.d")
    monkeypatch.setattr(vulkan, "NODES", tmp_path / "dri")
    for name in vulkan._DRIVER_VARIABLES:
        monkeypatch.setenv(name, "")
    vulkan.DRIVERS.mkdir()
    vulkan.NODES.mkdir()
    for name in ("radeon_icd.x86_64.json", "lvp_icd.x86_64.json", "intel_icd.x86_64.json"):
        (vulkan.DRIVERS / name).touch()
    (vulkan.NODES / "renderD128").touch()
    return played


@pytest.fixture
def home(own_home):
    """The store with the photo model in its converted form."""
    folder = own_home / "models" / converted.stored_name("shade") / "abc"
    folder.mkdir(parents=True)
    (folder.parent / "latest").write_text("abc")
    for name in (vulkan.PARAM_FILE, vulkan.WEIGHTS_FILE):
        (folder / name).write_text("converted")
    seal(folder)
    return own_home


def seal(folder, **change):
    files = {
        name: sums.file_sha256(folder / name) for name in (vulkan.PARAM_FILE, vulkan.WEIGHTS_FILE)
    }
    manifest = {"name": "shade", "version": VERSION, "files": files, **change}
    (folder / converted.MANIFEST).write_text(json.dumps(manifest))


@pytest.fixture
def load(ncnn, home, catalog, code):
    """Loads a model where a card is declared."""

    def run(name="shade", **settings):
        store = home / "models"
        choice = Choice(
            find=lambda each: models.folder(store, each),
            **{"accelerator": contract.VULKAN, **settings},
        )
        return models.load(catalog[name], models.folder(store, name), code[name], choice)

    return run


def test_a_photo_model_runs_on_the_card_and_a_table_on_the_processor(load):
    photo, table = load(), load("adder")
    assert (photo.runtime.name, photo.runtime.device) == ("ncnn", "vulkan")
    assert (table.runtime.name, table.runtime.device) == ("onnx", "cpu")


def test_where_no_card_is_declared_nothing_is_asked_of_one(load, ncnn):
    assert load(accelerator="cpu").runtime.device == "cpu"
    assert ncnn.nets == []


def test_what_it_can_do_is_measured_on_the_card_and_on_the_processor_beside_it(load):
    assert load().rates.keys() == {"vulkan", "cpu"}
    assert load("adder").rates.keys() == {"cpu"}
    assert all(rate > 0 for rate in load().rates.values())


def test_photos_are_batched_on_a_card_but_not_in_software(load, ncnn, catalog):
    assert load().max_batch == catalog["shade"].max_batch
    ncnn.devices = [SOFTWARE]
    assert load(software=True).max_batch == 1


def test_it_computes_in_fp32_by_name(load, ncnn):
    load()
    options = ncnn.nets[-1].opt
    assert options.use_vulkan_compute is True
    assert not any(value for name, value in vars(options).items() if "16" in name)


def test_a_card_is_taken_although_the_software_is_there_first(load, ncnn):
    ncnn.devices = [SOFTWARE, CARD]
    load()
    assert ncnn.chosen == [1]


def test_only_the_cards_driver_is_loaded(load, monkeypatch):
    import os

    load()
    card = str(vulkan.DRIVERS / "radeon_icd.x86_64.json")
    assert [os.environ[name] for name in vulkan._DRIVER_VARIABLES] == [card, card]


def test_the_test_setting_takes_the_software_and_no_card(load, ncnn):
    import os

    ncnn.devices = [CARD, SOFTWARE]
    assert load(software=True).runtime.device == "software"
    assert ncnn.chosen == [1]
    assert os.environ["VK_DRIVER_FILES"].endswith("lvp_icd.x86_64.json")


def test_a_software_device_is_refused_without_the_test_setting(load, ncnn):
    ncnn.devices = [SOFTWARE]
    with pytest.raises(ValueError, match=r"^shade: vulkan: no device .*only llvmpipe \(LLVM"):
        load()


def take(what):
    for path in sorted(what.parent.glob(what.name)):
        path.unlink()


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda: take(vulkan.DRIVERS / "radeon*"), "no driver in "),
        (lambda: take(vulkan.NODES / "*"), "no device node in "),
        (lambda: None, "the driver finds no card behind the device node"),
    ],
    ids=["no driver", "no node", "no card"],
)
def test_without_a_device_the_cause_is_told(load, ncnn, spoil, told):
    ncnn.devices = []
    spoil()
    with pytest.raises(ValueError, match=f"^shade: vulkan: no device to run on: {told}") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_node_that_may_not_be_opened_is_told_with_the_groups(load, ncnn, monkeypatch):
    ncnn.devices = []
    monkeypatch.setattr(vulkan.os, "access", lambda path, mode: False)
    group = (vulkan.NODES / "renderD128").stat().st_gid
    with pytest.raises(ValueError, match=f"renderD128 is of group {group}, and this process has "):
        load()


def test_an_image_without_ncnn_is_named(load, monkeypatch):
    monkeypatch.setitem(sys.modules, "ncnn", None)
    with pytest.raises(ValueError, match=r"^shade: BENTOFLEET_ACCELERATOR: ncnn is not installed"):
        load()


def test_a_layer_that_would_run_on_the_processor_is_refused(load, ncnn):
    ncnn.layers = [
        layer("Input", shader=False),
        layer("Convolution"),
        layer("MatMul", shader=False),
    ]
    with pytest.raises(ValueError, match="ncnn has no shader for MatMul"):
        load()


def test_a_card_that_answers_wrong_is_not_ready_and_the_card_is_named(load, ncnn):
    ncnn.error = 0.1
    with pytest.raises(ValueError, match=r"shade: golden answer 0 differs by 0\.1 .*The card or"):
        load()


def test_a_card_that_does_not_compute_is_told_at_load(load, ncnn):
    ncnn.fails = -100
    with pytest.raises(
        ValueError, match=r"^shade: the device gave up \(.*RX 580.*ncnn gave -100\)"
    ):
        load()


def test_a_card_that_fails_later_ends_the_process(load, ncnn):
    model = load()
    ncnn.fails = -4
    with pytest.raises(vulkan.DeviceLost, match=r"driver 22\.3\.6: ncnn gave -4"):
        model.run([np.zeros((3, 8, 8), np.float32)])
    assert not issubclass(vulkan.DeviceLost, Exception)


def test_a_model_that_was_never_converted_is_named(load, home):
    for path in (home / "models" / "shade-vulkan" / "abc").iterdir():
        path.unlink()
    with pytest.raises(ValueError, match=r"shade: .*conversion.json cannot be read .*make image A"):
        load()


def test_files_that_ncnn_does_not_load_are_named(load, home):
    folder = home / "models" / "shade-vulkan" / "abc"
    (folder / vulkan.PARAM_FILE).write_bytes(b"")
    seal(folder)
    with pytest.raises(ValueError, match="ncnn cannot load it"):
        load()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"version": "fff"}, f"it was converted from version fff, and {VERSION} is served"),
        ({"files": {}}, "conversion.json names no file"),
        ({"files": {"model.ncnn.bin": "0"}}, "model.ncnn.bin was cut off or altered"),
        ({"files": {"gone": "0"}}, "gone cannot be read"),
    ],
    ids=["another version", "no files", "altered", "gone"],
)
def test_a_conversion_that_is_not_of_the_served_model_is_refused(load, home, change, told):
    seal(home / "models" / "shade-vulkan" / "abc", **change)
    with pytest.raises(ValueError, match=f"^shade: .*{told}"):
        load()
