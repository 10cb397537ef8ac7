"""The report on models that were made again: JSON for machines, Markdown for people."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from bentos.reproduce.remade import Result
from bentos.tables import table

_JSON_FILE, _PAGE_FILE = "reproduce.json", "reproduce.md"
_SHOWN_ROWS = 20


def write(out: Path, results: Sequence[Result], faults: Sequence[str]) -> Path:
    """Writes both files into a folder; gives the page's path.

    Args:
        out: the folder; it is made.
        results: of the models that could be made.
        faults: of those that could not, a line each.
    """
    out.mkdir(parents=True, exist_ok=True)
    made_at = datetime.now(UTC).isoformat(timespec="seconds")
    is_reproduced = not faults and all(result.is_reproduced for result in results)
    document = {
        "reproduced": is_reproduced,
        "made_at": made_at,
        "models": [_entry(result) for result in results],
        "faults": list(faults),
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False)
    (out / _JSON_FILE).write_text(text, encoding="utf-8")
    page = out / _PAGE_FILE
    page.write_text("\n\n".join(_page(made_at, results, faults)) + "\n", encoding="utf-8")
    return page


def _entry(result: Result) -> dict[str, Any]:
    entry: dict[str, Any] = _finite(asdict(result))
    return {**entry, "reproduced": result.is_reproduced}


def _finite(value: Any) -> Any:
    """The same, with a text for what JSON has no number for."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, (list, tuple)) else value


def _page(made_at: str, results: Sequence[Result], faults: Sequence[str]) -> Iterator[str]:
    yield "# Models made again"
    yield (
        f"{made_at}. A model is reproduced when its inputs are the published ones and every "
        "metric and every answer to a golden question lies within its tolerance."
    )
    yield table(
        (
            "model",
            "version",
            "reproduced",
            "took, s",
            "inputs that differ",
            "metrics",
            "largest difference",
            "golden values",
            "largest difference",
        ),
        [
            (
                r.name,
                r.version,
                r.is_reproduced,
                r.duration_s,
                len(r.inputs),
                r.metrics.compared,
                r.metrics.largest,
                r.answers.compared,
                r.answers.largest,
            )
            for r in results
        ],
    )
    for fault in faults:
        yield f"- {fault}"
    for result in results:
        yield from _details(result)


def _details(result: Result) -> Iterator[str]:
    if result.is_reproduced:
        return
    yield f"## {result.name}"
    if result.inputs:
        yield "These inputs are not the published ones:"
        yield "\n".join(f"- {text}" for text in result.inputs)
    for what, found in (("metric", result.metrics), ("golden value", result.answers)):
        if found.beyond:
            yield (
                f"{len(found.beyond)} of {found.compared} lie beyond the tolerance of "
                f"{found.tolerance:g}; the first are:"
            )
            yield table(
                (what, "published", "made again", "difference"),
                [
                    (each.name, each.published, each.again, each.difference)
                    for each in found.beyond[:_SHOWN_ROWS]
                ],
            )
