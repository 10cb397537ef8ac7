"""The command `python -m benchmarks` (`make bench`): measures, then writes figures, page, plot."""

import argparse
import json
import os
import signal
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import orjson

from benchmarks import fleet, hits, load, machine, plan, plot, report
from benchmarks.measure import Run, say
from benchmarks.rivals import same
from benchmarks.servers import Bench
from service import contract, tokens

JSON_FILE, PAGE_FILE, PLOT_FILE = "performance.json", "performance.md", "performance.svg"
DOCS, REPORTS = same.ROOT / "docs", same.ROOT / "reports" / "bench"
_LIFETIME_S = 3600
_INTERRUPTED = 130
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; 0 when it was measured, whatever the figures."""
    options = _parser().parse_args(arguments)
    out: Path = options.out or (REPORTS if options.quick or options.only else DOCS)
    for number in _SIGNALS:
        signal.signal(number, _interrupt)
    try:
        lengths = plan.QUICK if options.quick else plan.FULL
        if options.page:
            document = _kept(out / JSON_FILE, "--page")
        elif options.fleet:
            kept = _kept(out / JSON_FILE, "--fleet")
            document = {**kept, "fleet": fleet.measured(lengths.fleet_rounds)}
        else:
            document = measured(lengths, options.only)
        write(out, document)
    except KeyboardInterrupt:
        sys.stderr.write("bench: interrupted; every server is ended, nothing was written.\n")
        return _INTERRUPTED
    except (ValueError, OSError) as error:
        sys.stderr.write(f"bench: {error}\n")
        return 1
    for reach in report.reached(document):
        say(reach)
    say(f"see {out / PAGE_FILE}")
    return 0


def measured(lengths: plan.Lengths, only: Sequence[str]) -> Mapping[str, Any]:
    """Runs the whole of it.

    Raises:
        ValueError: something that it needs is not there; one line.
    """
    load.find()
    arrangements = plan.chosen(only)
    server_core, own_core = machine.cores()
    os.sched_setaffinity(0, {own_core})  # and with it wrk
    about, before = machine.about(), machine.load()
    with tempfile.TemporaryDirectory(prefix="bentofleet-bench-") as scratch:
        run = Run(_bench(Path(scratch), server_core), lengths, arrangements, Path(scratch))
        run.all()
    return {
        "schema_version": 1,
        **about,
        "load": {"before": before, "after": machine.load()},
        "lengths": asdict(lengths),
        **run.figures,
        "fleet": fleet.measured(lengths.fleet_rounds),
    }


def write(out: Path, document: Mapping[str, Any]) -> None:
    """Figures, page and plot."""
    out.mkdir(parents=True, exist_ok=True)
    (out / JSON_FILE).write_text(json.dumps(document, indent=1) + "\n")
    (out / PAGE_FILE).write_text(report.render(document))
    (out / PLOT_FILE).write_text(plot.draw(document))


def _kept(path: Path, option: str) -> Mapping[str, Any]:
    if not path.is_file():
        raise ValueError(f"{option}: {path} is not there. Measure first.")
    document: Mapping[str, Any] = json.loads(path.read_bytes())
    return document


def _bench(scratch: Path, core: int) -> Bench:
    key = tokens.new_key(scratch / "keys")
    token = tokens.issue(key.read_text(), contract.SCOPE_PREDICT, _LIFETIME_S, "bench")
    compared = hits.compared(scratch, token)
    logs = REPORTS / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    return Bench(
        core=core,
        jwks=scratch / "keys" / tokens.JWKS_FILE,
        hits=compared,
        expected={
            plan.TABLES: _row_answer(compared[plan.TABLES]),
            plan.PHOTOS: _photo_answer(compared[plan.PHOTOS]),
        },
        logs=logs,
    )


def _row_answer(hit: load.Hit) -> Mapping[str, object]:
    rows = same.Rows()
    return rows.answers([rows.check(orjson.loads(_body(hit)))])[0]


def _photo_answer(hit: load.Hit) -> Mapping[str, object]:
    photos = same.Photos()
    return photos.answers([photos.check(_body(hit))])[0]


def _body(hit: load.Hit) -> bytes:
    return hit.body.read_bytes() if hit.body else b""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures our service beside FastAPI, BentoML's own routes and mosec.",
    )
    parser.add_argument("--quick", action="store_true", help="two short rounds")
    parser.add_argument(
        "--only",
        type=lambda text: [name.strip() for name in text.split(",")],
        default=[],
        help=f"some of: {','.join(plan.RIVALS)}",
    )
    parser.add_argument(
        "--page", action="store_true", help="measure nothing; page and plot from the figures there"
    )
    parser.add_argument(
        "--fleet",
        action="store_true",
        help="measure a release on many hosts alone; the other figures there stay",
    )
    parser.add_argument(
        "--out", type=Path, help="default: docs; with --quick or --only reports/bench"
    )
    return parser


def _interrupt(number: int, frame: object) -> None:
    for each in _SIGNALS:  # a second one must not stop the stopping
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
