"""The small variant from end to end: what is published, and what its card tells."""

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bentos import parity
from bentos.octagon import features, labelled
from bentos.octagon.recipe import recipe
from bentos.recipe import Outcome

pytestmark = pytest.mark.train


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Outcome]]:
    """The small model's folder and outcome."""
    folder = tmp_path_factory.mktemp("octagon")
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv(labelled.VARIABLE, raising=False)
        yield folder, recipe(small=True).make(folder)


def test_the_golden_answers_are_the_graphs(made: tuple[Path, Outcome]) -> None:
    folder, _ = made
    golden = json.loads((folder / "golden.json").read_text())
    run = parity.runner(folder / "model.onnx")
    assert len(golden["items"]) == 8
    for item in golden["items"]:
        x = features.encode(Image.open(folder / item["input"]).convert("RGB"))
        (answer,) = features.answer(run(x[None]))
        kept = item["answer"]
        assert answer["has_octagon"] == kept["has_octagon"]
        assert answer["probability"] == pytest.approx(kept["probability"], abs=golden["tolerance"])
        np.testing.assert_allclose(
            answer["heat_map"]["rows"],  # type: ignore[index]
            kept["heat_map"]["rows"],
            atol=golden["tolerance"],
        )


def test_even_the_small_model_looks_at_the_signs(made: tuple[Path, Outcome]) -> None:
    _, outcome = made
    assert outcome.metrics["heat_map_hits"] > 0.5


def test_the_pruning_is_told_before_and_after(made: tuple[Path, Outcome]) -> None:
    _, outcome = made
    pruning = outcome.metrics["pruning"]
    assert pruning["before"]["zeros"] == 0
    assert pruning["tuned"]["zeros"] == pytest.approx(0.3, abs=1e-3)
    assert pruning["tuned"]["weights_packed_bytes"] < pruning["before"]["weights_packed_bytes"]
    for step in ("before", "pruned", "tuned"):
        assert 0 <= pruning[step]["recall"] <= 1


def test_the_published_threshold_is_a_half(made: tuple[Path, Outcome]) -> None:
    _, outcome = made
    tuned = outcome.metrics["pruning"]["tuned"]
    assert outcome.metrics["accuracy"] == pytest.approx(tuned["accuracy"], abs=0.05)


def test_the_card_says_that_the_score_is_of_rendered_scenes(made: tuple[Path, Outcome]) -> None:
    _, outcome = made
    assert recipe(small=True).data.simulated
    assert "rendered scenes" in outcome.limits[0]
    assert outcome.export["y"] == ["n", 257]
