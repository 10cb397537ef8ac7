"""What is chosen about the energy model's boosters. Imports no framework."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of every booster.

    Attributes:
        row_step: every so many rows are trained on; all are measured on.
        small: the variant for tests.
    """

    rounds: int = 400
    depth: int = 6
    learning_rate: float = 0.05
    subsample: float = 0.7
    colsample: float = 0.8
    min_child_weight: float = 20.0
    row_step: int = 1
    seed: int = 7
    small: bool = False


FULL = Parameters()
SMALL = Parameters(rounds=100, learning_rate=0.15, row_step=3, small=True)
