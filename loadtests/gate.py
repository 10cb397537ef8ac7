"""The command `python -m loadtests.gate`: measures a target and writes gate.json, judges nothing.

The plan comes as JSON on standard input, so that the token shows in no process list.
"""

import argparse
import json
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from bentos.catalog import MODELS
from loadtests import plan as plans
from loadtests.figures import FILE
from loadtests.files import write_atomically

MEASURED = 0
NOT_MEASURED = 2


def main(argv: Sequence[str] | None = None) -> int:
    """Measures and writes DIR/gate.json; 0 when measured, whatever the figures, else 2."""
    parser = argparse.ArgumentParser(
        prog="python -m loadtests.gate",
        description="Measures a target under a constant arrival rate; reads the plan on stdin.",
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="for gate.json")
    out: Path = parser.parse_args(argv).out
    for number in (signal.SIGTERM, signal.SIGINT):  # until the load test takes them over
        signal.signal(number, _stopped)
    try:
        plan = plans.parse(_stdin_json(), MODELS)
    except ValueError as error:
        return _not_measured(str(error))
    # Imported late: it patches the standard library and takes over a second.
    from loadtests import runner
    from loadtests.target import TargetError

    try:
        figures = runner.run(plan, MODELS, _say)
        write_atomically(out / FILE, json.dumps(figures, allow_nan=False, indent=1) + "\n")
    except (runner.Stopped, TargetError, ValueError) as error:
        return _not_measured(str(error))
    except OSError as error:
        return _not_measured(f"{out}: cannot be written ({error}). Choose another --out.")
    return MEASURED


def _stdin_json() -> object:
    try:
        return json.load(sys.stdin)
    except ValueError as error:
        msg = f"plan: is not JSON ({error}). Give one JSON object on standard input."
        raise ValueError(msg) from error


def _say(line: str) -> None:
    sys.stdout.write(f"gate: {line}\n")
    sys.stdout.flush()


def _not_measured(line: str) -> int:
    sys.stderr.write(f"gate: {line}\n")
    return NOT_MEASURED


def _stopped(number: int, _frame: object) -> NoReturn:
    name = signal.Signals(number).name
    raise SystemExit(_not_measured(f"stopped ({name}). No figures were written."))


if __name__ == "__main__":
    sys.exit(main())
