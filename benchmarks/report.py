"""docs/performance.md from the figures; measures nothing."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from benchmarks import figures, plan
from benchmarks.figures import Cell, Document, Reach
from benchmarks.plan import LOADS, Load

TITLES = {a.name: (a.title, a.asks) for a in plan.ARRANGEMENTS} | {
    plan.YARDSTICK: ("the same work in-process, no HTTP", plan.VALUES)
}

_LEAST_SHARE = 0.01

_INTRO = """\
# Performance

Made by `make bench` from [performance.json](performance.json): do not edit.
It serves the same published graphs with the same features and the same requests by our service, \
FastAPI, BentoML's own routes and mosec, side by side in one run: one core for the server, another \
for wrk, one server loaded at a time, short bursts in random order, round after round.
"""

_HOW = """\
## How it is measured

- **Same for all**: `energy` for tables and `wildlife` for photos, 256 different rows by turns and \
the first of the example photographs, `encode` and `answer` of the model's own code, ONNX Runtime \
on one thread. A server is let in only after it gave the answer that the model gives in-process. \
All stay up during the run: together they cost less than 2 % of a core while they wait.
- **ours, everything on**: `python -m service` as in the container, with all four models, tokens, \
checks, limits, deadlines, metrics and a log line per request. *ours without tokens* is \
`BENTOFLEET_AUTH=off`; nothing else of it can be switched off.
- **FastAPI**: uvicorn with uvloop and httptools, no access log; `async def` routes, a pydantic \
model for the row and one for the answer. Of six forms that were tried this is the fastest; with \
plain `def` it costs twice as much. Photos run in its thread pool. Checked: our `Auth` as a \
dependency, our checks for the row.
- **BentoML default**: `bentoml serve` and `@bentoml.api` with every default, async for rows. \
*pydantic result* is the same with a declared result, for which BentoML need not find the media \
type anew each time.
- **mosec**: one process per model; each load with its own best of the settings below. Its workers \
are given a body and no headers, so they cannot ask for a token: checked means values alone.
- **CPU**: user and system time of all of a server's processes, by requests answered. The \
steadier figure on a machine that does other things too.
- **p50, p99**: wrk's, each user asking again as soon as it is answered. Figures are medians of \
the rounds; ± is half the distance of the fastest and slowest round. Ratios are medians of the \
rounds' own ratios.
- **Every route**: the server that only answers is twenty lines on the same core, asked by turns \
with our routes: what it has of p99 / p50, the machine itself adds.
- **A release on many hosts**: the walk and the lock of `pulumi up`, on hosts that answer its \
commands from memory, each after the same time. No load test and no canary: they take as long on \
one host as on many.
- A row with answers that failed is shown with their number and compared with nothing.

