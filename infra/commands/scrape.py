"""What a replica's page of metrics tells of the predictions that it answered."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from loadtests.durations import Durations
from service import contract
from service.contract import metrics

STARTED = "process_start_time_seconds"
"""Of every process that Prometheus's own library counts for; another value: started again."""

PREDICTS = frozenset({contract.ROUTE_PREDICT, contract.ROUTE_PREDICT_BATCH, contract.ROUTE_EXPLAIN})
"""Routes on which models work; health checks and pages say nothing of them."""

NOT_REFUSED = frozenset({"429", "499"})
"""4xx that a busy service, or a client that went away, gives."""

_BUCKET = f"{metrics.REQUEST_DURATION.name}_bucket"
_SAMPLE = re.compile(r"^([a-zA-Z_:][\w:]*)(?:\{([^}]*)\})? (\S+)$", re.MULTILINE)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

Key = tuple[str, str]
"""A model and a kind of traffic."""


@dataclass(frozen=True)
class Page:
    """One replica's counters since it was started.

    Attributes:
        release: that it says it is; empty: it does not say.
        started: when its process was, as the page has it; empty: it does not say.
        has_durations: whether there is a histogram of requests at all.
        durations: of predictions.
        refused: of those, the ones answered with 4xx.
    """

    release: str = ""
    started: str = ""
    has_durations: bool = False
    durations: Mapping[Key, Durations] = field(default_factory=dict)
    refused: Mapping[Key, int] = field(default_factory=dict)


def parse(text: str) -> Page:
    """The page; what cannot be read is left out."""
    buckets: dict[Key, Counter[float]] = defaultdict(Counter)
    refused: Counter[Key] = Counter()
    release, started, has_durations = "", "", False
    for name, labels, value in _samples(text):
        if name == STARTED:
            started = str(value)
        elif name == metrics.RELEASE_INFO.name:
            release = labels.get("release", "")
        elif name == _BUCKET:
            has_durations = True
            if labels.get("route") in PREDICTS:
                buckets[_key(labels)][float(labels["le"])] += int(value)
        elif name == metrics.REQUESTS_TOTAL.name and _is_refusal(labels):
            refused[_key(labels)] += int(value)
    durations = {key: Durations(dict(counts)) for key, counts in buckets.items()}
    return Page(release, started, has_durations, durations, dict(refused))


def _samples(text: str) -> Iterator[tuple[str, dict[str, str], float]]:
    for name, labels, value in _SAMPLE.findall(text):
        try:
            yield name, dict(_LABEL.findall(labels)), float(value)
        except ValueError:
            continue


def _key(labels: Mapping[str, str]) -> Key:
    return labels.get("model", ""), labels.get("traffic", "")


def _is_refusal(labels: Mapping[str, str]) -> bool:
    code = labels.get("code", "")
    return labels.get("route") in PREDICTS and code.startswith("4") and code not in NOT_REFUSED
