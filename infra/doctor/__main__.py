"""`make doctor`: what would fail on a stack's hosts, before anything changes, with its cure."""

import argparse
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

from infra import stack_file
from infra.config import ConfigError, Stack
from infra.doctor import examine, here, report
from infra.doctor.examine import Report
from infra.host import Host


def main() -> int:
    """Prints what was found; exit 1 when something has to be mended first."""
    parser = argparse.ArgumentParser(prog="python -m infra.doctor", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--host", help="only this host")
    parser.add_argument("--json", action="store_true", help="one JSON object, everything in it")
    parser.add_argument("--all", action="store_true", help="also what is well")
    args = parser.parse_args()
    start = time.monotonic()
    try:
        settings, hosts = stack_file.all_hosts(args.stack)
        reports = _examine(args.stack, settings, _chosen(hosts, args.host))
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    if args.json:
        at = datetime.now(UTC).isoformat(timespec="seconds")
        text = report.as_json(args.stack, at, time.monotonic() - start, reports)
    else:
        text = report.text(reports, everything=args.all)
    sys.stdout.write(text)
    return 1 if report.has_error(reports) else 0


def _chosen(hosts: list[Host], name: str | None) -> list[Host]:
    chosen = [host for host in hosts if name in (None, host.name)]
    if not chosen:
        known = ", ".join(host.name for host in hosts)
        msg = f"--host: no such host (got {name}). Use one of: {known}."
        raise ConfigError([msg])
    return chosen


def _examine(stack: str, settings: Stack, hosts: list[Host]) -> list[Report]:
    with ThreadPoolExecutor(max_workers=1) as pool:
        mine = pool.submit(_of_this_machine, stack, settings)
        theirs = examine.all_hosts(settings, hosts)
        return [mine.result(), *theirs]


def _of_this_machine(stack: str, settings: Stack) -> Report:
    start = time.monotonic()
    found = tuple(here.check(stack_file.ROOT, stack, settings, datetime.now(UTC)))
    return Report(report.HERE, "", found, time.monotonic() - start)


if __name__ == "__main__":
    sys.exit(main())
