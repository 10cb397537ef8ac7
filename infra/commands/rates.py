"""How fast a release's models run on a host, what was recorded before, and what is too slow."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from service import contract
from service.contract import metrics

CARD_OVER_CPU = 1.5
"""What a card has to do of what the same model does on its host's CPU (release.md)."""

_SAMPLE = re.compile(rf"^{metrics.MODEL_RATE.name}\{{(?P<labels>[^}}]*)\}} (?P<value>\S+)$", re.M)
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class Rate:
    """Of one model, one item after another.

    Attributes:
        device: what does the work: `cpu`, `vulkan`...
        per_s: items a second, the best of a few short runs.
        cpu_per_s: the same model on the host's CPU, where the device is another.
        version: of the model.
        threads: of the runtime.
    """

    device: str
    per_s: float
    cpu_per_s: float | None
    version: str
    threads: str

    def is_like(self, other: "Rate") -> bool:
        """Whether the two can be compared: the same model, done in the same way."""
        mine, others = (self.device, self.version, self.threads), (other.device, other.version)
        return mine == (*others, other.threads)


Rates = Mapping[str, Rate]
"""By model."""


def parse(texts: Iterable[str], versions: Mapping[str, str], threads: str) -> dict[str, Rate]:
    """The best that any replica of a host tells on its page of metrics.

    Args:
        texts: the pages.
        versions: of the release's models; others are left out, as is one that tells no rate.
        threads: of the runtime, by the release's settings.
    """
    best: dict[str, dict[str, float]] = {}
    for sample in (m for text in texts for m in _SAMPLE.finditer(text)):
        labels = dict(_LABEL.findall(sample["labels"]))
        of_model = best.setdefault(labels.get("model", ""), {})
        device = labels.get("device", "")
        of_model[device] = max(float(sample["value"]), of_model.get(device, 0.0))
    found = {}
    for model, version in versions.items():
        devices = best.get(model, {})
        for device in sorted(devices, key=lambda d: d == contract.CPU)[:1]:  # a card before the CPU
            cpu = devices.get(contract.CPU) if device != contract.CPU else None
            found[model] = Rate(device, devices[device], cpu, version, threads)
    return found


def too_slow(found: Rates, recorded: Rates, floor: float) -> Iterator[str]:
    """What is below the floor, in words, one part of a sentence each.

    Args:
        floor: least share of the recorded rate.
    """
    for model, rate in sorted(found.items()):
        was = recorded.get(model)
        if was is not None and rate.is_like(was) and rate.per_s < floor * was.per_s:
            yield (
                f"{model} does {rate.per_s:.3g} items/s on its own, below {floor:g} x the "
                f"{was.per_s:.3g} recorded for this host"
            )
        if rate.device in (contract.CPU, contract.SOFTWARE) or rate.cpu_per_s is None:
            continue
        if rate.per_s < CARD_OVER_CPU * rate.cpu_per_s:
            yield (
                f"{model} does {rate.per_s:.3g} items/s on the card, below {CARD_OVER_CPU:g} x the "
                f"{rate.cpu_per_s:.3g} of this host's CPU"
            )


def missing(found: Rates, recorded: Rates) -> list[str]:
    """Models that tell no rate now and did before."""
    return sorted(recorded.keys() - found.keys())


def to_record(found: Rates, recorded: Rates, *, was_busy: bool) -> dict[str, Rate]:
    """What a promotion leaves for the next release.

    Args:
        was_busy: live had traffic meanwhile, so that less than the host can do was measured: the
            better of both is kept.
    """
    kept = {}
    for model, rate in found.items():
        was = recorded.get(model)
        is_better = was is not None and rate.is_like(was) and was.per_s > rate.per_s
        kept[model] = was if was is not None and was_busy and is_better else rate
    return kept


def to_json(rates: Rates) -> str:
    """The file on the host."""
    return json.dumps({model: vars(rate) for model, rate in rates.items()}, indent=1) + "\n"


def from_json(text: str | None) -> dict[str, Rate]:
    """What `to_json` wrote; entries that cannot be read are left out."""
    try:
        told = json.loads(text or "{}")
        items = list(told.items())
    except (ValueError, AttributeError):
        return {}
    rates = ((model, _rate(entry)) for model, entry in items)
    return {model: rate for model, rate in rates if rate is not None}


def _rate(entry: Any) -> Rate | None:
    try:
        cpu = entry["cpu_per_s"]
        return Rate(
            device=str(entry["device"]),
            per_s=float(entry["per_s"]),
            cpu_per_s=None if cpu is None else float(cpu),
            version=str(entry["version"]),
            threads=str(entry["threads"]),
        )
    except (KeyError, TypeError, ValueError):
        return None


def shown(rates: Rates) -> str:
    """The rates in one line: `energy 5100/s, wildlife 31/s on vulkan (CPU 12)`."""
    return ", ".join(f"{model} {_shown(rate)}" for model, rate in sorted(rates.items()))


def _shown(rate: Rate) -> str:
    device = "" if rate.device == contract.CPU else f" on {rate.device}"
    cpu = "" if rate.cpu_per_s is None else f" (CPU {rate.cpu_per_s:.0f})"
    return f"{rate.per_s:.0f}/s{device}{cpu}"
