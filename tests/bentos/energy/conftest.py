"""What the tests of the energy model share."""

import numpy as np
import pytest

from bentos.energy import data, evaluate, features, simulator
from bentos.energy.data import Table


@pytest.fixture(scope="session")
def simulated_csv() -> bytes:
    """The simulator's year."""
    return simulator.make_csv(data.HEADER)


@pytest.fixture(scope="session")
def simulated(simulated_csv: bytes) -> Table:
    """The simulator's year, parsed."""
    return data.parse(simulated_csv)


@pytest.fixture
def problem(simulated: Table) -> object:
    """Every tenth row of it, as numbers; imports xgboost."""
    from bentos.energy.train import Problem

    rows = np.arange(0, len(simulated.times), 10)
    before = evaluate.last_week(simulated.times, simulated.power_kw)
    return Problem(
        x=features.encode(simulated.items)[rows],
        power_kw=simulated.power_kw[rows],
        last_week=before[rows],
    )
