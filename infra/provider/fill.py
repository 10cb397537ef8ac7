"""Gate traffic through the entries' doors, beside the users', while a canary goes on."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from infra.provider import gate
from infra.provider.console import Console
from infra.provider.gate import GateDidNotRun
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from loadtests.filling import Demand, doubts
from loadtests.reasons import Finding, finding


class Fill:
    """The load generator as a process of its own, one time after another.

    Attributes:
        findings: what keeps its traffic from being counted on.
        times: how often it was started.
    """

    def __init__(
        self, plan: Plan, entries: Sequence[Machine], folder: Path, console: Console
    ) -> None:
        """Starts nothing yet; `folder` gets what it writes."""
        self._plan = plan
        self._entries = entries
        self._folder = folder
        self._console = console
        self._process: subprocess.Popen[str] | None = None
        self._openings: dict[str, int] = {}
        self.findings: tuple[Finding, ...] = ()
        self.times = 0

    @property
    def is_running(self) -> bool:
        """Whether it sends requests, or what became of them is not known yet."""
        return self._process is not None

    def start(self, demand: Demand) -> None:
        """Sends what is demanded, each entry as much as the others."""
        self.times += 1
        self._out.mkdir(parents=True, exist_ok=True)
        try:
            ports = {m.host.name: m.connection.local_port(m.host.ports.door) for m in self._entries}
            request = json.dumps(self._request(demand, list(ports.values())))
        except GateDidNotRun as e:
            self._doubt(finding("canary_fill_failed", why=str(e).rstrip(".")))
            return
        self._openings = {m.host.name: m.connection.openings() for m in self._entries}
        with (self._out / "gate.log").open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "loadtests.gate", "--out", str(self._out)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=gate.ROOT,
                start_new_session=True,
            )
        self._hand_over(self._process, request)

    def look(self) -> None:
        """Takes in what became of it, once it has ended."""
        if self._process is None or (status := self._process.poll()) is None:
            return
        self._process = None
        cut = [m for m in self._entries if m.connection.openings() != self._openings[m.host.name]]
        if cut:
            self._doubt(finding("canary_fill_line", host=cut[0].host.name))
        if status != 0:
            why = gate.last_words(self._out, status).rstrip(".")
            self._doubt(finding("canary_fill_failed", why=why))
            return
        try:
            self._doubt(*doubts(gate.figures(self._out), self._plan.slo))
        except GateDidNotRun as e:
            self._doubt(finding("canary_fill_failed", why=str(e).rstrip(".")))

    def stop(self) -> None:
        """Ends it at once; what it had measured is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(gate.END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    @property
    def _out(self) -> Path:
        return self._folder / f"fill-{self.times}"

    def _doubt(self, *found: Finding) -> None:
        self.findings += found

    def _request(self, demand: Demand, ports: Sequence[int]) -> dict[str, object]:
        """What the load generator reads; either release may answer it."""
        slo = self._plan.slo
        return {
            "base_url": [f"http://127.0.0.1:{port}" for port in ports],
            "token": gate.gate_token(self._plan),
            "models": sorted(self._plan.models),
            "profile": self._plan.profile,
            "rate_rps": round(demand.rate_rps, 3),
            "warmup_s": 0,
            "steady_s": demand.duration_s,
            "saturation_s": 0,
            "slo": {
                "latency_p95_ms": slo.latency_p95_ms,
                "success_ratio": slo.success_ratio,
                "min_rps": slo.min_rps,
            },
        }

    def _hand_over(self, process: "subprocess.Popen[str]", request: str) -> None:
        assert process.stdin is not None  # noqa: S101 - Popen was given a pipe
        assert process.stdout is not None  # noqa: S101
        with suppress(BrokenPipeError), process.stdin as stdin:  # it ended: `look` says why
            stdin.write(request)
        threading.Thread(target=self._show, args=(process.stdout,), daemon=True).start()

    def _show(self, lines: IO[str]) -> None:
        with lines:
            gate.show(lines, self._console)