Repeat it with `make bench` (about ten minutes; wrk comes with `apt install wrk`). `make bench \
ARGS=--quick` is a short form, `ARGS="--only ours,fastapi"` leaves the others out; both write to \
`reports/bench` instead of here. `ARGS=--fleet` measures the release on many hosts alone, and the \
other figures stay.
"""


def render(document: Document) -> str:
    """The page."""
    parts = [
        _INTRO,
        _where(document),
        _reached(figures.reaches(document)),
        "![Requests per second and CPU per request](performance.svg)\n",
        *(_table(document, each) for each in LOADS),
        _mosec(document["mosec"]),
        _routes(document),
        _fleet(document.get("fleet")),
        _faults(document["faults"]),
        _HOW,
    ]
    return "\n".join(part for part in parts if part)


def _where(document: Document) -> str:
    machine, versions = document["machine"], document["versions"]
    before, after = (" / ".join(map(str, document["load"][when])) for when in ("before", "after"))
    lengths = document["lengths"]
    models = ", ".join(f"`{name}:{version}`" for name, version in document["models"].items())
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (
        f"Measured on {document['measured_at']}: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['system']}; load average (1 / 5 / 15 min) {before} before and {after} after; "
        f"{lengths['rounds']} rounds of {lengths['tables_s']:g} s for tables and "
        f"{lengths['photos_s']:g} s for photos.\n"
        f"{models}. {listed}.\n"
    )


def _reached(found: Sequence[Reach]) -> str:
    rows = [(each.wanted, each.measured or "not measured", verdict(each)) for each in found]
    return "## What was to be reached\n\n" + table(("to reach", "measured", "verdict"), rows)


def verdict(reach: Reach) -> str:
    """Met, or by how much not."""
    if reach.met is None:
        return "not measured"
    if reach.met:
        return "**met**"
    if not reach.off:
        return "**missed**"
    by = f"{reach.off:.0%}" if reach.off >= _LEAST_SHARE else f"less than {_LEAST_SHARE:.0%}"
    return f"**missed** by {by}"


def _table(document: Document, load: Load) -> str:
    names = figures.names(document, load.what)
    cells = {n: found for n in names if (found := figures.cell(document, n, load))}
    if not cells:
        return ""
    head = ("", "checks", "requests/s", "±", "x FastAPI", "p50 ms", "p99 ms", "CPU µs/request")
    rows = [
        (*_cells(name), *_figures(found, figures.in_rounds(document, load, name, "fastapi")))
        for name, found in cells.items()
    ]
    return f"## {load.name.capitalize()}\n\n" + table(head, rows)


def _cells(name: str) -> Iterator[str]:
    title, asks = TITLES[name]
    yield f"**{title}**" if name == "ours" else title
    yield asks


def _figures(found: Cell, times: float | None) -> Iterator[str]:
    if found.failed:
        yield f"failed: {found.failed} answers"
        yield from [""] * 5
        return
    yield number(found.rps)
    yield f"{figures.spread(found):.0%}"
    yield f"{times:.2f}" if times else ""
    yield f"{found.p50_ms:.2f}" if found.p50_ms else ""
    yield f"{found.p99_ms:.2f}" if found.p99_ms else ""
    yield number(found.cpu_us)


def _mosec(found: Sequence[Mapping[str, Any]]) -> str:
    if not found:
        return ""
    settings = list(found[0]["rps"])
    rows = [
        (
            Load(what=each["what"], users=each["users"]).name,
            *(
                f"**{number(rate)}**" if name == each["best"] else number(rate)
                for name, rate in ((name, each["rps"].get(name, 0.0)) for name in settings)
            ),
        )
        for each in found
    ]
    head = ("requests/s", *settings)
    return (
        "## mosec's settings\n\nThe best of three short bursts each, all settings by turns.\n\n"
        + table(head, rows)
    )


def _routes(document: Document) -> str:
    found = figures.tails(document)
    if not found:
        return ""
    rows = [
        (
            _route(each),
            f"{each['p50_ms']:.2f}",
            f"{each['p99_ms']:.2f}",
            f"failed: {each['failed']}" if each["failed"] else f"{each['ratio']:.1f}",
        )
        for each in found
    ]
    head = ("ours, 8 users", "p50 ms", "p99 ms", "p99 / p50")
    return "## Every route\n\n" + table(head, rows)


def _route(row: Mapping[str, Any]) -> str:
    if row["path"] == plan.BARE_PATH:
        return "a server that only answers"
    return f"`{row['method']} {row['path']}`"


def _fleet(found: Mapping[str, Any] | None) -> str:
    if not found:
        return ""
    rows = [
        (hosts, f"{median(times):.1f}", f"{min(times):.1f} to {max(times):.1f}")
        for hosts, times in found["hosts"].items()
    ]
    return (
        "## A release on many hosts\n\n"
        f"From the barrier, when the first host is ready, to the end of the walk. Simulated hosts: "
        f"each command takes {found['command_s'] * 1000:g} ms and each replica is ready after "
        f"{found['start_s']:g} s; {found['parallel']} hosts at a time.\n\n"
        + table(("hosts", "seconds", "all rounds"), rows)
    )


def _faults(lines: Sequence[str]) -> str:
    return "## Left out\n\n" + "".join(f"- {line}\n" for line in lines) if lines else ""


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table; columns of numbers to the right."""
    marks = ["---:" if _is_number(cells) else "---" for cells in zip(*rows, strict=True)]
    lines = [f"| {' | '.join(cells)} |" for cells in (head, marks, *rows)]
    return "\n".join(lines) + "\n"


def _is_number(column: Sequence[str]) -> bool:
    return all(not text.strip("*") or text.strip("*")[0].isdigit() for text in column)


def number(value: float) -> str:
    """With a few digits only."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def reached(document: Document) -> Iterator[str]:
    """The reaches as lines."""
    for each in figures.reaches(document):
        yield f"{verdict(each).replace('*', '')}: {each.wanted}: {each.measured or '-'}"
