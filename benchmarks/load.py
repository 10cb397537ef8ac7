"""Runs wrk for a while against one URL and reads its figures."""

import json
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

SCRIPT = Path(__file__).with_name("post.lua")
_MARK = "figures "
_TIMEOUT_S = 10
_LATE_S = 30  # wrk ends by itself; a wrk that hangs must not hold the run


@dataclass(frozen=True, kw_only=True)
class Hit:
    """The request that is sent over and over.

    Attributes:
        body: a file; None: no body.
        token: None: none is sent.
        lines: a file with a body on each line; they are sent in turn, in place of `body`.
    """

    method: str
    path: str
    body: Path | None = None
    content_type: str = ""
    token: str | None = None
    lines: Path | None = None


@dataclass(frozen=True, kw_only=True)
class Burst:
    """What one run of wrk saw.

    Attributes:
        failed: answers beyond 399, and connections that failed.
    """

    requests: int
    duration_s: float
    p50_ms: float
    p99_ms: float
    failed: int

    @property
    def rps(self) -> float:
        """Good answers per second."""
        return max(0, self.requests - self.failed) / self.duration_s


def find() -> None:
    """Looks for wrk.

    Raises:
        ValueError: it is not there.
    """
    if shutil.which("wrk") is None:
        raise ValueError(
            "wrk: the load generator is not installed. Run `apt install wrk` "
            "(Debian, Ubuntu), then the same command again."
        )


def burst(base_url: str, hit: Hit, users: int, duration_s: float) -> Burst:
    """Sends the request for `users` users at once, from this process's cores.

    Raises:
        ValueError: wrk gave no figures.
    """
    # wrk takes whole seconds only; at SIGINT it stops and tells its figures all the same.
    command = ["wrk", "-t1", f"-c{users}", f"-d{duration_s + _LATE_S:.0f}s"]
    process = subprocess.Popen(
        [*command, f"--timeout={_TIMEOUT_S}s", "-s", SCRIPT, base_url + hit.path],
        env={**os.environ, **_told(hit)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,  # Ctrl-C reaches the benchmark alone, which ends it
    )
    try:
        try:
            output, _ = process.communicate(timeout=duration_s)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            output, _ = process.communicate(timeout=_LATE_S)
    except subprocess.TimeoutExpired:
        raise ValueError(f"wrk: did not end {_LATE_S} s after it was told to.") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    return read(output)


def read(output: str) -> Burst:
    """The figures in what wrk wrote.

    Raises:
        ValueError: there are none.
    """
    lines = output.strip().splitlines()
    told = [line.removeprefix(_MARK) for line in lines if line.startswith(_MARK)]
    if not told:
        raise ValueError(f"wrk: gave no figures ({lines[-1] if lines else 'it said nothing'}).")
    figures = json.loads(told[0])
    failed = sum(figures[name] for name in ("refused", "connect", "read", "write", "timeout"))
    return Burst(
        requests=figures["requests"],
        duration_s=figures["duration_us"] / 1e6,
        p50_ms=figures["p50_us"] / 1e3,
        p99_ms=figures["p99_us"] / 1e3,
        failed=failed,
    )


def _told(hit: Hit) -> dict[str, str]:
    return {
        "BENCH_METHOD": hit.method,
        "BENCH_BODY": str(hit.body or ""),
        "BENCH_LINES": str(hit.lines or ""),
        "BENCH_TYPE": hit.content_type,
        "BENCH_TOKEN": hit.token or "",
    }
