"""The gate as a process of its own, with a stand-in for the load test."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.provider import gate
from infra.provider.gate import GateDidNotRun
from loadtests.slo import Slo

PLAN: Any = SimpleNamespace(
    tokens_key=None,
    models={"energy": "1"},
    profile="short",
    release="0123456789ab",
    slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20),
)


class Quiet:
    def __init__(self) -> None:
        self.stopped = threading.Event()
        self.lines: list[str] = []

    def say(self, line: str, passing: bool = False) -> None:
        self.lines.append(line)


def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, console: Any = None) -> Any:
    """Runs the gate with a shell script in the place of Python; `$3` is its folder less `--out`."""
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\ncat >/dev/null\nfolder=$4\n{script}\n")
    program.chmod(0o755)
    monkeypatch.setattr(gate.sys, "executable", str(program))
    folder = tmp_path / "attempt"
    folder.mkdir()
    return gate.run(PLAN, [21064, 31064], True, folder, console or Quiet())


def test_the_figures_that_the_gate_wrote_come_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Quiet()
    script = """echo 'gate: steady'; echo '{"requests": 7}' > "$folder/gate.json" """

    assert run(tmp_path, monkeypatch, script, console) == {"requests": 7}
    assert console.lines == ["gate: steady"]


@pytest.mark.parametrize(
    ("script", "line"),
    [
        ("echo 'gate: the target is not there.' >&2; exit 2", "gate: the target is not there."),
        ("exit 9", r"gate: ended without a word \(exit 9\)."),
        ("exit 0", "gate: its figures cannot be read"),
        ('echo "{" > "$folder/gate.json"', "gate: its figures cannot be read"),
    ],
    ids=["a fault", "no word", "no figures", "damaged figures"],
)
def test_a_gate_without_figures_is_told_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, line: str
) -> None:
    with pytest.raises(GateDidNotRun, match=line):
        run(tmp_path, monkeypatch, script)


def test_a_walk_that_is_stopped_ends_the_gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    console = Quiet()
    console.stopped.set()

    with pytest.raises(GateDidNotRun, match="gate: interrupted"):
        run(tmp_path, monkeypatch, "exec sleep 60", console)
