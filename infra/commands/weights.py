"""How much of the users' traffic each host gets: by the rates that were measured there."""

import json
from collections.abc import Mapping
from statistics import harmonic_mean, median

BEST = 240
"""Of the fastest host; HAProxy takes up to 256, and 240 can be shared among most numbers of
replicas without a rest."""


def shares(rates_by_host: Mapping[str, Mapping[str, float]]) -> dict[str, int]:
    """The weight of each host, in proportion to what it can do.

    A host's capacity is that for as many requests of one model as of another: the harmonic mean
    of the rates of those models that every host with rates tells.

    Args:
        rates_by_host: items a second by model; empty for a host that has shown nothing yet.

    Returns:
        By host: the best has 240, none less than 1; one without rates the median of the others.
    """
    told = {host: rates for host, rates in rates_by_host.items() if rates}
    common = set.intersection(*(set(rates) for rates in told.values())) if told else set()
    if not common:
        return dict.fromkeys(rates_by_host, BEST)
    can = {host: harmonic_mean([rates[m] for m in common]) for host, rates in told.items()}
    most, middle = max(can.values()), median(can.values())
    if most <= 0:
        return dict.fromkeys(rates_by_host, BEST)
    return {host: max(1, round(BEST * can.get(host, middle) / most)) for host in rates_by_host}


def of_own_replicas(weight: int, replicas: int) -> int:
    """What each replica of a host has of the host's weight."""
    return max(1, round(weight / replicas)) if weight else 0


def to_json(weights: Mapping[str, int]) -> str:
    """The file of an entry."""
    return json.dumps(dict(sorted(weights.items())), indent=1) + "\n"


def from_json(content: str | None) -> dict[str, int]:
    """What the file says; empty where there is none, or where it is damaged."""
    try:
        found = json.loads(content or "{}")
    except ValueError:
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        host: weight
        for host, weight in found.items()
        if isinstance(weight, int) and not isinstance(weight, bool) and 0 <= weight <= BEST
    }
