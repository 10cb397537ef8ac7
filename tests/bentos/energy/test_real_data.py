"""The real file, where BENTOFLEET_DATA_DIR has it: the bars, and the simulator against it."""

import json
import os
from pathlib import Path

import numpy as np
import pytest

from bentos import build, store
from bentos.energy import data
from bentos.energy.data import Table
from bentos.energy.spec import SPEC

pytestmark = pytest.mark.skipif(
    not os.environ.get(data.FOLDER_VARIABLE), reason=f"{data.FOLDER_VARIABLE} is not set"
)


@pytest.fixture(scope="module")
def real() -> Table:
    """The real year."""
    return data.parse(data.find()[0])


def test_the_real_file_is_a_whole_year_without_gaps(real: Table) -> None:
    steps = {
        (later - time).total_seconds()
        for time, later in zip(real.times, real.times[1:], strict=False)
    }
    assert (len(real.times), steps) == (data.ROWS, {600.0})
    assert np.isfinite(real.power_kw).all()


def test_every_row_is_one_that_the_service_takes(real: Table) -> None:
    for column in SPEC.takes.columns[1:]:  # type: ignore[union-attr]
        values = np.array([item[column.name] for item in real.items], dtype=float)
        assert column.minimum <= values.min() <= values.max() <= column.maximum  # type: ignore[union-attr]


def test_the_sun_stands_highest_where_the_datas_clock_says(real: Table) -> None:
    """Noon over Tetouan, 5.4° west, is at 12:21 UTC: 13:21 on the clock that features assume."""
    sun = np.array([item["general_diffuse_flows_w_m2"] for item in real.items], dtype=float)
    hours = np.array([time.hour + time.minute / 60 for time in real.times])
    assert (sun * hours).sum() / sun.sum() == pytest.approx(13.35, abs=0.25)


def test_the_simulator_is_near_the_real_year(real: Table, simulated: Table) -> None:
    hours = np.array([time.hour for time in real.times])
    months = np.array([time.month for time in real.times])
    for group in [hours == hour for hour in range(24)] + [
        months == month for month in range(1, 13)
    ]:
        there, here = real.power_kw[group].mean(axis=0), simulated.power_kw[group].mean(axis=0)
        assert np.abs(here / there - 1).max() < 0.15


@pytest.mark.train
def test_the_small_variant_reaches_the_bars_and_admits_the_last_fifth(home: Path) -> None:
    version = build.build("energy", small=True)
    folder = store.find("energy", version)
    assert folder == home / "models" / "energy" / version
    card = json.loads((folder / "card.json").read_text())
    assert card["data"]["simulated"] is False
    assert card["data"]["sha256"] == data.SHA256
    assert card["metrics"]["wins_over_last_week"] == len(card["metrics"]["folds"]) == 15
    assert [cell["win"] for cell in card["metrics"]["last_fifth"]] == [False] * 3
    assert "loses to 'same time last week'" in card["limits"][0]
