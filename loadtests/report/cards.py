"""The key figures of a verdict beside their limits."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loadtests.evidence import Verdict
from loadtests.report.words import Words, is_number
from loadtests.slo import SloRow


@dataclass(frozen=True, kw_only=True)
class Card:
    """One figure.

    Attributes:
        mark: CSS class: ok, missed, unknown or plain.
        mark_name: what the mark says; empty for a plain figure.
        fill: length of the bar in percent of its room; None draws no bar.
        limit_at: where the limit stands on the bar, in percent.
    """

    title: str
    value: str
    unit: str
    limit: str
    note: str
    mark: str
    mark_name: str
    fill: float | None = None
    limit_at: float | None = None


def cards(verdict: Verdict, gate: Mapping[str, Any] | None, words: Words) -> list[Card]:
    """A card for each SLO over all models, and one for the capacity."""
    rows = {row.name: row for row in verdict.slo}
    made = []
    if "latency_p95_ms" in rows:
        made.append(_latency(rows["latency_p95_ms"], words))
    if "success_ratio" in rows:
        made.append(_success(rows["success_ratio"], verdict, words))
    if "rps" in rows:
        made.append(_throughput(rows["rps"], gate, words))
    if made:
        made.append(_capacity(verdict, gate, words))
    return made


def mark(ok: bool | None) -> str:
    """CSS class for an SLO that is kept, missed or not measured."""
    return {True: "ok", False: "missed", None: "unknown"}[ok]


def _latency(row: SloRow, words: Words) -> Card:
    return _judged(
        row,
        words,
        title=words.say("card.latency"),
        value=None if row.measured is None else words.short(row.measured),
        unit=words.say("card.latency_unit"),
        limit=words.say("card.latency_limit", limit=words.short(row.limit)),
        note=words.say("card.latency_note"),
        bar=(row.measured, row.limit),
    )


def _success(row: SloRow, verdict: Verdict, words: Words) -> Card:
    """The bar shows the share of failures beside the share that may fail."""
    requests = verdict.figures.requests or 0
    failed = None if row.measured is None else 1 - row.measured
    failures = 0 if failed is None else round(failed * requests)
    return _judged(
        row,
        words,
        title=words.say("card.success"),
        value=None if row.measured is None else words.percent(row.measured),
        unit="",
        limit=words.say("card.success_limit", limit=words.percent(row.limit)),
        note=words.say(
            "card.success_note",
            failures=words.number(failures),
            requests=words.number(requests),
        ),
        bar=(failed, 1 - row.limit),
    )


def _throughput(row: SloRow, gate: Mapping[str, Any] | None, words: Words) -> Card:
    plan = gate.get("plan") if gate else None
    asked = plan.get("rate_rps") if isinstance(plan, Mapping) else None
    note = (
        words.say("card.throughput_note", asked=words.short(asked))
        if is_number(asked)
        else words.say("card.throughput_note_unknown")
    )
    return _judged(
        row,
        words,
        title=words.say("card.throughput"),
        value=None if row.measured is None else words.rate(row.measured),
        unit=words.say("card.throughput_unit"),
        limit=words.say("card.throughput_limit", limit=words.short(row.limit)),
        note=note,
        bar=(row.measured, row.limit),
    )


def _judged(
    row: SloRow,
    words: Words,
    *,
    title: str,
    value: str | None,
    unit: str,
    limit: str,
    note: str,
    bar: tuple[float | None, float],
) -> Card:
    measured, level = bar
    room = 1.25 * max(measured or 0, level) or 1.0
    return Card(
        title=title,
        value=words.say("card.not_measured") if value is None else value,
        unit="" if value is None else unit,
        limit=limit,
        note="" if value is None else note,
        mark=mark(row.ok),
        mark_name=words.say(f"mark.{mark(row.ok)}"),
        fill=None if measured is None else round(100 * measured / room, 1),
        limit_at=round(100 * level / room, 1),
    )


def _capacity(verdict: Verdict, gate: Mapping[str, Any] | None, words: Words) -> Card:
    rps = verdict.figures.saturation_rps
    saturation = gate.get("saturation") if gate else None
    users = saturation.get("users") if isinstance(saturation, Mapping) else None
    return Card(
        title=words.say("card.capacity"),
        value=words.say("card.not_measured") if rps is None else words.rate(rps),
        unit="" if rps is None else words.say("card.throughput_unit"),
        limit=words.say("card.capacity_limit"),
        note=words.say("card.capacity_note", users=users) if rps is not None and users else "",
        mark="plain",
        mark_name="",
    )
