"""How much gate traffic fills up what users do not bring. Sends nothing; standard library only.

A side with the share `s` of all requests has its samples when `missing / s` more have come; the
scarcer side decides. They come within a time `t` where users and load generator together send
`missing / s / t` a second. For `t` the step's own hold is taken, so that low traffic makes no
release longer; but both together stay within the gate's own rate, which the candidate has passed,
unless `max_hold_s` leaves no time for so few. How many come to a side is chance: three standard
deviations of it are sent on top.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from loadtests import figures
from loadtests.profiles import MAX_PHASE_S, arrival_rate_rps
from loadtests.reasons import Finding, finding
from loadtests.slo import MAX_CLIENT_CPU, MAX_LAG, MIN_OFFERED, Slo
from loadtests.window import Window

SIGMAS = 3
START_S = 5.0
"""That the load generator takes to be ready."""

SHARE_OF_TIME = 0.8
"""Of what is left, that filling up may take: the rest is for a second time, and for the verdict."""

SHORTEST_S, LEAST_RPS = 5.0, 0.1
MOST_UNANSWERED = 0.05
"""Share of the requests that fill up which may get no answer."""


@dataclass(frozen=True)
class Demand:
    """Gate traffic through the entries' doors: so many requests a second, for so long."""

    rate_rps: float
    duration_s: int


def demand(
    window: Window, samples: int, slo: Slo, *, users_rps: float, hold_left_s: float, left_s: float
) -> Demand | None:
    """What has to be sent for `samples` of each side; None where users bring them, or it is late.

    Args:
        users_rps: predictions a second that users ask for now.
        hold_left_s: until the step may end.
        left_s: until it must end.
    """
    missing = _missing(window, samples)
    longest_s = min(SHARE_OF_TIME * left_s - START_S, MAX_PHASE_S)
    if missing <= users_rps * left_s or longest_s < SHORTEST_S:
        return None
    quick_rps = missing / max(hold_left_s - START_S, SHORTEST_S)
    least_rps = missing / longest_s
    total_rps = max(least_rps, min(quick_rps, arrival_rate_rps(slo)))
    rate_rps = max(total_rps - users_rps, LEAST_RPS)
    duration_s = math.ceil(missing / (rate_rps + users_rps))
    return Demand(rate_rps, min(max(duration_s, math.ceil(SHORTEST_S)), math.floor(longest_s)))


def _missing(window: Window, samples: int) -> float:
    """Requests to both sides together that have yet to come."""
    sides = (window.candidate, window.share), (window.live, 1 - window.share)
    if all(side.samples >= samples for side, _ in sides):
        return 0.0
    aim = samples + SIGMAS * math.sqrt(samples)
    return max((aim - side.samples) / share for side, share in sides)


def users_rps(window: Window) -> float:
    """Predictions a second that are none of the gate's."""
    sides = (window.candidate, window.live)
    users = sum(side.predictions - side.gate for side in sides)
    return max(0, users) / max(window.duration_s, 1.0)


def doubts(gate: Mapping[str, object], slo: Slo) -> Iterator[Finding]:
    """What keeps a load generator's traffic from being counted on; nothing: it was fit.

    Args:
        gate: what `python -m loadtests.gate` wrote.
    """
    measured, faults = figures.read(gate)
    if faults:
        yield finding("canary_fill_failed", why=faults[0].text().rstrip("."))
        return
    if measured.client_cpu_ratio > MAX_CLIENT_CPU:
        got, limit = round(100 * measured.client_cpu_ratio), round(100 * MAX_CLIENT_CPU)
        yield finding("canary_fill_cpu", got=got, limit=limit)
    if measured.offered_rps < MIN_OFFERED * measured.asked_rps:
        yield finding("canary_fill_offered", got=measured.offered_rps, asked=measured.asked_rps)
    lag_ms, most_ms = measured.lag_p95_ms, MAX_LAG * slo.latency_p95_ms
    if lag_ms > most_ms:
        yield finding("canary_fill_lag", got=lag_ms, limit=most_ms)
    total = measured.total
    if total.unanswered > MOST_UNANSWERED * total.requests:
        yield finding(
            "canary_fill_unanswered", got=int(total.unanswered), asked=int(total.requests)
        )
