"""The models from end to end in their small variants, into a store of their own."""

import json
import logging
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bentos import build, parity, store
from bentos.catalog import MODELS
from bentos.demand import features as demand_features
from bentos.demand.spec import CATEGORIES, CITIES
from bentos.energy import data
from bentos.energy import features as energy_features
from bentos.wildlife import features as wildlife_features
from bentos.wildlife import photographs

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """The folders of all models, built where there is neither data nor network."""
    folder = tmp_path_factory.mktemp("built")

    def unreachable(url: str) -> bytes:
        raise OSError("no network here")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(folder / "home"))
        patch.setenv("BENTOML_DO_NOT_TRACK", "True")
        patch.delenv("BENTOFLEET_DATA_DIR", raising=False)
        patch.setattr(data, "CACHE", folder / "cache")
        patch.setattr(data, "_fetch", unreachable)
        yield {name: made(name) for name in MODELS}


def made(name: str) -> Path:
    """Builds one model; gives its folder in the store."""
    folder = store.find(name, build.build(name, small=True))
    assert folder
    return folder


def card(folder: Path) -> Any:
    """The card in a folder."""
    return json.loads((folder / "card.json").read_text())


@pytest.mark.parametrize("name", MODELS)
def test_a_second_build_trains_nothing(
    built: dict[str, Path],
    name: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("BENTOML_HOME", str(built[name].parents[2]))
    caplog.set_level(logging.INFO, logger="bentos")
    version = build.build(name, small=True)
    assert version == built[name].name
    assert caplog.messages[-1] == f"{name}: up to date ({name}:{version})"
    assert not [line for line in caplog.messages if ": R²" in line or "export" in line]


@pytest.mark.parametrize("name", MODELS)
def test_the_card_shows_every_bar_reached_and_parity_proved(
    built: dict[str, Path], name: str
) -> None:
    written = card(built[name])
    assert written["version"] == built[name].name
    assert [bar["measure"] for bar in written["bars"]] == [bar.measure for bar in MODELS[name].bars]
    assert all(bar["ok"] for bar in written["bars"])
    assert written["parity"]["largest"] < written["parity"]["tolerance"] <= 5e-3
    assert written["limits"]
    assert written["frameworks"]["onnxruntime"]
    assert written["export"]["file_bytes"] == (built[name] / "model.onnx").stat().st_size


def test_a_simulated_model_says_so_in_its_card(built: dict[str, Path]) -> None:
    written = card(built["energy"])
    assert written["data"]["simulated"] is True
    assert "say nothing about the real" in written["limits"][0]
    assert written["parameters"]["small"] is True
    assert {cell["split"] for cell in written["metrics"]["folds"]} == {
        f"fold {number}" for number in range(1, 6)
    }
    assert len(written["metrics"]["last_fifth"]) == 3
    assert card(built["wildlife"])["data"]["simulated"] is False


def test_energys_golden_answers_are_what_its_graph_answers(built: dict[str, Path]) -> None:
    golden = json.loads((built["energy"] / "golden.json").read_text())
    assert len(golden["items"]) == 12
    run = parity.runner(built["energy"] / "model.onnx")
    for item in golden["items"]:
        row = {**item["input"], "timestamp": datetime.fromisoformat(item["input"]["timestamp"])}
        (answer,) = energy_features.answer(run(energy_features.encode([row])))
        assert answer == pytest.approx(item["answer"], abs=golden["tolerance"])


def test_demands_golden_answers_are_what_its_graph_answers(built: dict[str, Path]) -> None:
    golden = json.loads((built["demand"] / "golden.json").read_text())
    assert len(golden["items"]) == 12
    assert {item["input"]["city"] for item in golden["items"]} == set(CITIES)
    run = parity.runner(built["demand"] / "model.onnx")
    for item in golden["items"]:
        row = {**item["input"], "week_start": datetime.fromisoformat(item["input"]["week_start"])}
        (answer,) = demand_features.answer(run(demand_features.encode([row])))
        assert answer == pytest.approx(item["answer"], abs=golden["tolerance"])


def test_demands_card_tells_of_every_shop_and_of_what_was_not_measured(
    built: dict[str, Path],
) -> None:
    written = card(built["demand"])
    assert written["data"]["simulated"] is True
    metrics = written["metrics"]
    assert metrics["wape"] < metrics["wape_mean_4_weeks"] < metrics["wape_naive"]
    assert len(metrics["last_test"]["stores"]) == 18
    assert {one["name"] for one in metrics["last_test"]["categories"]} == set(CATEGORIES)
    assert metrics["real_sales"] is None
    assert "Not measured on real sales: this is the small variant." in written["limits"]


def test_wildlifes_golden_answers_are_what_its_graph_answers(built: dict[str, Path]) -> None:
    golden = json.loads((built["wildlife"] / "golden.json").read_text())
    assert len(golden["items"]) == 8
    run = parity.runner(built["wildlife"] / "model.onnx")
    for item in golden["items"]:
        image = Image.open(built["wildlife"] / item["input"]).convert("RGB")
        (answer,) = wildlife_features.answer(run(wildlife_features.encode(image)[None]))
        for ours, kept in zip(answer["predictions"], item["answer"]["predictions"], strict=True):  # type: ignore[call-overload]
            assert ours["label"] == kept["label"]
            assert ours["probability"] == pytest.approx(kept["probability"], abs=1e-3)


def test_wildlifes_probabilities_leave_a_share_for_all_that_is_no_animal(
    built: dict[str, Path],
) -> None:
    run = parity.runner(built["wildlife"] / "model.onnx")
    grey = run(wildlife_features.encode(Image.new("RGB", (300, 300), (90, 90, 90)))[None])
    assert grey.shape == (1, 398)
    assert 0 < grey.sum() < 0.5
    assert (grey >= 0).all()


def test_wildlifes_graph_asks_for_the_standard_operators_only(built: dict[str, Path]) -> None:
    import onnx

    model = onnx.load(built["wildlife"] / "model.onnx")
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 17)]
    assert len(model.graph.node) < 120
    assert [node.op_type for node in model.graph.node].count("Conv") == 49


def test_the_specs_example_is_what_the_model_answers(built: dict[str, Path]) -> None:
    """Of wildlife, whose small variant is the full one."""
    (field,) = MODELS["wildlife"].answer
    run = parity.runner(built["wildlife"] / "model.onnx")
    image = Image.open(photographs.FOLDER / "bison.jpg").convert("RGB")
    (answer,) = wildlife_features.answer(run(wildlife_features.encode(image)[None]))
    for ours, told in zip(answer["predictions"], field.example, strict=True):  # type: ignore[call-overload]
        assert ours["label"] == told["label"]
        assert ours["probability"] == pytest.approx(told["probability"], abs=1e-3)
