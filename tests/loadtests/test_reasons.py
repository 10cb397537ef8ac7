"""Reasons that are found again in a sentence, and told in another language."""

import json
from pathlib import Path
from string import Formatter

import pytest

from loadtests import reasons
from loadtests.reasons import ENGLISH, finding

ES = json.loads(
    (Path(__file__).parents[2] / "loadtests/report/texts/es.json").read_text(encoding="utf-8")
)["reasons"]


def names(template: str) -> list[str]:
    return [name for _, name, _, _ in Formatter().parse(template) if name is not None]


@pytest.mark.parametrize("kind", ENGLISH)
def test_every_reason_is_found_in_its_own_sentence(kind: str) -> None:
    told = finding(kind, **{name: f"x{i}" for i, name in enumerate(names(ENGLISH[kind]))})
    assert reasons.find(told.text()) == told


def test_a_reason_is_told_in_another_language_with_its_numbers() -> None:
    told = finding("canary_p95_model", model="energy", got=412.5, limit=300, live=200)
    spanish = reasons.translated(told.text(), ES, lambda v: f"<{v:g}>")
    assert spanish == (
        "prueba con usuarios: modelo energy: el percentil 95 de la versión candidata es de <412.5> "
        "ms, por encima del límite de <300> ms; el de la versión en servicio es de <200> ms."
    )


@pytest.mark.parametrize(
    "sentence", ["one: the edge is gone.", "", "the Pulumi engine is gone", "canary: what?"]
)
def test_what_is_no_reason_of_ours_stays_as_it_is(sentence: str) -> None:
    assert reasons.find(sentence) is None
    assert reasons.translated(sentence, ES) == sentence


def test_a_release_of_digits_alone_is_no_number() -> None:
    told = finding(
        "canary_other_release",
        host="one",
        replica=1,
        side="live",
        got="123456789012",
        wanted="0ld",
    )
    assert "123456789012" in reasons.translated(told.text(), ES, lambda v: f"{v:,}")
