"""Finding, loading and proving models."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from service import models
from service.runtimes.choice import Choice

VERSION = "0123456789ab"


@pytest.fixture
def load(catalog, code, own_home, seal):
    """Loads a model from the test's own home; sealed: as if it had been published as it is now."""

    def run(name="adder", features=None, sealed=True):
        folder = models.folder(own_home / "models", name)
        if sealed:
            seal(folder)
        return models.load(catalog[name], folder, features or code[name], Choice())

    return run


def edit(home, change, name="adder", file="golden.json"):
    path = home / "models" / name / VERSION / file
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_good_model_is_loaded_with_version_and_card(load):
    model = load()
    assert (model.version, model.runtime.name, model.runtime.device) == (VERSION, "onnx", "cpu")
    assert model.card["data"]["simulated"] is True


def test_photos_are_not_batched_on_a_cpu(load):
    assert load("shade").max_batch == 1
    assert load("adder").max_batch == 8


def test_an_output_that_is_not_finite_fails_its_item_alone(load):
    model = load()
    row = {"when": "2017-07-14T14:30:00", "a": 1, "b": 1}
    good, bad = model.prepare(row), model.prepare({**row, "b": 0})
    results = model.run([good, bad, good])
    assert [isinstance(result, Exception) for result in results] == [False, True, False]


def change_answer(document):
    document["items"][3]["answer"]["sum"] += 0.2


def drop_field(document):
    del document["items"][1]["answer"]["hour"]


def not_a_number(document):
    document["items"][0]["answer"]["sum"] = "six"


def nan(document):
    document["items"][0]["answer"]["sum"] = float("nan")


def no_items(document):
    document["items"] = []


def no_tolerance(document):
    del document["tolerance"]


def wrong_input(document):
    document["items"][2]["input"]["a"] = 1e6


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (change_answer, r"adder: golden answer 3 differs by 0\.2 \(tolerance 0\.001\)"),
        (drop_field, r"adder: golden answer 1 is \{'sum': 4\.0, .* instead of \{'sum'"),
        (not_a_number, r"adder: golden answer 0 is 3\.0 instead of 'six'"),
        (nan, r"adder: golden answer 0 differs by nan"),
        (no_items, r"adder: .*golden\.json has no golden answers"),
        (no_tolerance, r"adder: .*golden\.json is broken \(KeyError\('tolerance'\)\)"),
        (wrong_input, r"adder: .*golden\.json is broken \(ProblemError\('a: should be from"),
    ],
)
def test_golden_answers_that_do_not_match_are_told(load, own_home, change, told):
    edit(own_home, change)
    with pytest.raises(ValueError, match=f"^{told}") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_golden_photo_that_is_missing_is_told(load, own_home):
    (own_home / "models" / "shade" / VERSION / "golden" / "red.png").unlink()
    with pytest.raises(ValueError, match=r"shade: .*golden\.json is broken \(FileNotFoundError"):
        load("shade")


def test_a_model_that_fails_on_a_golden_input_is_told(load, code):
    outputs = SimpleNamespace(
        encode=lambda items: np.full((len(items), 3), np.inf, np.float32),
        answer=code["adder"].answer,
    )
    with pytest.raises(ValueError, match="adder: golden answer 0: the model failed"):
        load(features=outputs)


def test_an_answer_that_json_cannot_carry_is_told(load, code):
    numpy_values = SimpleNamespace(
        encode=code["adder"].encode,
        answer=lambda outputs: [
            dict(zip(("sum", "ratio", "hour"), row, strict=True)) for row in outputs
        ],
    )
    with pytest.raises(ValueError, match="broken"):
        load(features=numpy_values)


@pytest.mark.parametrize("content", [None, "", "{", "[]", '{"name": "add'])
def test_a_missing_or_broken_card_is_named(load, own_home, content):
    path = own_home / "models" / "adder" / VERSION / "card.json"
    if content is None:
        path.unlink()
    else:
        path.write_text(content)
    with pytest.raises(ValueError, match=f"^adder: {re.escape(str(path))} ") as caught:
        load(sealed=False)
    assert str(caught.value).endswith("Build the model again.")


@pytest.mark.parametrize("content", ["", "{", "[]"])
def test_golden_answers_that_were_never_any_are_named(load, own_home, content):
    path = own_home / "models" / "adder" / VERSION / "golden.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=f"^adder: {re.escape(str(path))} ") as caught:
        load()
    assert str(caught.value).endswith("Build the model again.")


def cut(path):
    path.write_bytes(path.read_bytes()[:-1])


def flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path):
    path.write_bytes(b"")


CHANGED = "was cut off or altered after it was published"


