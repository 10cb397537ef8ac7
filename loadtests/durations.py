"""A histogram of durations and its percentiles. Runs nothing; standard library only.

A percentile is interpolated within its bucket, as if the durations there lay at even distances; the
first bucket begins at 0. So does `histogram_quantile` of Prometheus.
Source: https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile, read
2026-11. Beyond the last finite bound nothing is known: there we say infinity.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise

CONFIDENCE_SIGMAS = 2.576
"""Of the normal distribution, 99 % lie within."""


@dataclass(frozen=True)
class Durations:
    """How long requests took.

    Attributes:
        at_most: upper bound in seconds -> how many took no longer; the last bound is infinity.
    """

    at_most: Mapping[float, int]

    @property
    def count(self) -> int:
        """All of them."""
        return self.at_most.get(math.inf, 0)

    @property
    def is_whole(self) -> bool:
        """Whether these can be counts: none below zero, and none smaller than one before it."""
        counts = [self.at_most[bound] for bound in sorted(self.at_most)]
        return all(c >= 0 for c in counts) and all(a <= b for a, b in pairwise(counts))

    @property
    def last_bound_s(self) -> float:
        """The largest that is finite; NaN where there is none."""
        return max((b for b in self.at_most if math.isfinite(b)), default=math.nan)

    def by(self, bounds: Collection[float]) -> "Durations":
        """The same by fewer bounds: how many took no longer holds without the others too."""
        return Durations({b: count for b, count in self.at_most.items() if b in bounds})

    def since(self, before: "Durations") -> "Durations":
        """What came after `before`; not whole where a counter went backwards."""
        return _joined(self, before, -1)

    def beside(self, other: "Durations") -> "Durations":
        """Both together."""
        return _joined(self, other, 1)

    def percentile_s(self, share: float) -> float:
        """The duration that `share` of the requests do not exceed.

        Returns:
            NaN of nothing; infinity beyond the last finite bound.
        """
        if not self.count or not share >= 0:
            return math.nan
        rank = share * self.count
        lower, below = 0.0, 0
        for upper in sorted(self.at_most):
            here = self.at_most[upper]
            if here >= rank and here > below:
                return lower + (upper - lower) * (rank - below) / (here - below)
            lower, below = upper, here
        return math.inf

    def bounds_s(self, share: float) -> tuple[float, float]:
        """Between which that duration truly lies, with 99 % confidence.

        By ranks, whatever the distribution: the number of requests below a percentile is binomial.
        Source: W. J. Conover, Practical Nonparametric Statistics, 3rd ed. 1999, section 3.2.

        Returns:
            The upper one is infinity where there are too few requests for one.
        """
        if not self.count:
            return math.nan, math.nan
        away = CONFIDENCE_SIGMAS * math.sqrt(share * (1 - share) / self.count)
        return self.percentile_s(max(0.0, share - away)), self.percentile_s(share + away)


NONE = Durations({})


def together(several: Iterable[Durations]) -> Durations:
    """All of them in one."""
    return reduce(Durations.beside, several, NONE)


def _joined(one: Durations, other: Durations, sign: int) -> Durations:
    """By the bounds that both have; nothing has all bounds."""
    if not other.at_most:
        return one
    if not one.at_most:
        return Durations({bound: sign * count for bound, count in other.at_most.items()})
    common = one.at_most.keys() & other.at_most.keys()
    return Durations({b: one.at_most[b] + sign * other.at_most[b] for b in sorted(common)})
