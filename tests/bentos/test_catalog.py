"""The catalog and the specs: what everything else relies on."""

import importlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bentos.catalog import MODELS
from bentos.spec import Choice, ModelSpec, Number, Photo, Table

SPECS = [pytest.param(spec, id=spec.name) for spec in MODELS.values()]

BLOCKED = ("numpy", "PIL", "onnxruntime", "bentoml", "torch", "xgboost", "yaml")


def test_the_catalog_needs_the_standard_library_only() -> None:
    code = f"import sys; sys.modules.update(dict.fromkeys({BLOCKED!r})); import bentos.catalog"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", MODELS)
def test_features_need_neither_torch_nor_xgboost_nor_onnx(name: str) -> None:
    blocked = ("onnx", "onnxruntime", "bentoml", "torch", "xgboost")
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked!r})); import bentos.{name}.features"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", MODELS)
def test_a_recipe_is_loaded_without_the_frameworks(name: str) -> None:
    code = (
        f"import sys, bentos.{name}.recipe; "
        "sys.exit(any(heavy in sys.modules for heavy in ('torch', 'xgboost', 'bentoml')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("spec", SPECS)
def test_the_key_is_the_models_name_and_a_valid_one(spec: ModelSpec) -> None:
    assert MODELS[spec.name] is spec
    assert re.fullmatch(r"[a-z][a-z0-9_]*", spec.name)


@pytest.mark.parametrize("spec", SPECS)
def test_a_model_has_the_code_that_service_and_build_look_for(spec: ModelSpec) -> None:
    features = importlib.import_module(f"bentos.{spec.name}.features")
    recipe = importlib.import_module(f"bentos.{spec.name}.recipe")
    assert callable(features.encode)
    assert callable(features.answer)
    assert callable(recipe.recipe)


@pytest.mark.parametrize("spec", SPECS)
def test_every_example_is_within_its_own_bounds(spec: ModelSpec) -> None:
    match spec.takes:
        case Table(columns=columns):
            for column in columns:
                if isinstance(column, Number):
                    assert column.minimum <= column.example <= column.maximum
                if isinstance(column, Choice):
                    assert column.example in column.values
                    assert len(set(column.values)) == len(column.values) > 1
        case Photo(examples=folder, max_bytes=most):
            photos = sorted(folder.glob("*.jpg"))
            assert photos
            assert all(photo.stat().st_size <= most for photo in photos)


@pytest.mark.parametrize("spec", SPECS)
def test_the_answers_examples_are_json(spec: ModelSpec) -> None:
    assert json.loads(json.dumps({field.name: field.example for field in spec.answer}))


def test_no_committed_file_of_the_models_is_larger_than_a_mebibyte() -> None:
    folder = Path(__file__).parents[2] / "bentos"
    sizes = {path.name: path.stat().st_size for path in folder.rglob("*") if path.is_file()}
    assert {name: size for name, size in sizes.items() if size > 1 << 20} == {}
