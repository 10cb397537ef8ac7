"""The single checks of a canary's window: each a figure beside its limit. Standard library only."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

from loadtests.durations import CONFIDENCE_SIGMAS, Durations
from loadtests.reasons import Finding, finding
from loadtests.slo import SloRow, needed_answers
from loadtests.window import CANDIDATE, Limits, Needs, Reading, Shift, Side, Window

MISSES_IN_A_ROW = 3
"""A query that misses its bound so often, one time after another, is a fail before its time."""

SHARE_SIGMAS, SHARE_SPARE = 6, 10
"""Chance, and requests that were tried again, explain no more above the candidate's share."""

_UNKNOWN_ENTRY = frozenset(
    {"canary_weight_lost", "canary_counters_back", "canary_counters_missing", "canary_silent"}
)


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        row: the figure; None where there is none.
        fails: the candidate is worse, whatever else is in doubt.
        doubts: nothing can be said.
    """

    row: SloRow | None = None
    fails: Finding | None = None
    doubts: Finding | None = None


def every_check(window: Window, limits: Limits, needs: Needs, is_over: bool) -> Iterator[Check]:
    """All checks, the gravest first."""
    yield _is_there(window)
    yield from _errors(window, limits, needs)
    yield from _latencies(window, limits)
    yield _refusals(window, limits)
    for shift in window.shifts:
        yield _shift(shift, limits)
    for reading in window.readings:
        yield from _query(reading, is_over)
    yield _share(window)
    yield from _samples(window, needs)


def _is_there(window: Window) -> Check:
    """An entry that lost what it was told asks nobody, however well the candidate is."""
    if not window.candidate_down or any(f.kind in _UNKNOWN_ENTRY for f in window.faults):
        return Check()
    return Check(fails=finding("canary_down", host=window.candidate_down))


# -- samples ------------------------------------------------------------------------------------


def _samples(window: Window, needs: Needs) -> Iterator[Check]:
    live, candidate = window.live.samples, window.candidate.samples
    if candidate == 0:
        yield Check(doubts=finding("canary_no_requests", needed=needs.least))
    elif candidate < needs.least:
        yield Check(doubts=finding("canary_few", got=candidate, needed=needs.least))
    if live < needs.least:
        yield Check(doubts=finding("canary_live_few", got=live, needed=needs.least))


def _share(window: Window) -> Check:
    """More than its share must never come to the candidate; less only takes longer."""
    if any(f.kind in _UNKNOWN_ENTRY | {"canary_live_down"} for f in window.faults):
        return Check()  # not all requests are counted
    total = window.total
    expected = window.share * total
    most = expected + SHARE_SIGMAS * math.sqrt(expected * (1 - window.share)) + SHARE_SPARE
    if window.offered <= most:
        return Check()
    got, asked = 100 * window.offered / total, 100 * window.share
    return Check(doubts=finding("canary_share_high", got=got, asked=asked))


# -- errors -------------------------------------------------------------------------------------


def _errors(window: Window, limits: Limits, needs: Needs) -> Iterator[Check]:
    live, candidate = window.live, window.candidate
    if not candidate.attempts:
        return
    lives = live.error_ratio if live.attempts else 0.0
    limit = lives + limits.error_ratio_above_live
    got = candidate.error_ratio
    allowed = math.floor(limit * max(candidate.attempts, needs.least) + 1e-6)
    is_worse = candidate.errors > allowed
    row = SloRow(
        name="error_ratio", limit=limit, measured=got, ok=not is_worse and got <= limit + 1e-9
    )
    if is_worse:
        told = _percent(got=got, limit=limit, live=lives)
        counted = {"errors": candidate.errors, "attempts": candidate.attempts}
        yield Check(row, fails=finding("canary_errors", **told, **counted))
        return
    yield Check(row)
    promised = 1 - needs.slo.success_ratio
    if candidate.samples >= needs.least and promised < min(got, lives):
        told = _percent(got=got, live=lives, promised=promised)
        yield Check(doubts=finding("canary_both_sick", **told))


def _refusals(window: Window, limits: Limits) -> Check:
    """4xx that live does not give; clients err in bursts, so only what is sure counts."""
    live, candidate = window.live, window.candidate
    if not live.predictions or not candidate.predictions:
        return Check()
    got, lives = _refused(candidate), _refused(live)
    lower, _ = proportion_bounds(candidate.refused, candidate.predictions)
    _, upper = proportion_bounds(live.refused, live.predictions)
    limit = upper + limits.error_ratio_above_live + got - lower
    row = SloRow(name="refusals", limit=limit, measured=got, ok=got <= limit)
    if row.ok:
        return Check(row)
    return Check(row, fails=finding("canary_refusals", **_percent(got=got, live=lives)))


def _refused(side: Side) -> float:
    return side.refused / side.predictions


def _percent(**shares: float) -> dict[str, float]:
    return {name: 100 * share for name, share in shares.items()}


def proportion_bounds(count: int, total: int) -> tuple[float, float]:
    """Between which a share truly lies, with 99 % confidence.

    Source: E. B. Wilson, Probable inference, the law of succession, and statistical inference,
    Journal of the American Statistical Association 22 (1927).
    """
    share, square = count / total, CONFIDENCE_SIGMAS**2
    middle = share + square / (2 * total)
    away = CONFIDENCE_SIGMAS * math.sqrt(share * (1 - share) / total + square / (2 * total) ** 2)
    scale = 1 + square / total
    return max(0.0, (middle - away) / scale), min(1.0, (middle + away) / scale)


# -- latencies ----------------------------------------------------------------------------------


def _latencies(window: Window, limits: Limits) -> Iterator[Check]:
    """Over all models, and of each that both sides were asked for often enough."""
    live, candidate = window.live, window.candidate
    yield _latency("", live.all_durations, candidate.all_durations, limits.p95_ratio)
    models = compared_models(window)
    if len(live.durations.keys() | candidate.durations.keys()) > 1:
        for model in models:
            sides = live.durations[model], candidate.durations[model]
            yield _latency(model, *sides, limits.p95_ratio)


def compared_models(window: Window) -> list[str]:
    """The models whose latency is judged by itself."""
    live, candidate = window.live.durations, window.candidate.durations
    common = sorted(live.keys() & candidate.keys())
    least = needed_answers()
    return [m for m in common if min(live[m].count, candidate[m].count) >= least]


def _latency(model: str, live: Durations, candidate: Durations, most: float) -> Check:
    if min(live.count, candidate.count) < needed_answers():
        return Check()  # the number of samples says so already
    both = live.at_most.keys() & candidate.at_most.keys()  # a release may change its buckets
    live, candidate = live.by(both), candidate.by(both)
    if not any(math.isfinite(bound) for bound in both):
        return Check(doubts=finding("canary_no_common_buckets"))
    lives, got = live.percentile_s(0.95), candidate.percentile_s(0.95)
    if not math.isfinite(lives):
        return Check(doubts=_of_model("canary_p95_beyond", model))
    ratio = got / lives
    row = SloRow(
        name=f"p95_ratio:{model}" if model else "p95_ratio",
        limit=most,
        measured=ratio if math.isfinite(ratio) else None,
        ok=ratio <= most,
    )
    if row.ok:
        return Check(row)
    told = {
        "got": 1000 * min(got, candidate.last_bound_s),
        "live": 1000 * lives,
        "limit": 1000 * most * lives,
    }
    if candidate.bounds_s(0.95)[0] > most * live.bounds_s(0.95)[1]:
        return Check(row, fails=_of_model("canary_p95", model, **told))
    return Check(row, doubts=_of_model("canary_p95_unsure", model, **told))


def _of_model(kind: str, model: str, **values: float) -> Finding:
    """Of one model, or of all where it has no name."""
    return finding(f"{kind}_model", model=model, **values) if model else finding(kind, **values)


# -- answers and queries ------------------------------------------------------------------------


def _shift(shift: Shift, limits: Limits) -> Check:
    if not shift.is_same_version:
        return Check()
    if shift.unanswered or not shift.compared:
        asked = shift.compared + shift.unanswered
        return Check(
            doubts=finding(
                "canary_shift_unanswered", model=shift.model, got=shift.unanswered, asked=asked
            )
        )
    most = limits.answer_shift
    row = SloRow(
        name=f"answer_shift:{shift.model}",
        limit=most,
        measured=shift.differ / shift.compared,
        ok=shift.differ <= math.floor(most * shift.compared + 1e-6),
    )
    if row.ok:
        return Check(row)
    told = {"differ": shift.differ, "compared": shift.compared}
    return Check(row, fails=finding("canary_shift", model=shift.model, **told))


def _query(reading: Reading, is_over: bool) -> Iterator[Check]:
    value = reading.value
    if reading.fault is not None or value is None or not math.isfinite(value):
        told = finding("canary_query_nan", name=reading.name, side=CANDIDATE, got=str(value))
        yield Check(doubts=reading.fault or told)
        return
    for bound in reading.bounds:
        row = SloRow(
            name=f"query:{reading.name}",
            limit=bound.limit,
            measured=value,
            ok=bound.holds(value),
        )
        if row.ok:
            yield Check(row)
            continue
        kind = "canary_query_above" if bound.is_upper else "canary_query_below"
        told = finding(kind, name=reading.name, got=value, limit=bound.limit)
        if is_over or reading.misses >= MISSES_IN_A_ROW:
            yield Check(row, fails=told)
        else:
            yield Check(row, doubts=told)
