"""How long each phase of a load test lasts. Names and numbers only; starts nothing."""

import math
from dataclasses import dataclass

from loadtests.slo import RATE_OVER_MIN_RPS, Slo, needed_answers, needed_requests

MAX_PHASE_S = 3600
SPARE = 1.05
"""Requests over the least number that a verdict needs, for those that end as an error."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """A load test's phases, one after another.

    Attributes:
        warmup_s: at the full arrival rate, not counted.
        steady_s: least length of the phase that is judged.
        saturation_s: each user asks again as soon as it has its answer; reported, never judged.
        saturation_users: how many do so at a time.
        timeout_s: a request without an answer by then has failed.
    """

    warmup_s: float
    steady_s: float
    saturation_s: float
    saturation_users: int
    timeout_s: float


PROFILES = {
    "release": Profile(
        warmup_s=10, steady_s=60, saturation_s=15, saturation_users=16, timeout_s=10
    ),
    "short": Profile(warmup_s=3, steady_s=10, saturation_s=5, saturation_users=16, timeout_s=10),
}


def arrival_rate_rps(slo: Slo) -> float:
    """Requests per second that the gate sends."""
    return RATE_OVER_MIN_RPS * slo.min_rps


def steady_s(profile: Profile, slo: Slo, rate_rps: float, models: int) -> int:
    """Seconds of the steady phase: the profile's, or as many as a verdict needs samples for."""
    requests = SPARE * max(needed_requests(slo), models * needed_answers())
    return math.ceil(min(MAX_PHASE_S, max(profile.steady_s, requests / rate_rps)))
