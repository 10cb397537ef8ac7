"""The walk's sentences, in both languages."""

import string

import pytest

from infra.provider import words


@pytest.mark.parametrize("kind", sorted(words._WORDS))
def test_every_sentence_stands_in_both_languages_with_the_same_values(kind: str) -> None:
    fields = {
        language: {name for _, name, _, _ in string.Formatter().parse(text) if name}
        for language, text in words._WORDS[kind].items()
    }

    assert set(fields) == {"en", "es"}
    assert fields["en"] == fields["es"]


def test_a_sentence_takes_its_values() -> None:
    told = words.text("gate", "es", requests=630, rps=30.0, p95=27.06, errors=0.0)

    assert told == "630 peticiones a 30.0/s, p95 27.1 ms, errores 0.00%."
