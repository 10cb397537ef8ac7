"""bentofile.yaml packs the models of the catalog, and no code that trains them."""

from pathlib import Path

import yaml

from bentos.catalog import MODELS

ROOT = Path(__file__).resolve().parents[1]
BENTOFILE = yaml.safe_load((ROOT / "bentofile.yaml").read_text())


def test_every_model_of_the_catalog_is_packed() -> None:
    assert sorted(tag.partition(":")[0] for tag in BENTOFILE["models"]) == sorted(MODELS)


def test_the_image_serves_every_model_of_the_catalog() -> None:
    assert BENTOFILE["docker"]["env"]["BENTOFLEET_MODELS"] == ",".join(sorted(MODELS))
