"""What is chosen about the demand model's boosters and their proof. Imports no framework."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Windows:
    """How time is cut: training, then weeks to calibrate the interval on, then weeks to test on.

    Attributes:
        folds: tests, each before the next; the last one ends with the data.
    """

    test_weeks: int
    calibration_weeks: int
    folds: int


@dataclass(frozen=True, kw_only=True)
class Parameters:
    """Parameters of every booster.

    Attributes:
        bins: of each feature's histogram.
        series_step: every so many series are kept.
        small: the variant for tests.
    """

    rounds: int = 40
    depth: int = 3
    learning_rate: float = 0.25
    subsample: float = 0.7
    colsample: float = 0.8
    min_child_weight: float = 20.0
    bins: int = 64
    series_step: int = 1
    seed: int = 7
    small: bool = False


OBJECTIVE = "reg:absoluteerror"
OTHER_OBJECTIVES = ("reg:squarederror", "reg:tweedie", "count:poisson")
"""Compared on the last test, for the card: on the real sales, whose large orders are rare, all
others are worse than the mean of four weeks."""

SIMULATED = Windows(test_weeks=13, calibration_weeks=13, folds=4)
RETAIL = Windows(test_weeks=8, calibration_weeks=8, folds=3)

FULL = Parameters()
SMALL = Parameters(learning_rate=0.2, series_step=3, small=True)
