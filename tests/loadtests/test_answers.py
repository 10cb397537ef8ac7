"""What counts as a good answer."""

import json
from typing import Any

import pytest

from bentos.catalog import MODELS
from bentos.spec import ModelSpec
from loadtests.answers import TEXT_CHARS, fault
from loadtests.samples import Fault

SPECS = pytest.mark.parametrize("spec", MODELS.values(), ids=MODELS)
ENERGY = MODELS["energy"]


def good(spec: ModelSpec) -> dict[str, Any]:
    own = {field.name: field.example for field in spec.answer}
    return own | {"model": spec.name, "version": "v1", "release": "r1", "processing_time_ms": 0}


@SPECS
def test_an_answer_with_every_field_is_good(spec: ModelSpec) -> None:
    body = json.dumps(good(spec)).encode()
    assert fault(spec, None, 200, body) is None
    assert fault(spec, "r1", 200, body) is None


@SPECS
def test_an_answer_that_lacks_a_field_is_none(spec: ModelSpec) -> None:
    for name in good(spec):
        answer = good(spec)
        del answer[name]
        assert fault(spec, None, 200, json.dumps(answer).encode()) == Fault(
            200, f"the answer lacks `{name}`"
        )


BAD = {
    "no JSON": (200, b"<html>", "the answer is not JSON"),
    "not a number": (200, b'{"zone_1_kw": NaN}', "the answer is not JSON"),
    "a list": (200, b"[]", "the answer is not a JSON object"),
    "empty": (204, b"", "the answer is not JSON"),
    "redirected": (307, b"", ""),
    "a problem": (503, b'{"title": "Busy", "detail": "queue is full"}', "Busy: queue is full"),
    "a problem without words": (500, b"{}", "no reason given"),
    "an error page": (502, b"<h1>Bad\n Gateway</h1>\x00", "<h1>Bad Gateway</h1>"),
    "an error of a list": (500, b'["x"]', "['x']"),
    "bytes that are no text": (500, b"\xff\xfe", "\N{REPLACEMENT CHARACTER}" * 2),
}


@pytest.mark.parametrize(("status", "body", "text"), BAD.values(), ids=BAD)
def test_what_is_no_answer_is_told_in_a_few_words(status: int, body: bytes, text: str) -> None:
    assert fault(ENERGY, None, status, body) == Fault(status, text)


def test_an_answer_of_another_release_or_model_is_none() -> None:
    body = json.dumps(good(ENERGY)).encode()
    assert fault(ENERGY, "r2", 200, body) == Fault(200, "answered by release r1, not r2")
    other = json.dumps(good(ENERGY) | {"model": "demand"}).encode()
    assert fault(ENERGY, None, 200, other) == Fault(200, "answered by model demand")


def test_a_long_error_is_cut() -> None:
    told = fault(ENERGY, None, 500, json.dumps({"detail": "x" * 10_000}).encode())
    assert told is not None
    assert len(told.text) == TEXT_CHARS
