"""The evidence of one attempt at a release: steps and figures on the way to verdict.json."""

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from infra import hours
from infra.provider import words
from infra.provider.console import Console
from infra.provider.gate import ROOT
from infra.provider.plan import Plan
from loadtests import verdict
from loadtests.slo import Judgement, Outcome, SloRow

REPORTS = ROOT / "reports"
PAGE_TIMEOUT_S = 60

MOST_POINTS = 2000
"""Of a canary's timeline; beyond it every second one goes."""


class Record:
    """Filled step by step by the walk; writes the verdict's files into the attempt's own folder."""

    def __init__(self, plan: Plan, console: Console) -> None:
        self._plan = plan
        self._console = console
        self._started = datetime.now(UTC)
        self._clock = time.monotonic()
        self.figures = verdict.Figures()
        self._rows: tuple[SloRow, ...] = ()
        self._steps: list[verdict.Step] = []
        self._canary: list[verdict.CanaryEvidence] = []
        self._timeline: list[verdict.TimelinePoint] = []
        self._reasons: list[str] = []
        self.outcome: Outcome = "inconclusive"
        self.folder: Path = verdict.attempt_dir(REPORTS, plan.stack, plan.release)
        self.attempt = int(self.folder.name)

    @property
    def shown_folder(self) -> str:
        """The attempt's folder as a person in the repository would type it."""
        return str(self.folder.relative_to(ROOT))

    def take(self, figures: Mapping[str, object], judgement: Judgement) -> None:
        """Keeps what the gate measured and how it was judged."""
        self.figures = verdict.Figures.of(figures)
        self._rows = judgement.rows

    def step(
        self, name: str, started: datetime, duration_s: float, result: Outcome, detail: str
    ) -> None:
        """Keeps one step of the walk."""
        self._steps.append(
            verdict.Step(
                step=name,
                started_at=started.isoformat(timespec="milliseconds"),
                duration_s=round(duration_s, 3),
                result=result,
                detail=detail,
            )
        )

    def canary(self, evidence: verdict.CanaryEvidence) -> None:
        """Keeps what one step of the canary saw."""
        self._canary.append(evidence)

    def timeline(self, point: verdict.TimelinePoint) -> None:
        """Keeps one look at both sides of the canary."""
        self._timeline.append(point)
        if len(self._timeline) > MOST_POINTS:
            self._timeline = self._timeline[::2]

    def elapsed_s(self) -> float:
        """Seconds since the attempt began."""
        return time.monotonic() - self._clock

    def keep_log(self, host: str, container: str, lines: str) -> None:
        """Keeps the end of a container's log beside the verdict."""
        (self.folder / f"{host}-{container}.log").write_text(lines)

    def finish(self, outcome: Outcome, reasons: list[str]) -> None:
        """Settles the verdict and writes its files."""
        self.outcome, self._reasons = outcome, reasons
        self.write()

    def write(self) -> None:
        """Writes verdict.json, junit.xml and the page; again when a step came after the verdict."""
        plan = self._plan
        verdict.write(
            self.folder,
            verdict.Verdict(
                verdict=self.outcome,
                reasons=tuple(self._reasons),
                stack=plan.stack,
                target=plan.target,
                release=plan.release,
                attempt=self.attempt,
                image=plan.image,
                bento=plan.bento,
                models=plan.models,
                accelerator=plan.accelerator,
                profile=plan.profile,
                runner=plan.runner,
                started_at=self._started.isoformat(timespec="milliseconds"),
                duration_s=round(self.elapsed_s(), 3),
                figures=self.figures,
                slo=self._rows,
                steps=tuple(self._steps),
                canary=tuple(self._canary),
                timeline=tuple(self._timeline),
                notes=tuple(self._notes()),
                cost=None,
                cost_reason=words.text("no_cost", plan.language),
                language=plan.language,
            ),
        )
        verdict.link_latest(REPORTS, plan.stack, self.folder)
        self._write_page()

    def _notes(self) -> Iterator[str]:
        if hours.is_overridden():
            yield words.text("now", self._plan.language)

    def _write_page(self) -> None:
        """A page that cannot be made is a warning: the verdict stands in verdict.json."""
        argv = [sys.executable, "-m", "loadtests.report", str(self.folder)]
        done = subprocess.run(
            argv, capture_output=True, text=True, cwd=ROOT, timeout=PAGE_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            lines = done.stderr.strip().splitlines() or ["no message"]
            self._console.warn(f"{self.shown_folder}: verdict.html was not written ({lines[-1]})")
