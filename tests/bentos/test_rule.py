"""The publishing rule: what is compared with what, and what is refused."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bentos import rule
from bentos.card import Card
from bentos.spec import Primary

HIGHER = Primary(measure="score", baseline="last_week", slack=0.01)
LOWER = Primary(measure="error", baseline="last_week", lower_is_better=True, slack=0.5)


@pytest.fixture
def made(kitchen: Any, tmp_path: Path) -> Card:
    """A card of the toy."""
    card: Card = kitchen.cooked(tmp_path / "made")
    return card


def live(card: Card, primary: Primary, **changes: Any) -> dict[str, Any]:
    """A published card that was measured the same way, but for the changes."""
    return {
        "version": "aaa",
        "metrics": {primary.measure: 0.95},
        "parameters": card.parameters,
        "data": {"simulated": False},
        "compared": {"measure": primary.measure, "protocol": 1},
        **changes,
    }


def refused(card: Card, primary: Primary, metrics: dict[str, Any], *others: Any) -> list[str]:
    """What the rule says of a model with these metrics."""
    with_metrics = replace(card, metrics=metrics)
    return rule.refusals(rule.compare(with_metrics, primary, others, None))


@pytest.mark.parametrize(
    ("primary", "metrics", "words"),
    [
        pytest.param(HIGHER, {"score": 0.9, "last_week": 0.9}, None, id="as good"),
        pytest.param(
            HIGHER,
            {"score": 0.89, "last_week": 0.9},
            "toy: score is 0.89, worse than its baseline last_week with 0.9. The model is not "
            "published. Look at its data and parameters.",
            id="worse",
        ),
        pytest.param(LOWER, {"error": 3.0, "last_week": 4.0}, None, id="a smaller error"),
        pytest.param(
            LOWER,
            {"error": 4.1, "last_week": 4.0},
            "toy: error is 4.1, worse than its baseline last_week with 4. The model is not "
            "published. Look at its data and parameters.",
            id="a larger error",
        ),
        pytest.param(
            HIGHER,
            {"score": float("nan"), "last_week": 0.9},
            "toy: score is nan, worse than its baseline last_week with 0.9. The model is not "
            "published. Look at its data and parameters.",
            id="not a number",
        ),
        pytest.param(
            HIGHER,
            {"score": 0.9},
            "toy: score cannot be compared: the metrics lack it or its baseline. The model is not "
            "published. Correct the metrics of bentos/toy/recipe.py.",
            id="no baseline measured",
        ),
    ],
)
def test_a_model_worse_than_its_baseline_is_refused(
    made: Card, primary: Primary, metrics: dict[str, Any], words: str | None
) -> None:
    assert refused(made, primary, metrics) == ([] if words is None else [words])


@pytest.mark.parametrize(
    ("primary", "score", "is_refused"),
    [
        pytest.param(HIGHER, 0.941, False, id="within the slack"),
        pytest.param(HIGHER, 0.93, True, id="beyond the slack"),
        pytest.param(LOWER, 1.4, False, id="an error within the slack"),
        pytest.param(LOWER, 1.5, True, id="an error beyond the slack"),
    ],
)
def test_a_model_worse_than_the_live_one_is_refused(
    made: Card, primary: Primary, score: float, is_refused: bool
) -> None:
    metrics = {primary.measure: score, "last_week": 0.1 if primary is HIGHER else 9.0}
    found = refused(made, primary, metrics, live(made, primary))
    assert bool(found) is is_refused
    assert all("of the published toy:aaa" in line for line in found)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"compared": None}, id="published before the rule"),
        pytest.param({"compared": {"measure": "score", "protocol": 2}}, id="another protocol"),
        pytest.param({"compared": {"measure": "other", "protocol": 1}}, id="another measure"),
        pytest.param({"parameters": {"small": True}}, id="the small variant"),
        pytest.param({"data": {"simulated": True}}, id="simulated data"),
        pytest.param({"metrics": {}}, id="not measured"),
    ],
)
def test_scores_that_do_not_mean_the_same_are_not_compared(
    made: Card, changes: dict[str, Any]
) -> None:
    other = live(made, HIGHER, **changes)
    assert refused(made, HIGHER, {"score": 0.5, "last_week": 0.1}, other) == []


def test_the_first_comparable_version_is_the_one_compared_with(made: Card) -> None:
    others = [
        live(made, HIGHER, version="small", parameters={"small": True}),
        live(made, HIGHER, version="full"),
        live(made, HIGHER, version="older"),
    ]
    compared = rule.compare(made, HIGHER, others, None).compared
    assert compared is not None
    assert (compared.live_version, compared.live) == ("full", 0.95)


def test_an_acceptance_that_was_not_needed_is_not_kept(made: Card) -> None:
    compared = rule.compare(made, HIGHER, [live(made, HIGHER)], "why").compared
    assert compared is not None
    assert compared.accepted is None


def test_an_acceptance_does_not_help_against_the_baseline(made: Card) -> None:
    metrics = {"score": 0.5, "last_week": 0.9}
    card = rule.compare(replace(made, metrics=metrics), HIGHER, [live(made, HIGHER)], "why")
    assert ["baseline" in line for line in rule.refusals(card)] == [True]
