"""The simulator: the same year each time, in the real file's form, near the real averages."""

import numpy as np
import pytest

from bentos.energy import data, simulator
from bentos.energy.data import Table


def test_it_makes_the_same_bytes_each_time(simulated_csv: bytes) -> None:
    assert simulator.make_csv(data.HEADER) == simulated_csv


def test_only_the_hash_tells_it_from_the_real_file(simulated_csv: bytes) -> None:
    assert str(data._fault(simulated_csv)).startswith("was altered: its sha256")


@pytest.mark.parametrize(
    ("column", "mean", "spread"),
    [
        pytest.param("temperature_c", 18.8, 5.8, id="temperature"),
        pytest.param("humidity_percent", 68.3, 15.6, id="humidity"),
        pytest.param("wind_speed_m_s", 1.96, 2.35, id="wind"),
        pytest.param("general_diffuse_flows_w_m2", 183, 264, id="general flows"),
    ],
)
def test_the_weather_is_near_the_real_averages(
    simulated: Table, column: str, mean: float, spread: float
) -> None:
    values = np.array([item[column] for item in simulated.items], dtype=float)
    assert values.mean() == pytest.approx(mean, rel=0.06)
    assert values.std() == pytest.approx(spread, rel=0.15)


@pytest.mark.parametrize(
    ("zone", "mean", "spread"),
    [
        pytest.param(0, 32345, 7131, id="zone 1"),
        pytest.param(1, 21043, 5201, id="zone 2"),
        pytest.param(2, 17835, 6622, id="zone 3"),
    ],
)
def test_the_power_is_near_the_real_averages(
    simulated: Table, zone: int, mean: float, spread: float
) -> None:
    power = simulated.power_kw[:, zone]
    assert power.min() > 0
    assert power.mean() == pytest.approx(mean, rel=0.02)
    assert power.std() == pytest.approx(spread, rel=0.10)


@pytest.mark.parametrize(("hour", "mean"), [(6, 23204), (13, 35112), (20, 43823)])
def test_zone_1_has_the_real_shape_of_a_day(simulated: Table, hour: int, mean: float) -> None:
    hours = np.array([time.hour for time in simulated.times])
    assert simulated.power_kw[hours == hour, 0].mean() == pytest.approx(mean, rel=0.03)
