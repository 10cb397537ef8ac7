"""The command `python -m loadtests` (`make load`): the gate alone, against a stack that runs.

Measures as a release does, in a process of its own, and prints the judgement; promotes nothing.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from bentos.catalog import MODELS
from loadtests import gate, target
from loadtests.figures import FILE
from loadtests.profiles import PROFILES
from loadtests.slo import Judgement, Slo, judge

EXIT_CODES = {"pass": 0, "fail": 1, "inconclusive": 3}
DEFAULT_SLO = Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20)
"""As a stack has it that says nothing else (`infra.config`; a test compares them)."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the gate; 0 pass, 1 fail, 3 inconclusive, 2 when it could not run."""
    arguments = _arguments(argv)
    try:
        plan = _plan(arguments)
    except (target.TargetError, ValueError) as error:
        sys.stderr.write(f"load: {error}\n")
        return gate.NOT_MEASURED
    code = _run_gate(arguments.out, plan)
    if code != gate.MEASURED:
        return code
    figures = json.loads((arguments.out / FILE).read_text(encoding="utf-8"))
    judgement = judge(figures, _slo(arguments))
    for line in (
        *_table(figures),
        "",
        *_judged(judgement),
        f"figures: {arguments.out / FILE}",
    ):
        sys.stdout.write(line + "\n")
    return EXIT_CODES[judgement.verdict]


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m loadtests", description=main.__doc__)
    parser.add_argument("--url", required=True, help="of the target: http://127.0.0.1:8080")
    parser.add_argument("--token-file", type=Path, metavar="FILE", help="holds a token (JWT)")
    parser.add_argument("--profile", choices=sorted(PROFILES), default="short")
    parser.add_argument(
        "--models", metavar="A,B", help="models to ask (default: all that the target serves)"
    )
    parser.add_argument("--p95-ms", type=float, default=DEFAULT_SLO.latency_p95_ms)
    parser.add_argument("--success-ratio", type=float, default=DEFAULT_SLO.success_ratio)
    parser.add_argument("--min-rps", type=float, default=DEFAULT_SLO.min_rps)
    parser.add_argument("--no-saturation", action="store_true", help="leave out the closed loop")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("reports/load"), metavar="DIR")
    return parser.parse_args(argv)


def _plan(arguments: argparse.Namespace) -> dict[str, object]:
    served = target.ready_models(arguments.url)
    wanted = arguments.models.split(",") if arguments.models else None
    plan: dict[str, object] = {
        "base_url": arguments.url,
        "token": _token(arguments.token_file),
        "models": wanted or [name for name in served if name in MODELS],
        "profile": arguments.profile,
        "slo": vars(_slo(arguments)),
        "seed": arguments.seed,
    }
    return plan | ({"saturation_s": 0} if arguments.no_saturation else {})


def _slo(arguments: argparse.Namespace) -> Slo:
    return Slo(
        latency_p95_ms=arguments.p95_ms,
        success_ratio=arguments.success_ratio,
        min_rps=arguments.min_rps,
    )


def _token(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError as error:
        msg = f"--token-file: cannot be read (got {path}: {error.strerror}). Use `make token`."
        raise ValueError(msg) from error


def _run_gate(out: Path, plan: Mapping[str, object]) -> int:
    command = [sys.executable, "-m", "loadtests.gate", "--out", str(out)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, text=True) as process:
        try:
            process.communicate(json.dumps(plan))
        except KeyboardInterrupt:  # the gate got it too, and says so
            process.wait()
    return process.returncode


def _table(figures: Mapping[str, Any]) -> Iterator[str]:
    rows = [("model", "requests", "errors", "per s", "p50 ms", "p95 ms", "p99 ms")]
    for name, counts in (*figures["models"].items(), ("all", figures)):
        latency = counts["latency_ms"]
        numbers = (counts["rps"], latency["p50"], latency["p95"], latency["p99"])
        cells = ("-" if n is None else f"{n:.1f}" for n in numbers)
        rows.append((name, str(counts["requests"]), str(counts["failures"]), *cells))
    width = max(len(row[0]) for row in rows)
    for row in rows:
        yield row[0].ljust(width) + "".join(cell.rjust(10) for cell in row[1:])


def _judged(judgement: Judgement) -> Iterator[str]:
    for row in judgement.rows:
        told = "not measured" if row.measured is None else f"{row.measured:.5g}"
        mark = {True: "ok", False: "MISSED", None: "?"}[row.ok]
        yield f"{row.name}: {told} (limit {row.limit:g}) {mark}"
    yield from judgement.reasons
    yield f"verdict: {judgement.verdict}"


if __name__ == "__main__":
    sys.exit(main())
