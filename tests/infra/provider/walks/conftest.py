"""What every walk in memory has: its reports go to the test's folder, and nothing takes time."""

from pathlib import Path

import pytest
from harness.stand_ins import Trial
from harness.walks import FIGURES

from infra.provider import canary, gate, machine, record
from infra.provider.record import Record


@pytest.fixture(autouse=True)
def reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Reports go to the test's own folder, without a page; the gate gives good figures."""
    monkeypatch.setattr(record, "ROOT", tmp_path)
    monkeypatch.setattr(record, "REPORTS", tmp_path / "reports")
    monkeypatch.setattr(Record, "_write_page", lambda _: None)
    monkeypatch.setattr(gate, "run", lambda *_: FIGURES)
    monkeypatch.setattr(machine.wait_until, "__defaults__", (0.001,))


@pytest.fixture(autouse=True)
def trial(monkeypatch: pytest.MonkeyPatch) -> Trial:
    """Stands for the canary's analysis."""
    made = Trial()
    monkeypatch.setattr(canary, "run", made.run)
    return made
