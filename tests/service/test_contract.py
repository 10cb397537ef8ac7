"""The contract, as load tests and infra use it."""

import json
import random
import subprocess
import sys
from dataclasses import replace

import pytest

from bentos.spec import Choice, Number, Timestamp
from service import contract


def rng(seed):
    return random.Random(seed)  # noqa: S311  examples, not secrets


@pytest.fixture
def photo_spec(catalog, tmp_path, picture):
    """The photo model with two example photos of its own."""
    for name, kind in (("a.jpg", "JPEG"), ("b.png", "PNG")):
        (tmp_path / name).write_bytes(picture(kind))
    (tmp_path / "CREDITS.md").write_text("none")
    spec = catalog["shade"]
    return replace(spec, takes=replace(spec.takes, examples=tmp_path))


def test_it_imports_the_standard_library_and_specs_alone():
    code = (
        "import sys; before = set(sys.modules); import service.contract\n"
        "print(sorted({m.partition('.')[0] for m in set(sys.modules) - before}"
        " - set(sys.stdlib_module_names)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "['bentos', 'service']"


def test_paths_name_the_model():
    assert contract.predict_path("energy") == "/v1/energy/predict"
    assert contract.predict_batch_path("energy") == "/v1/energy/predict/batch"
    assert contract.model_scope("energy") == "predict:energy"


def test_limits_follow_the_spec(catalog):
    assert contract.body_limit_bytes(catalog["adder"]) == 16384
    assert contract.body_limit_bytes(catalog["adder"], batch=True) == 50 * 1024
    assert contract.body_limit_bytes(catalog["shade"]) == 201_024
    assert contract.body_limit_bytes(catalog["shade"], batch=True) == 4 * 201_024


def test_a_batch_of_large_photos_is_bounded_as_a_whole(catalog):
    spec = catalog["shade"]
    large = replace(spec, takes=replace(spec.takes, max_bytes=20_000_000))
    assert contract.body_limit_bytes(large, batch=True) == contract.PHOTO_BATCH_BYTES


def test_the_example_row_is_the_specs(catalog):
    request = contract.example_request(catalog["adder"])
    assert (request.path, request.content_type) == ("/v1/adder/predict", "application/json")
    assert json.loads(request.body) == {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}


def test_examples_vary_with_a_seed_and_stay_in_range(catalog):
    columns = catalog["adder"].takes.columns
    rows = [contract.example_row(columns, rng(seed)) for seed in range(200)]
    assert rows[3] == contract.example_row(columns, rng(3))
    assert len({json.dumps(row) for row in rows}) > 190
    for column in columns:
        if isinstance(column, Number):
            assert all(column.minimum <= row[column.name] <= column.maximum for row in rows)
        else:
            assert isinstance(column, Timestamp)


def test_a_choice_is_one_of_its_values():
    column = Choice(name="size", values=("small", "large"), description="A size.", example="large")
    assert contract.example_row((column,)) == {"size": "large"}
    drawn = {contract.example_row((column,), rng(seed))["size"] for seed in range(20)}
    assert drawn == {"small", "large"}


def test_a_number_varies_near_its_example():
    column = Number(
        name="price", unit="USD", minimum=0, maximum=1e6, description="A price.", example=8.0
    )
    drawn = [contract.example_row((column,), rng(seed))["price"] for seed in range(200)]
    assert 4 <= min(drawn) < 5
    assert 11 < max(drawn) <= 12


def test_a_batch_of_rows_has_so_many(catalog):
    request = contract.example_request(catalog["adder"], batch_items=7, rng=rng(1))
    assert request.path == "/v1/adder/predict/batch"
    assert len(json.loads(request.body)["items"]) == 7


def test_a_photo_is_sent_raw_with_its_type(photo_spec, tmp_path):
    request = contract.example_request(photo_spec)
    assert request.content_type == "image/jpeg"
    assert request.body == (tmp_path / "a.jpg").read_bytes()
    types = {contract.example_request(photo_spec, rng=rng(seed)).content_type for seed in range(20)}
    assert types == {"image/jpeg", "image/png"}


def test_a_batch_of_photos_is_multipart(photo_spec):
    request = contract.example_request(photo_spec, batch_items=3)
    assert request.content_type.startswith("multipart/form-data; boundary=")
    assert request.body.count(b'name="file"') == 3


def test_a_folder_without_photos_is_named(catalog, tmp_path):
    spec = catalog["shade"]
    empty = replace(spec, takes=replace(spec.takes, examples=tmp_path))
    with pytest.raises(ValueError, match=f"shade: no example photos in {tmp_path}"):
        contract.example_request(empty)
    with pytest.raises(ValueError, match="adder: takes rows"):
        contract.example_photos(catalog["adder"])
