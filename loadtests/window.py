"""What two releases did over the same time, and what they are held against. Judges nothing.

Standard library only.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from loadtests.durations import Durations, together
from loadtests.reasons import Finding
from loadtests.slo import Slo, needed_answers

LIVE, CANDIDATE = "live", "candidate"
"""The two sides, as reasons name them."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What makes a candidate worse than live.

    Attributes:
        error_ratio_above_live: most that its share of errors may lie above live's.
        p95_ratio: most that its 95th percentile may be, as a multiple of live's.
        answer_shift: share of the compared requests that it may answer otherwise while the
            model's version is the same.
    """

    error_ratio_above_live: float = 0.005
    p95_ratio: float = 1.5
    answer_shift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Needs:
    """What a verdict needs, beside the limits.

    Attributes:
        samples: that each side must have; never fewer than a percentile needs.
        slo: what the service promises at all.
    """

    samples: int
    slo: Slo

    @property
    def least(self) -> int:
        """Samples of each side at least."""
        return max(self.samples, needed_answers())


@dataclass(frozen=True, kw_only=True)
class Side:
    """What one release did in the window.

    Attributes:
        attempts: requests that the entries sent to it, each retry too.
        errors: of those, the ones without an answer below 500.
        durations: of predictions, by model, as its replicas tell them.
        refused: predictions that it answered with 4xx; 429 and what the client broke off are none.
        gate: predictions for gate traffic.
    """

    attempts: int = 0
    errors: int = 0
    durations: Mapping[str, Durations] = field(default_factory=dict)
    refused: int = 0
    gate: int = 0

    @property
    def predictions(self) -> int:
        """What its replicas answered on the predict routes: pages and health checks are none."""
        return sum(durations.count for durations in self.durations.values())

    @property
    def samples(self) -> int:
        """Predictions that both the entries and the replicas have counted."""
        return min(self.attempts, self.predictions)

    @property
    def error_ratio(self) -> float:
        """Share of attempts that failed; NaN without any."""
        return self.errors / self.attempts if self.attempts else math.nan

    @property
    def all_durations(self) -> Durations:
        """Of all models."""
        return together(self.durations.values())

    @property
    def p95_ms(self) -> float | None:
        """Over all models; None where it is not known."""
        p95_s = self.all_durations.percentile_s(0.95)
        return p95_s * 1000 if math.isfinite(p95_s) else None


@dataclass(frozen=True, kw_only=True)
class Shift:
    """How a model of the candidate answered what live answered too.

    Attributes:
        compared: requests that both answered.
        differ: of those, the ones that the candidate answered otherwise, or not well.
        unanswered: requests to which one of them gave no answer at all.
        is_same_version: whether both have one version of the model; else nothing is judged.
    """

    model: str
    compared: int
    differ: int
    unanswered: int
    is_same_version: bool


@dataclass(frozen=True, kw_only=True)
class Bound:
    """What a figure is held against: `limit`, which it must not be above, or below."""

    is_upper: bool
    limit: float

    def holds(self, value: float) -> bool:
        """Whether the value is good."""
        return value <= self.limit if self.is_upper else value >= self.limit


@dataclass(frozen=True, kw_only=True)
class Reading:
    """What a query gave.

    Attributes:
        value: of the candidate, or of all; None: there is none, and `fault` says why.
        bounds: those of live's value are worked out already.
        misses: how often it missed one, one time after another, this one included.
    """

    name: str
    value: float | None = None
    bounds: tuple[Bound, ...] = ()
    misses: int = 0
    fault: Finding | None = None


@dataclass(frozen=True, kw_only=True)
class Window:
    """Both sides over the same time, and what is wrong with the figures.

    Attributes:
        share: of the users' requests that the candidate is to get.
        offered: requests of that share, each counted once.
        fallen: of those, what the candidate did not take and live answered.
        faults: why figures are missing or cannot be trusted.
        candidate_down: an entry that sees no replica of the candidate; empty: none.
    """

    duration_s: float
    share: float
    offered: int
    live: Side
    candidate: Side
    fallen: int = 0
    faults: tuple[Finding, ...] = ()
    candidate_down: str = ""
    shifts: tuple[Shift, ...] = ()
    readings: tuple[Reading, ...] = ()

    @property
    def total(self) -> int:
        """Requests to either side; those that fell to live are counted once."""
        return self.offered + self.live.attempts - self.fallen

    @property
    def achieved_share(self) -> float | None:
        """Of all requests, what the candidate really got; None without any."""
        return self.offered / self.total if self.total else None

    @property
    def gate_share(self) -> float | None:
        """Of all predictions, those for gate traffic; None without any."""
        total = self.live.predictions + self.candidate.predictions
        return (self.live.gate + self.candidate.gate) / total if total else None
