"""Makes docs/precision.md from the figures; measures nothing."""

from collections.abc import Iterator, Mapping
from typing import Any

from bentos.precision.measure import FASTER

_INTRO = (
    "# Precision: fp32, fp16 or int8?\n\n"
    "Made by `make precision` from [precision.json](precision.json): do not edit.\n"
    "It converts each published graph, runs all forms in turn on one thread of ONNX Runtime, and "
    "names the fastest that loses nothing.\n\n"
    "**The rule.** A form is served if no score falls by more than the model's tolerance, and if "
    f"in three rounds of four it is at least {FASTER - 1:.0%} faster than fp32; of several the "
    "fastest.\n"
    "Where a model has no scored items, its golden answers decide, within the tolerance of its "
    "spec. Everything else stays fp32.\n"
)
_NOTES = (
    "## Reading it\n\n"
    "- *rate*: per second of one thread's processor time, the median of all rounds. *speed*: times "
    "fp32 in the same round, the median and the quartiles; other work on the machine disturbs it "
    "less.\n"
    "- *same first*: share of the scored photos for which the form gives the same class as fp32.\n"
    "- *golden*: the largest difference from the published golden answers.\n"
    "- Few photographs are scored: one of 21 is 0.048. A form that passes on so few has only weak "
    "evidence.\n"
    "- fp16: ONNX Runtime has few 16-bit kernels for processors, and converts to and fro. That "
    "says nothing about graphics cards.\n"
    "- int8: weights have 7 bits, because on processors without VNNI the sums of 8-bit ones "
    "overflow. With VNNI there is more to gain: measure on the machine that serves.\n"
)


def render(document: Mapping[str, Any]) -> str:
    """The page.

    Args:
        document: of precision.json.
    """
    machine = document["machine"]
    parts = [
        _INTRO,
        f"Measured on {document['measured_at'][:10]}: {machine['processor']}, {machine['cores']} "
        f"cores, load {machine['load']:.1f} when it began; {_listed(document['versions'])}.\n",
        "| model | serve | why |\n|---|---|---|\n"
        + "".join(
            f"| {each['name']} | **{each['serve']}** | {each['why']} |\n"
            for each in document["models"]
        ),
        *(_section(each) for each in document["models"]),
        _NOTES,
    ]
    return "\n".join(parts)


def _section(model: Mapping[str, Any]) -> str:
    forms = model["forms"]
    names = list(forms[0]["scores"])
    heads = ["form", "size", "rate", "speed", *names, "same first", "golden"]
    lines = [
        f"## {model['name']}\n",
        f"`{model['name']}:{model['version']}`, published in {model['published']}. "
        f"{model['rounds']} rounds of {model['batch']} at once. {_scored(model)}\n",
        _row(heads),
        _row("---" for _ in heads),
        *(_row(_cells(form, names)) for form in forms if not form["reason"]),
        "",
        *(
            f"{form['form']}: not applicable, {form['reason']}.\n"
            for form in forms
            if form["reason"]
        ),
    ]
    return "\n".join(lines)


def _scored(model: Mapping[str, Any]) -> str:
    if not model["items"]:
        return f"Judged by golden answers, within {model['golden_tolerance']:g}."
    text = f"Scored on {model['items']}; {model['tolerance']:g} of a score may be lost."
    return f"{text} Calibrated on {model['calibrated_on']}." if model["calibrated_on"] else text


def _cells(form: Mapping[str, Any], names: list[str]) -> Iterator[str]:
    low, middle, high = form["speed"]
    yield form["form"]
    yield _size(form["file_bytes"])
    yield f"{form['items_per_s']:,.0f}/s"
    yield f"{middle:.2f} ({low:.2f} to {high:.2f})"
    for name in names:
        yield f"{form['scores'][name]:.4f}"
    yield "" if form["same_first"] is None else f"{form['same_first']:.1%}"
    off = form["golden_difference"]
    yield "other labels" if off is None else f"{off:.2g}"


def _size(file_bytes: int) -> str:
    return f"{file_bytes / 1e6:.1f} MB" if file_bytes >= 1e5 else f"{file_bytes / 1e3:.1f} kB"


def _row(cells: Any) -> str:
    return f"| {' | '.join(cells)} |"


def _listed(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in versions.items())
