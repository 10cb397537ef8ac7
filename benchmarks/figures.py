"""From bursts to medians, and from medians to what was to be reached. Measures nothing."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from benchmarks import plan
from benchmarks.plan import LOADS, Load

AT_32 = LOADS[1]
AT_8 = LOADS[3]

FASTAPI_TIMES, BENTOML_TIMES = 4.0, 20.0
CPU_SHARE = 0.25
LONE_RATIO, TAIL_RATIO = 1.5, 5.0
PHOTO_SHARE = 0.85
MEMORY_MB = 250.0
FLEET_TIMES = 2.5

Document = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One arrangement under one load: the medians of its rounds.

    Attributes:
        low, high: the slowest and the fastest round, in requests per second.
        failed: of all rounds; a cell with any is not compared.
    """

    rps: float
    low: float
    high: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int
    rounds: int


@dataclass(frozen=True, kw_only=True)
class Reach:
    """One thing that was to be reached.

    Attributes:
        wanted: in words, with its limit.
        measured: in words; None: it was not measured.
        met: None: it was not measured.
        off: by how much it is missed, as a share of the limit; 0 where it is met.
    """

    wanted: str
    measured: str | None
    met: bool | None
    off: float = 0.0


def cell(document: Document, arrangement: str, load: Load) -> Cell | None:
    """The medians; None where there is no burst."""
    rows = [
        row
        for row in document["bursts"]
        if (row["arrangement"], row["what"], row["users"]) == (arrangement, load.what, load.users)
    ]
    if not rows:
        return None
    rates = [row["rps"] for row in rows]
    return Cell(
        rps=median(rates),
        low=min(rates),
        high=max(rates),
        p50_ms=median(row["p50_ms"] for row in rows),
        p99_ms=median(row["p99_ms"] for row in rows),
        cpu_us=median(row["cpu_us"] for row in rows),
        failed=sum(row["failed"] for row in rows),
        rounds=len(rows),
    )


def in_rounds(
    document: Document, load: Load, one: str, other: str, measure: str = "rps"
) -> float | None:
    """The median over the rounds of one arrangement's figure by another's in the same round."""
    found: dict[int, dict[str, Any]] = {}
    for row in document["bursts"]:
        if (row["what"], row["users"]) == (load.what, load.users):
            found.setdefault(row["round"], {})[row["arrangement"]] = row
    pairs = [(r[one], r[other]) for r in found.values() if one in r and other in r]
    if not pairs or any(row["failed"] for pair in pairs for row in pair):
        return None
    if any(second[measure] == 0 for _, second in pairs):
        return None
    return float(median(first[measure] / second[measure] for first, second in pairs))


def lone(document: Document) -> float | None:
    """A lone user's p50 after a crowd, by that before it; the median of the rounds."""
    rows = document["lone"]
    if not rows or any(row["failed"] for row in rows):
        return None
    return float(median(row["after_ms"] / row["before_ms"] for row in rows))


def tails(document: Document) -> list[dict[str, Any]]:
    """Of each route of ours the medians of p50, p99 and p99 by p50; failures of all rounds."""
    rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in document["routes"]:
        rows.setdefault((row["method"], row["path"]), []).append(row)
    return [
        {
            "method": method,
            "path": path,
            "p50_ms": median(row["p50_ms"] for row in found),
            "p99_ms": median(row["p99_ms"] for row in found),
            "ratio": median(row["p99_ms"] / max(row["p50_ms"], 1e-3) for row in found),
            "failed": sum(row["failed"] for row in found),
        }
        for (method, path), found in sorted(rows.items(), key=lambda each: each[0][::-1])
    ]


def fleet(document: Document) -> float | None:
    """A release's time on the large fleet by that on the small one, the median of the rounds."""
    hosts = document.get("fleet", {}).get("hosts", {})
    pairs = zip(hosts.get(str(plan.FEW), []), hosts.get(str(plan.MANY), []), strict=True)
    ratios = [many / few for few, many in pairs]
    return float(median(ratios)) if ratios else None


