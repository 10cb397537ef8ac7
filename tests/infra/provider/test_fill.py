"""The load generator beside a canary, with a shell script in its place."""

import json
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from infra.provider import fill
from infra.provider.fill import Fill
from loadtests.filling import Demand
from loadtests.slo import Slo

GOOD = Path(__file__).with_name("gate_figures.json")
PLAN: Any = SimpleNamespace(
    tokens_key=None,
    models={"energy": "1"},
    profile="short",
    slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20),
)


class Entry:
    def __init__(self) -> None:
        self.opened = 1
        self.host = SimpleNamespace(name="one", ports=SimpleNamespace(door=21067))
        self.connection = SimpleNamespace(
            local_port=lambda port: port, openings=lambda: self.opened
        )


class Quiet:
    def __init__(self) -> None:
        self.stopped = threading.Event()

    def say(self, line: str, passing: bool = False) -> None:
        pass


def started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, entry: Any = None
) -> Fill:
    program = tmp_path / "python"
    program.write_text(f'#!/bin/sh\nfolder=$4\ncat > "$folder/asked.json"\n{script}\n')
    program.chmod(0o755)
    monkeypatch.setattr(fill.sys, "executable", str(program))
    made = Fill(PLAN, [entry or Entry()], tmp_path / "attempt", Quiet())  # type: ignore[arg-type]
    made.start(Demand(12.5, 40))
    return made


def ended(made: Fill) -> list[str]:
    deadline = time.monotonic() + 20
    while made.is_running and time.monotonic() < deadline:
        made.look()
        time.sleep(0.02)
    assert not made.is_running
    return [f.kind for f in made.findings]


def test_it_asks_the_entries_doors_for_either_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = started(tmp_path, monkeypatch, f'cp "{GOOD}" "$folder/gate.json"')
    assert ended(made) == []
    asked = json.loads((tmp_path / "attempt/fill-1/asked.json").read_text())
    assert asked["base_url"] == ["http://127.0.0.1:21067"]
    assert (asked["rate_rps"], asked["steady_s"], asked["warmup_s"]) == (12.5, 40, 0)
    assert "release" not in asked


@pytest.mark.parametrize(
    "script", ["exit 2", "exit 0", 'echo "{" > "$folder/gate.json"', "echo no >&2; exit 1"]
)
def test_one_without_figures_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str
) -> None:
    assert ended(started(tmp_path, monkeypatch, script)) == ["canary_fill_failed"]


def test_a_line_that_was_cut_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    entry = Entry()
    made = started(tmp_path, monkeypatch, f'cp "{GOOD}" "$folder/gate.json"', entry)
    entry.opened += 1
    assert ended(made) == ["canary_fill_line"]


def test_it_is_ended_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = started(tmp_path, monkeypatch, "exec sleep 60")
    made.stop()
    assert not made.is_running
    assert made.findings == ()
