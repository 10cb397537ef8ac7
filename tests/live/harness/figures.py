"""What the soak measured and promised: printed at its end, and written to reports/soak.json."""

import json
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.crowd import LOST, Answer


@dataclass(frozen=True)
class Promise:
    """One figure and the bound that it was promised to keep."""

    name: str
    measured: float
    at_most: float | None
    at_least: float | None

    @property
    def is_kept(self) -> bool:
        """Whether the figure lies within its bounds."""
        return (self.at_most is None or self.measured <= self.at_most) and (
            self.at_least is None or self.measured >= self.at_least
        )

    @property
    def text(self) -> str:
        """The promise as a line for a person."""
        bound = f"at most {self.at_most:g}" if self.at_most is not None else ""
        bound += f"at least {self.at_least:g}" if self.at_least is not None else ""
        return f"{'kept  ' if self.is_kept else 'BROKEN'} {self.name}: {self.measured:g} ({bound})"


class Figures:
    """Filled by the soak's tests, on disk after each: a soak cut short leaves what it has."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._started = datetime.now(UTC)
        self.figures: dict[str, Any] = {}
        self.promises: list[Promise] = []

    def promise(
        self,
        name: str,
        measured: float,
        *,
        at_most: float | None = None,
        at_least: float | None = None,
    ) -> None:
        """Keeps a figure with its bound; `check` fails later, when all are known."""
        self.promises.append(Promise(name, round(measured, 3), at_most, at_least))
        self.write()

    def check(self) -> None:
        """Fails when a promise was broken, naming every one."""
        broken = [p.text for p in self.promises if not p.is_kept]
        assert not broken, "\n".join(broken)

    def write(self) -> None:
        """reports/soak.json as it stands now."""
        self._path.parent.mkdir(exist_ok=True)
        content = {
            "schema_version": 1,
            "started_at": self._started.isoformat(timespec="seconds"),
            "duration_s": round((datetime.now(UTC) - self._started).total_seconds()),
            "machine": platform.machine(),
            "kept": all(p.is_kept for p in self.promises),
            "promises": [asdict(p) | {"kept": p.is_kept} for p in self.promises],
            "figures": self.figures,
        }
        self._path.write_text(json.dumps(content, indent=1) + "\n")


def percentile_ms(answers: Iterable[Answer], ratio: float) -> float:
    """A percentile of the answers' times by nearest rank; NaN when there are none."""
    times = sorted(a.ms for a in answers if a.status != LOST)
    return times[min(len(times) - 1, int(len(times) * ratio))] if times else float("nan")


def within(answers: Iterable[Answer], spans: Iterable[tuple[float, float]]) -> list[Answer]:
    """The answers to requests that were in work at some time of a span (seconds of the epoch)."""
    known = list(spans)
    return [
        a
        for a in answers
        if any(a.at <= end and a.at + a.ms / 1000 >= start for start, end in known)
    ]