@pytest.mark.parametrize(
    ("file", "damage", "told"),
    [
        ("model.onnx", cut, CHANGED),
        ("model.onnx", flip, CHANGED),
        ("model.onnx", empty, CHANGED),
        ("model.onnx", Path.unlink, "cannot be read (No such file or directory)"),
        ("golden.json", cut, CHANGED),
        ("golden.json", flip, CHANGED),
        ("golden.json", Path.unlink, "cannot be read (No such file or directory)"),
        ("golden/red.png", flip, CHANGED),
        ("golden/red.png", Path.unlink, "cannot be read (No such file or directory)"),
    ],
)
def test_a_file_that_is_not_as_it_was_published_is_named(load, own_home, file, damage, told):
    folder = own_home / "models" / "shade" / VERSION
    damage(folder / file)
    with pytest.raises(ValueError, match=r"^shade: ") as caught:
        load("shade", sealed=False)
    assert str(caught.value) == f"shade: {folder}: {file} {told}. Build the model again."


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda card: card.pop("files"), "card.json does not tell the sha256 of"),
        (lambda card: card["files"].pop("golden.json"), "card.json does not tell the sha256 of"),
        (lambda card: card.update(files=["model.onnx"]), "card.json does not tell the sha256 of"),
        (lambda card: card.update(name="shade"), f"card.json is of shade:{VERSION}"),
        (lambda card: card.update(version="f" * 12), f"card.json is of adder:{'f' * 12}"),
        (lambda card: card.pop("version"), "card.json is of adder:None"),
        (lambda card: card["files"].update({"model.onnx": "0" * 64}), f"model.onnx {CHANGED}"),
    ],
    ids=["no sums", "no sum", "a list", "another model", "another version", "none", "another sum"],
)
def test_a_card_that_does_not_belong_to_its_files_is_told(load, own_home, change, told):
    edit(own_home, change, file="card.json")
    folder = own_home / "models" / "adder" / VERSION
    with pytest.raises(ValueError, match=f"^adder: {re.escape(str(folder))}: ") as caught:
        load(sealed=False)
    assert told in str(caught.value)
    assert str(caught.value).endswith("Build the model again.")


def test_a_graph_that_never_was_one_is_named(load, own_home):
    (own_home / "models" / "adder" / VERSION / "model.onnx").write_bytes(b"not onnx")
    with pytest.raises(ValueError, match=r"model\.onnx: ONNX Runtime cannot load it") as caught:
        load()
    assert "\n" not in str(caught.value)


def test_a_graph_with_other_names_is_refused(load, own_home):
    node = helper.make_node("Identity", ["input"], ["output"])
    values = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3])
        for name in ("input", "output")
    ]
    graph = helper.make_graph([node], "other", values[:1], values[1:])
    opset = [helper.make_opsetid("", 17)]
    onnx.save(
        helper.make_model(graph, opset_imports=opset, ir_version=9),
        own_home / "models" / "adder" / VERSION / "model.onnx",
    )
    with pytest.raises(ValueError, match="should have the input 'x' and the output 'y'"):
        load()


def test_the_stores_latest_version_is_taken(tmp_path):
    for version in ("aaa", "bbb"):
        (tmp_path / "energy" / version).mkdir(parents=True)
    with pytest.raises(ValueError, match=r"got 2 versions and no `latest`"):
        models.folder(tmp_path, "energy")
    (tmp_path / "energy" / "latest").write_text("aaa\n")
    assert models.folder(tmp_path, "energy").name == "aaa"
    assert models.folder(tmp_path, "energy", "bbb").name == "bbb"


@pytest.mark.parametrize("content", [b"bbb", b"", b"../energy/aaa", b"..", b"\xff\xfe"])
def test_a_latest_that_points_nowhere_is_told(tmp_path, content):
    (tmp_path / "energy" / "aaa").mkdir(parents=True)
    (tmp_path / "energy" / "latest").write_bytes(content)
    with pytest.raises(ValueError, match=r"^energy: the version that is asked for") as caught:
        models.folder(tmp_path, "energy")
    assert str(caught.value).endswith("Run `make models`.")


def test_a_pinned_version_that_is_not_there_is_told(tmp_path):
    told = f"energy: the version that is asked for should be in {tmp_path} (got 'ccc')."
    with pytest.raises(ValueError, match=re.escape(told)):
        models.folder(tmp_path, "energy", "ccc")


def test_the_only_version_needs_no_latest(tmp_path):
    (tmp_path / "energy" / "ccc").mkdir(parents=True)
    assert models.folder(tmp_path, "energy").name == "ccc"


def test_no_version_at_all_says_what_to_do(tmp_path):
    told = f"energy: should be in {tmp_path} (got none). Run `make models`."
    with pytest.raises(ValueError, match=f"^{re.escape(told)}$"):
        models.folder(tmp_path, "energy")


def test_a_bento_serves_the_models_it_carries(tmp_path):
    root = tmp_path / "src"
    root.mkdir()
    (tmp_path / "models").mkdir()
    home = {"BENTOML_HOME": "/elsewhere"}
    assert str(models.models_dir(home, root)) == "/elsewhere/models"  # src of something else
    (tmp_path / "bento.yaml").write_text("models: []")
    assert models.models_dir(home, root) == tmp_path / "models"


def test_a_bento_without_models_serves_its_versions_from_the_store(tmp_path):
    root = tmp_path / "src"
    root.mkdir()
    (tmp_path / "bento.yaml").write_text("models:\n- tag: energy:abc\n  module: ''\n")
    assert str(models.models_dir({"BENTOML_HOME": "/home"}, root)) == "/home/models"
    assert models.pins(root) == {"energy": "abc"}
    assert models.pins(tmp_path) == {}


def test_a_checkout_serves_what_make_models_built(tmp_path):
    assert models.models_dir({}, tmp_path).parts[-2:] == ("bentoml", "models")
    (tmp_path / "build" / "bentoml" / "models").mkdir(parents=True)
    assert models.models_dir({}, tmp_path) == tmp_path / "build" / "bentoml" / "models"
    assert str(models.models_dir({"BENTOML_HOME": "/home"}, tmp_path)) == "/home/models"
