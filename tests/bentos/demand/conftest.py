"""What the tests of the demand model share: the simulated shops, and a few of their series."""

from datetime import datetime
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bentos.demand import features, generator, panel
from bentos.demand.panel import Panel, Rows
from bentos.demand.spec import SPEC
from service import contract


@pytest.fixture(scope="session")
def shops() -> Panel:
    """All of them."""
    return generator.simulate()


@pytest.fixture(scope="session")
def few(shops: Panel) -> Panel:
    """Every ninth series: of all cities, sizes and categories."""
    return shops.every(9)


@pytest.fixture(scope="session")
def learnt(few: Panel) -> Rows:
    """Their rows."""
    return panel.rows(few)


@pytest.fixture(scope="session")
def x(learnt: Rows) -> NDArray[np.float32]:
    """Their rows as numbers."""
    return features.encode(learnt.items)


@pytest.fixture
def item() -> dict[str, Any]:
    """The spec's example, as the service gives it to `encode`."""
    row = contract.example_row(SPEC.takes.columns)  # type: ignore[union-attr]
    return {**row, "week_start": datetime.fromisoformat(str(row["week_start"]))}
