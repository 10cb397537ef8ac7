"""The publishing rule: a model worse than its baseline or than the live one is not published.

Its bars are in bentos/card.py. Reads cards only; trains and publishes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from bentos.card import Card, Compared
from bentos.spec import Primary


def compare(
    made: Card, primary: Primary, published: Iterable[Mapping[str, Any]], accepted: str | None
) -> Card:
    """The card with its primary measure beside the baseline's and the live version's.

    Args:
        made: the card of the model that was just made.
        primary: the spec's.
        published: cards of the same model in the store, the live one first.
        accepted: why it may be worse than the live one; None where nobody said so.
    """
    compared = Compared(
        measure=primary.measure,
        measured=_number(made.metrics, primary.measure),
        lower_is_better=primary.lower_is_better,
        slack=primary.slack,
        protocol=primary.protocol,
        baseline_measure=primary.baseline,
        baseline=_number(made.metrics, primary.baseline or ""),
    )
    for live in published:
        if _is_comparable(made, primary, live):
            score = _number(live["metrics"], primary.measure)
            compared = replace(compared, live_version=live["version"], live=score)
            break
    used = accepted if _is_worse(compared, compared.live, compared.slack) else None
    return replace(made, compared=replace(compared, accepted=used))


def refusals(card: Card) -> list[str]:
    """One line for each reason why a compared model must not be published."""
    compared = card.compared
    if compared is None:
        return []
    where, measured = f"{card.name}: {compared.measure}", compared.measured
    if measured is None or (compared.baseline_measure and compared.baseline is None):
        return [
            f"{where} cannot be compared: the metrics lack it or its baseline. The model is not "
            f"published. Correct the metrics of bentos/{card.name}/recipe.py."
        ]
    lines = []
    if _is_worse(compared, compared.baseline, 0.0):
        lines.append(
            f"{where} is {measured:.4g}, worse than its baseline {compared.baseline_measure} with "
            f"{compared.baseline:.4g}. The model is not published. Look at its data and parameters."
        )
    if _is_worse(compared, compared.live, compared.slack) and compared.accepted is None:
        lines.append(
            f"{where} is {measured:.4g}, worse than {compared.live:.4g} of the published "
            f"{card.name}:{compared.live_version} (by at most {compared.slack:g} is allowed). The "
            "model is not published. Look at what changed, or accept it with --accept-worse REASON."
        )
    return lines


def _is_comparable(made: Card, primary: Primary, live: Mapping[str, Any]) -> bool:
    """Whether a published version was measured the same way: the scores mean the same."""
    then = live.get("compared")
    if not isinstance(then, dict) or _number(live["metrics"], primary.measure) is None:
        return False
    was = (then.get("measure"), then.get("protocol"), _is_small(live["parameters"]))
    now = (primary.measure, primary.protocol, _is_small(made.parameters))
    return was == now and live["data"]["simulated"] == made.data.simulated


def _is_worse(compared: Compared, other: float | None, slack: float) -> bool:
    """Whether the measure is worse than another by more than the slack, or is no number."""
    if other is None or compared.measured is None:
        return False
    if compared.lower_is_better:
        return not compared.measured <= other + slack
    return not compared.measured >= other - slack


def _is_small(parameters: Mapping[str, Any]) -> bool:
    return bool(parameters.get("small"))


def _number(metrics: Mapping[str, Any], measure: str) -> float | None:
    found = metrics.get(measure)
    return float(found) if isinstance(found, (int, float)) else None
