"""What the load test sends: varied, within the specs, the same for the same seed."""

import io
import json
from datetime import datetime

import pytest
from PIL import Image

from bentos.catalog import MODELS
from bentos.spec import Choice, ModelSpec, Number, Photo, Table, Timestamp
from loadtests import payloads
from service import contract

SPECS = pytest.mark.parametrize("spec", MODELS.values(), ids=MODELS)
TABLES = [spec for spec in MODELS.values() if isinstance(spec.takes, Table)]
PHOTOS = [spec for spec in MODELS.values() if isinstance(spec.takes, Photo)]


def _photos(spec: ModelSpec) -> int:
    """How many photos there are to send; tables have no end of rows."""
    if isinstance(spec.takes, Table):
        return payloads.VARIANTS
    return len(list(spec.takes.examples.glob("*.jpg")))


@SPECS
def test_the_same_seed_draws_the_same_requests_and_another_draws_others(spec: ModelSpec) -> None:
    assert payloads.draw(spec, 7) == payloads.draw(spec, 7)
    assert payloads.draw(spec, 7) != payloads.draw(spec, 8)


@SPECS
def test_requests_vary_and_go_where_the_contract_says(spec: ModelSpec) -> None:
    drawn = payloads.draw(spec, 1)
    assert len(drawn) == payloads.VARIANTS
    assert len({request.body for request in drawn}) > min(10, _photos(spec) - 1)
    assert {request.path for request in drawn} == {contract.predict_path(spec.name)}
    assert all(len(request.body) <= contract.body_limit_bytes(spec) for request in drawn)


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_rows_have_the_specs_columns_within_their_ranges(spec: ModelSpec) -> None:
    assert isinstance(spec.takes, Table)
    for request in payloads.draw(spec, 1):
        assert request.content_type == contract.JSON_TYPE
        row = json.loads(request.body)
        assert list(row) == [column.name for column in spec.takes.columns]
        for column in spec.takes.columns:
            match column:
                case Number():
                    assert column.minimum <= row[column.name] <= column.maximum
                case Choice():
                    assert row[column.name] in column.values
                case Timestamp():
                    year = datetime.fromisoformat(row[column.name]).year
                    assert contract.FIRST_YEAR <= year <= contract.LAST_YEAR


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_every_choice_is_drawn(spec: ModelSpec) -> None:
    assert isinstance(spec.takes, Table)
    rows = [json.loads(request.body) for request in payloads.draw(spec, 1)]
    for column in spec.takes.columns:
        if isinstance(column, Choice):
            assert {row[column.name] for row in rows} == set(column.values)


@pytest.mark.parametrize("spec", TABLES, ids=lambda spec: spec.name)
def test_numbers_vary_near_the_specs_example(spec: ModelSpec) -> None:
    assert isinstance(spec.takes, Table)
    rows = [json.loads(request.body) for request in payloads.draw(spec, 1)]
    for column in spec.takes.columns:
        if isinstance(column, Number) and column.example:
            furthest = max(abs(row[column.name] - column.example) for row in rows)
            assert 0 < furthest <= abs(column.example) / 2 + 1e-3


@pytest.mark.parametrize("spec", PHOTOS, ids=lambda spec: spec.name)
def test_photos_are_the_specs_examples_within_their_limits(spec: ModelSpec) -> None:
    assert isinstance(spec.takes, Photo)
    drawn = payloads.draw(spec, 1)
    for request in set(drawn):
        with Image.open(io.BytesIO(request.body)) as photo:
            assert request.content_type == f"image/{(photo.format or '').lower()}"
            assert photo.width * photo.height <= spec.takes.max_pixels
        assert len(request.body) <= spec.takes.max_bytes


@pytest.mark.parametrize("spec", PHOTOS, ids=lambda spec: spec.name)
def test_a_photo_that_is_drawn_twice_is_kept_once(spec: ModelSpec) -> None:
    drawn = payloads.draw(spec, 1)
    assert len({id(request.body) for request in drawn}) == len({request.body for request in drawn})


@SPECS
def test_requests_come_again_in_the_same_order(spec: ModelSpec) -> None:
    endless = payloads.endless(spec, 1)
    rounds = [next(endless) for _ in range(2 * payloads.VARIANTS)]
    assert rounds[: payloads.VARIANTS] == rounds[payloads.VARIANTS :]