def reaches(document: Document) -> list[Reach]:
    """What issue and page promise, beside what was measured."""
    return [
        _at_least(
            f"tables at 32 users: at least {FASTAPI_TIMES:g} x FastAPI without tokens, "
            "in requests/s",
            in_rounds(document, AT_32, "ours", "fastapi"),
            FASTAPI_TIMES,
            "{:.1f} x",
        ),
        _at_least(
            f"tables at 32 users: at least {BENTOML_TIMES:g} x BentoML default without tokens, "
            "in requests/s",
            in_rounds(document, AT_32, "ours", "bentoml"),
            BENTOML_TIMES,
            "{:.1f} x",
        ),
        _at_most(
            "tables at 32 users: at most a quarter of FastAPI's server CPU per request",
            in_rounds(document, AT_32, "ours", "fastapi", "cpu_us"),
            CPU_SHARE,
            "{:.3f} of it",
        ),
        _at_most(
            f"a lone user's p50 after 128 users: at most {LONE_RATIO:g} x before",
            lone(document),
            LONE_RATIO,
            "{:.2f} x",
        ),
        _tail(document),
        _at_least(
            f"photos at 8 users: at least {PHOTO_SHARE:.0%} of the same work in-process",
            in_rounds(document, AT_8, "ours", plan.YARDSTICK),
            PHOTO_SHARE,
            "{:.0%}",
        ),
        _at_most(
            f"one worker with all four models, after the load: under {MEMORY_MB:g} MB",
            document["memory_bytes"] / 1e6 if document["memory_bytes"] else None,
            MEMORY_MB,
            "{:.0f} MB",
        ),
        _at_most(
            f"a release on {plan.MANY} hosts: at most {FLEET_TIMES:g} x its time on {plan.FEW}, "
            "after the barrier",
            fleet(document),
            FLEET_TIMES,
            "{:.2f} x",
        ),
    ]


def _tail(document: Document) -> Reach:
    wanted = f"8 users, every route: p99 at most {TAIL_RATIO:g} x p50"
    rows = [row for row in tails(document) if row["path"] != plan.BARE_PATH]
    if not rows:
        return Reach(wanted=wanted, measured=None, met=None)
    failed = [row["path"] for row in rows if row["failed"]]
    if failed:
        return Reach(wanted=wanted, measured=f"requests failed at {', '.join(failed)}", met=False)
    worst = max(rows, key=lambda row: row["ratio"])
    found = _at_most(wanted, worst["ratio"], TAIL_RATIO, "{:.1f} x")
    beyond = sum(row["ratio"] > TAIL_RATIO for row in rows)
    text = f"{found.measured} at most, at {worst['path']}; {beyond} of {len(rows)} routes beyond it"
    if bare := next((row for row in tails(document) if row["path"] == plan.BARE_PATH), None):
        text += f" (a server that only answers: {bare['ratio']:.1f} x)"
    return Reach(wanted=wanted, measured=text, met=found.met, off=found.off)


def _at_least(wanted: str, value: float | None, limit: float, form: str) -> Reach:
    return _judged(wanted, value, form, lambda v: 1 - v / limit)


def _at_most(wanted: str, value: float | None, limit: float, form: str) -> Reach:
    return _judged(wanted, value, form, lambda v: v / limit - 1)


def _judged(wanted: str, value: float | None, form: str, missed: Callable[[float], float]) -> Reach:
    if value is None:
        return Reach(wanted=wanted, measured=None, met=None)
    off = max(0.0, missed(value))
    return Reach(wanted=wanted, measured=form.format(value), met=off == 0, off=off)


def spread(found: Cell) -> float:
    """Half the distance of the fastest and the slowest round, by the median."""
    return (found.high - found.low) / 2 / found.rps if found.rps else 0.0


def names(document: Document, what: str) -> Sequence[str]:
    """Arrangements that were measured with this kind of load, in the plan's order."""
    seen = {row["arrangement"] for row in document["bursts"] if row["what"] == what}
    every = [a.name for a in plan.ARRANGEMENTS]
    return [name for name in (*every, plan.YARDSTICK) if name in seen]
