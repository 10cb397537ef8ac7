"""What the page of a verdict shows, in the reader's language; the template only places it."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from loadtests.evidence import Verdict
from loadtests.report import cards, plots, trial
from loadtests.report.words import Words, is_number
from loadtests.slo import Slo, SloRow, judge

HERE = Path(__file__).parent
THINNEST = 0.8
"""Percent of the track that even a step of no length takes, to be seen."""


def render(verdict: Verdict, gate: Mapping[str, Any] | None, language: str) -> str:
    """The page as HTML that asks for nothing from outside.

    Args:
        verdict: what was decided.
        gate: what gate.json holds; None when there is none.
        language: `en` or `es`.
    """
    words = Words(language)
    environment = Environment(
        loader=FileSystemLoader(HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("verdict.html.jinja").render(
        say=words.say,
        language=language,
        style=Markup((HERE / "style.css").read_text(encoding="utf-8")),  # noqa: S704 - our own file
        verdict=verdict,
        moment=words.moment(verdict.started_at),
        reasons=reasons(verdict, gate, words),
        cards=cards.cards(verdict, gate, words),
        plots=_plots(verdict, gate, words),
        trial_plots=trial.plots(verdict, words),
        trial_rows=trial.rows(verdict, words),
        notes=verdict.notes,
        models=_models(verdict, gate, words),
        errors=_errors(gate, words),
        steps=_steps(verdict, words),
        facts=_facts(verdict, gate, words),
    )


def reasons(verdict: Verdict, gate: Mapping[str, Any] | None, words: Words) -> list[str]:
    """The verdict's reasons; those that the figures give are said in the reader's language.

    verdict.json holds sentences, in English. The figures are judged once more, and the sentences
    that come out again are replaced; what other steps said stays as it is.
    """
    translated = _translations(gate, words)
    return [_replaced(reason, translated) for reason in verdict.reasons]


def _translations(gate: Mapping[str, Any] | None, words: Words) -> dict[str, str]:
    try:
        limits = gate["plan"]["slo"] if gate is not None else None
        judgement = judge(gate, Slo(**limits) if limits else _ANY_SLO)
    except (KeyError, TypeError, ValueError):
        return {}
    return {
        finding.text(): finding.text(words.reasons, words.exact) for finding in judgement.findings
    }


_ANY_SLO = Slo(latency_p95_ms=1, success_ratio=1, min_rps=1)
"""Without figures no limit is looked at."""


def _replaced(reason: str, translated: Mapping[str, str]) -> str:
    for english, other in translated.items():
        reason = reason.replace(english, other)
    return reason


@dataclass(frozen=True, kw_only=True)
class ModelRow:
    """One line of the table by model; None is shown as a dash."""

    name: str
    version: str
    requests: str
    errors: str
    rps: str
    p50: str
    p95: str
    p99: str
    limit: str
    mark: str


def _models(verdict: Verdict, gate: Mapping[str, Any] | None, words: Words) -> list[ModelRow]:
    rows = {row.name: row for row in verdict.slo}
    lines = [
        _model(
            name, version, _part(gate, "models", name), rows.get(f"latency_p95_ms:{name}"), words
        )
        for name, version in verdict.models.items()
    ]
    if len(lines) > 1:
        name = words.say("models.all")
        lines.append(_model(name, "", _part(gate), rows.get("latency_p95_ms"), words))
    return lines


def _model(
    name: str, version: str, counts: Mapping[str, Any], row: SloRow | None, words: Words
) -> ModelRow:
    latency = _part(counts, "latency_ms")
    return ModelRow(
        name=name,
        version=version,
        requests=words.figure(counts.get("requests")),
        errors=words.figure(counts.get("failures")),
        rps=words.rate(counts.get("rps")),
        p50=words.figure(latency.get("p50")),
        p95=words.figure(latency.get("p95")),
        p99=words.figure(latency.get("p99")),
        limit=words.short(row.limit) if row else words.figure(None),
        mark=cards.mark(row.ok if row else None),
    )


def _plots(verdict: Verdict, gate: Mapping[str, Any] | None, words: Words) -> list[dict[str, Any]]:
    seconds = plots.read(gate.get("series")) if gate else []
    limits = [row.limit for row in verdict.slo if row.name == "latency_p95_ms"]
    if not seconds:
        return []
    asked = _part(gate, "plan").get("rate_rps")
    asked_rps = asked if is_number(asked) else None
    drawn = {
        "latency": plots.latency(seconds, limits[0] if limits else None, words),
        "throughput": plots.throughput(seconds, asked_rps, words),
    }
    # The drawings are made with an XML writer, which escapes what it is given.
    return [{"kind": kind, "svg": Markup(svg)} for kind, svg in drawn.items()]  # noqa: S704


def _errors(gate: Mapping[str, Any] | None, words: Words) -> list[dict[str, str]]:
    told = gate.get("errors") if gate else None
    return [
        {
            "model": str(error.get("model", "")),
            "status": str(error.get("status") or words.say("errors.no_answer")),
            "count": words.figure(error.get("count")),
            "sample": str(error.get("sample", "")),
        }
        for error in (told if isinstance(told, list) else [])
        if isinstance(error, Mapping)
    ]


def _steps(verdict: Verdict, words: Words) -> list[dict[str, Any]]:
    if not verdict.steps:
        return []
    begin = datetime.fromisoformat(verdict.started_at)
    offsets = [
        max(0.0, (datetime.fromisoformat(s.started_at) - begin).total_seconds())
        for s in verdict.steps
    ]
    whole = max(o + s.duration_s for o, s in zip(offsets, verdict.steps, strict=True)) or 1.0
    return [
        {
            **asdict(step),
            "name": words.say_or(f"steps.name_of.{step.step}", step.step),
            "result_name": words.say(f"steps.result_of.{step.result}"),
            "offset": words.duration(offset),
            "took": words.duration(step.duration_s),
            "left": round(min(100 - THINNEST, 100 * offset / whole), 2),
            "width": round(max(THINNEST, 100 * step.duration_s / whole), 2),
        }
        for step, offset in zip(verdict.steps, offsets, strict=True)
    ]


def _facts(
    verdict: Verdict, gate: Mapping[str, Any] | None, words: Words
) -> list[tuple[str, Sequence[str]]]:
    """Name and lines of each fact."""
    told = [
        ("stack", [verdict.stack]),
        ("target", [verdict.target]),
        ("release", [verdict.release]),
        ("attempt", [str(verdict.attempt)]),
        ("image", [verdict.image]),
        ("bento", [verdict.bento]),
        ("models", [f"{name} {version}" for name, version in verdict.models.items()]),
        ("accelerator", [verdict.accelerator]),
        ("started", [words.moment(verdict.started_at)]),
        ("duration", [words.duration(verdict.duration_s)]),
        ("profile", [verdict.profile]),
        ("runner", [words.say_or(f"facts.runner_of.{verdict.runner}", verdict.runner)]),
        *_generator_facts(verdict, gate, words),
        ("cost", [_cost(verdict, words)]),
    ]
    return [(words.say(f"facts.{key}"), lines) for key, lines in told if any(lines)]


def _generator_facts(
    verdict: Verdict, gate: Mapping[str, Any] | None, words: Words
) -> list[tuple[str, list[str]]]:
    facts = []
    if verdict.figures.client_cpu_ratio is not None:
        used = words.percent(round(verdict.figures.client_cpu_ratio, 3))
        facts.append(("client_cpu", [words.say("facts.client_cpu_value", used=used)]))
    lag = _part(gate, "lag_ms").get("p95")
    if is_number(lag):
        facts.append(("lag", [words.say("facts.lag_value", p95=words.short(lag))]))
    return facts


def _cost(verdict: Verdict, words: Words) -> str:
    if verdict.cost is None:
        return verdict.cost_reason or words.figure(None)
    return f"US$ {words.number(verdict.cost.usd_per_1000, 4)} ({verdict.cost.basis})"


def _part(tree: object, *path: str) -> Mapping[str, Any]:
    for key in path:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}
