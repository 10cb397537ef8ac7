"""Writes a model's page and the list of the pages; all that they say comes from cards."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from bentos.pages import metrics, plot
from bentos.tables import table

_INDEX = "README.md"


def write(card: Mapping[str, Any], out: Path) -> Path:
    """Writes a model's page and its pictures; nothing but the card decides what is in them."""
    name = card["name"]
    for old in out.glob(_picture(name, "*")):
        old.unlink()
    pictures = plot.pictures(card)
    for part, svg in pictures.items():
        (out / _picture(name, part)).write_text(svg, encoding="utf-8")
    page = out / f"{name}.md"
    page.write_text("\n\n".join(_page(card, pictures)) + "\n", encoding="utf-8")
    return page


def write_index(out: Path) -> None:
    """Writes the list of the pages that are there, each with its title and first sentence."""
    pages = [path for path in sorted(out.glob("*.md")) if path.name != _INDEX]
    rows = []
    for path in pages:
        title, summary = path.read_text(encoding="utf-8").split("\n\n")[:2]
        rows.append((f"[{path.stem}]({path.name})", title.removeprefix("# "), summary))
    lines = (
        "# The models",
        "What each model was made from, what it scores, and what it must not be trusted for. "
        "`make cards` makes these pages from the published models' cards.",
        table(("model", "title", "what it does"), rows),
    )
    (out / _INDEX).write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def _page(card: Mapping[str, Any], pictures: Mapping[str, str]) -> Iterator[str]:
    yield f"# {card['title']}"
    yield card["summary"]
    yield (
        f"This page is made from the card of `{card['name']}:{card['version']}` of "
        f"{card['created_at']} by `make cards`."
    )
    yield "## What it must not be trusted for"
    yield "\n".join(f"- {limit}" for limit in card["limits"])
    yield "## What it has to reach"
    yield from _standing(card, pictures)
    yield "## Data and licence"
    yield table(("", ""), _data(card))
    yield "## Measured"
    yield from metrics.sections(card["metrics"], pictures, card["name"])
    yield "## How it was made"
    yield table(("parameter", "value"), metrics.rows(card["parameters"]))
    yield table(("package", "version"), card["frameworks"].items())
    yield "## The exported graph"
    yield table(("fact", "value"), metrics.rows(card["export"]))
    yield table(("against the model itself", "value"), metrics.rows(card["parity"]))


def _standing(card: Mapping[str, Any], pictures: Mapping[str, str]) -> Iterator[str]:
    """Bars, baseline and the version that was live before."""
    if plot.STANDING in pictures:
        yield f"![Measured against what was asked]({_picture(card['name'], plot.STANDING)})"
    yield table(
        ("measure", "at least", "measured", "reached"),
        [(bar["measure"], bar["at_least"], bar["measured"], bar["ok"]) for bar in card["bars"]],
    )
    compared = card["compared"]
    if compared is None:
        return
    better = "lower" if compared["lower_is_better"] else "higher"
    yield f"Versions are compared by `{compared['measure']}` ({better} is better):"
    rows = [("this version", compared["measured"])]
    if compared["baseline_measure"]:
        rows.append((f"baseline `{compared['baseline_measure']}`", compared["baseline"]))
    if compared["live_version"]:
        rows.append((f"live before: `{compared['live_version']}`", compared["live"]))
    yield table(("", compared["measure"]), rows)
    if compared["accepted"]:
        yield f"It was published though it is worse than the live one: {compared['accepted']}"


def _data(card: Mapping[str, Any]) -> list[tuple[str, object]]:
    data = card["data"]
    return [
        ("data", data["source"]),
        ("rows", data["rows"]),
        ("simulated", data["simulated"]),
        ("sha256", f"`{data['sha256']}`"),
        ("licence of the data", data["licence"]),
        ("citation", data["citation"]),
        ("licence of the model", card["licence"]),
    ]


def _picture(name: str, part: str) -> str:
    return f"{name}-{part}.svg"
