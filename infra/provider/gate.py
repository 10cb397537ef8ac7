"""Runs the gate: Locust in a process of its own, with a short token that no argv or file shows."""

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from infra.provider.console import Console
from infra.provider.plan import Plan
from service import contract

ROOT = Path(__file__).resolve().parents[2]
"""The repository: reports are written below it, and the gate runs from it."""

TOKEN_LIFETIME = "1h"  # noqa: S105 - how long, not what
TOKEN_TIMEOUT_S = 30
STOP_CHECK_S = 0.2
END_TIMEOUT_S = 30
"""The gate ends within a second when it is told to; this only bounds the wait."""


class GateDidNotRun(Exception):
    """The gate gave no figures: one line with its reason."""


def run(
    plan: Plan, ports: Sequence[int], saturation: bool, folder: Path, console: Console
) -> dict[str, Any]:
    """Loads the candidates of all hosts, each behind a loopback port of ours.

    Every host has as many replicas as the others, and so gets as many requests.

    Returns:
        The figures that the gate wrote to `folder`.

    Raises:
        GateDidNotRun: no token could be signed, the gate ended with a fault, or we were stopped.
    """
    argv = [sys.executable, "-m", "loadtests.gate", "--out", str(folder)]
    with (
        (folder / "gate.log").open("w") as log,
        subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            cwd=ROOT,
            start_new_session=True,
        ) as process,
    ):
        status = _follow(process, json.dumps(_request(plan, ports, saturation)), console)
    if console.stopped.is_set():
        msg = "gate: interrupted. Run `make up` again."
        raise GateDidNotRun(msg)
    if status != 0:
        raise GateDidNotRun(last_words(folder, status))
    return figures(folder)


def last_words(folder: Path, status: int) -> str:
    """Why the gate ended with a fault: the last line that it wrote."""
    lines = (folder / "gate.log").read_text().strip().splitlines()
    if lines:
        return lines[-1]
    return f"gate: ended without a word (exit {status}). Free memory, then run `make up`."


def figures(folder: Path) -> dict[str, Any]:
    try:
        figures: dict[str, Any] = json.loads((folder / "gate.json").read_text())
    except (OSError, ValueError) as e:
        msg = f"gate: its figures cannot be read ({e}). Run `make up` again."
        raise GateDidNotRun(msg) from e
    return figures


def _request(plan: Plan, ports: Sequence[int], saturation: bool) -> dict[str, Any]:
    """What the gate reads on its standard input."""
    return {
        "base_url": [f"http://127.0.0.1:{port}" for port in ports],
        "token": gate_token(plan),
        "models": sorted(plan.models),
        "profile": plan.profile,
        **({} if saturation else {"saturation_s": 0}),
        "release": plan.release,
        "slo": {
            "latency_p95_ms": plan.slo.latency_p95_ms,
            "success_ratio": plan.slo.success_ratio,
            "min_rps": plan.slo.min_rps,
        },
    }


def _follow(process: "subprocess.Popen[str]", request: str, console: Console) -> int:
    """Hands the request over, shows progress, and ends the process at once when we are stopped."""
    assert process.stdin is not None  # noqa: S101 - Popen was given a pipe
    assert process.stdout is not None  # noqa: S101
    process.stdin.write(request)
    process.stdin.close()
    reader = threading.Thread(target=show, args=(process.stdout, console), daemon=True)
    reader.start()
    while process.poll() is None:
        if console.stopped.wait(STOP_CHECK_S):
            process.terminate()
            break
    status = process.wait(END_TIMEOUT_S)
    reader.join(END_TIMEOUT_S)
    return status


def show(lines: IO[str], console: Console) -> None:
    for line in lines:
        if line.strip():
            console.say(line.strip(), passing=True)


def gate_token(plan: Plan) -> str | None:
    """A short token with the scope `gate`; None where the service asks for none."""
    if plan.tokens_key is None:
        return None
    argv = [sys.executable, "-m", "service.tokens", "issue"]
    argv += ["--key", "-", "--scope", contract.SCOPE_GATE, "--subject", "gate"]
    argv += ["--lifetime", TOKEN_LIFETIME]
    done = subprocess.run(
        argv,
        input=plan.tokens_key,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=TOKEN_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines()
        msg = (
            f"tokens-key: no token could be signed ({lines[-1] if lines else 'no message'}). "
            "Set bentofleet:tokens-key again."
        )
        raise GateDidNotRun(msg)
    return done.stdout.strip()
