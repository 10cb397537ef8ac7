"""Why figures do not pass, a load test's or a canary's, apart from the language that says it.

Decides nothing. Standard library only.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from string import Formatter
from types import MappingProxyType

from loadtests import canary_reasons

ENGLISH: Mapping[str, str] = MappingProxyType(
    {
        "not_run": "gate: the load test gave no figures. Look at the step `gate` for the cause.",
        "schema": (
            "gate: figures of an unknown kind (schema_version {got}). "
            "Use the load test of this version."
        ),
        "missing": "gate: {figure} is missing. Run the load test again.",
        "not_finite": "gate: {figure} is not a number (got {got}). Run the load test again.",
        "contradiction": (
            "gate: the figures contradict each other ({detail}). Run the load test again."
        ),
        "no_requests": (
            "gate: no request was counted. Check that the load generator reaches the target."
        ),
        "model_missing": (
            "gate: model {model} was asked for and not measured. Check that the release serves it."
        ),
        "few_requests": (
            "gate: {got} requests are too few for a success ratio of {limit} (needs {needed}). "
            "Lengthen the steady phase or raise the rate."
        ),
        "few_answers": (
            "gate: model {model}: {got} answers are too few for a 95th percentile "
            "(needs {needed}). Lengthen the steady phase or raise the rate."
        ),
        "client_cpu": (
            "gate: the load generator used {got} % of its core (limit {limit} %). "
            "Give it a faster or a less busy machine."
        ),
        "offered": (
            "gate: the load generator offered {got} of {asked} requests/s. "
            "Give it a faster or a less busy machine."
        ),
        "lag": (
            "gate: the load generator sent requests up to {got} ms late "
            "(95th percentile, limit {limit} ms). Give it a less busy machine."
        ),
        "cut_short": ("gate: the steady phase lasted {got} of {asked} s. Run the load test again."),
        "low_rate": (
            "gate: the load test asked for {got} requests/s, the SLO demands {limit}. "
            "Raise the rate."
        ),
        "latency": "latency: the 95th percentile is {got} ms, over the limit of {limit} ms.",
        "model_latency": (
            "latency: model {model}: the 95th percentile is {got} ms, over the limit of {limit} ms."
        ),
        "success": (
            "success ratio: {got} is below {limit} ({failures} of {requests} requests failed)."
        ),
        "throughput": "throughput: {got} good answers/s are below {limit}.",
        **canary_reasons.ENGLISH,
    }
)


def short(value: float) -> str:
    """A number with as many digits as help: 0.99498, 212.41, 30."""
    if isinstance(value, int):
        return str(value)
    return f"{value:.{digits(value)}f}".rstrip("0").rstrip(".")


def digits(value: float) -> int:
    """Decimals that tell a number from its limit: five for shares, two for the rest."""
    return 5 if abs(value) < 1 else 2


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One reason: a key of `ENGLISH` and the values it speaks of."""

    kind: str
    values: Mapping[str, float | str]

    def text(
        self,
        templates: Mapping[str, str] = ENGLISH,
        number: Callable[[float], str] = short,
    ) -> str:
        """The reason as a sentence, in the language of `templates` and of `number`."""
        told = {k: v if isinstance(v, str) else number(v) for k, v in self.values.items()}
        return templates[self.kind].format(**told)


def finding(kind: str, **values: float | str) -> Finding:
    """The finding of a kind."""
    return Finding(kind=kind, values=values)


def translated(
    sentence: str, templates: Mapping[str, str], number: Callable[[float], str] = short
) -> str:
    """A reason in the language of `templates` and of `number`; as it is where it is none of ours.

    Args:
        sentence: as `Finding.text` gives it in English.
    """
    found = find(sentence)
    return found.text(templates, number) if found else sentence


def find(sentence: str) -> Finding | None:
    """The finding that an English sentence tells; None where it is none of ours."""
    for kind, pattern in _patterns():
        if match := pattern.fullmatch(sentence):
            return Finding(kind=kind, values={k: _value(v) for k, v in match.groupdict().items()})
    return None


@cache
def _patterns() -> tuple[tuple[str, re.Pattern[str]], ...]:
    """Of every kind, those with the most fixed letters first: they are the hardest to fit."""
    by_length = sorted(ENGLISH.items(), key=lambda item: -len(re.sub(r"\{\w+\}", "", item[1])))
    return tuple((kind, re.compile(_pattern(template))) for kind, template in by_length)


def _pattern(template: str) -> str:
    seen: set[str] = set()
    parts = []
    for text, name, _, _ in Formatter().parse(template):
        parts.append(re.escape(text))
        if name is not None:
            parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.*)")
            seen.add(name)
    return "".join(parts)


def _value(text: str) -> float | str:
    if not re.fullmatch(r"-?\d{1,9}(\.\d+)?", text):
        return text
    return float(text) if "." in text else int(text)
