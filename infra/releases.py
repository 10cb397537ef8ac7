"""`make releases`: what the hosts of a stack keep: released when, by whom, with which verdict."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from infra import stack_file
from infra.config import ConfigError
from infra.provider import history
from infra.provider.answering import Answering, reached
from infra.provider.history import History, Kept
from infra.provider.machine import Machine
from infra.terminal import Terminal

HEAD = ("release", "live", "promoted", "by", "verdict", "hosts", "")


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the list; exit 1 when a host could not be asked."""
    parser = argparse.ArgumentParser(prog="python -m infra.releases", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--json", action="store_true", help="for programs")
    args = parser.parse_args(argv)
    console = Terminal()
    try:
        settings, hosts = stack_file.hosts(args.stack)
    except ConfigError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    machines = reached(hosts, console)
    told: dict[str, History] = {}

    def ask(machine: Machine) -> None:
        told[machine.host.name] = history.read(machine)

    Answering(lambda error: console.warn(str(error))).on(machines, ask)
    found = [told[host.name] for host in hosts if host.name in told]
    listed = list(rows(found, settings.rollout.pin))
    if args.json:
        console.say(json.dumps(listed, indent=1))
    else:
        for text in table(listed, len(found)):
            console.say(text)
    return 0 if len(found) == len(hosts) else 1


def rows(histories: Sequence[History], pin: str | None) -> Iterator[dict[str, Any]]:
    """One for each release, and one more for each group of hosts that says otherwise."""
    for release in history.releases(histories):
        groups: dict[str, dict[str, Any]] = {}
        for each in histories:
            if (kept := each.of(release)) is None:
                continue
            said = _said(kept, pin)
            key = json.dumps({k: v for k, v in said.items() if not k.endswith("_at")})
            groups.setdefault(key, {**said, "hosts": []})["hosts"].append(each.host)
        yield from groups.values()


def _said(kept: Kept, pin: str | None) -> dict[str, Any]:
    entry = kept.entry
    refused = kept.refused
    return {
        "release": kept.release,
        "live": kept.is_live,
        "pinned": kept.release == pin,
        "promoted_at": entry["promoted_at"],
        "operator": entry.get("operator"),
        "verdict": entry.get("verdict"),
        "attempt": entry.get("attempt"),
        "returned_at": entry.get("returned_at"),
        "returned_by": entry.get("returned_by"),
        "rolled_back_at": refused.at if refused else None,
        "rolled_back_by": refused.operator if refused else None,
        "image": entry["image"],
        "has_image": kept.has_image,
        "models": entry.get("models"),
    }


def table(listed: Sequence[dict[str, Any]], count: int) -> list[str]:
    """The rows in columns; hosts are named where not all of them say the same."""
    lines = [HEAD, *(_columns(row, count) for row in listed)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
    return ["  ".join(map(str.ljust, line, widths)).rstrip() for line in lines]


def _columns(row: dict[str, Any], count: int) -> tuple[str, ...]:
    notes = [
        "pinned" if row["pinned"] else "",
        f"rolled back {row['rolled_back_at'][:16]} by {row['rolled_back_by']}"
        if row["rolled_back_at"]
        else "",
        "" if row["has_image"] else "its image is gone",
    ]
    hosts = "all" if len(row["hosts"]) == count else ", ".join(row["hosts"])
    return (
        row["release"],
        "live" if row["live"] else "-",
        str(row["promoted_at"])[:16],
        str(row["operator"] or "-"),
        str(row["verdict"] or "-"),
        hosts,
        "; ".join(filter(None, notes)),
    )


if __name__ == "__main__":
    sys.exit(main())
