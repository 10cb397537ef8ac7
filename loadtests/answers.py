"""Tells a model's answer from what only looks like one. Reads no network, judges no value."""

import json
from collections.abc import Mapping
from typing import NoReturn

from bentos.spec import ModelSpec
from loadtests.samples import Fault
from service import contract

TEXT_CHARS = 160
"""Of an error's text are kept: enough to see its cause, too few to fill a report."""


def fault(spec: ModelSpec, release: str | None, status: int, body: bytes) -> Fault | None:
    """What is wrong with an answer of `spec`'s model; None where it is good.

    Args:
        spec: the model's.
        release: that the answer must name; None takes any.
        status: of the answer.
        body: of the answer.
    """
    if not 200 <= status < 300:
        return Fault(status, _problem(body))
    try:
        answer = json.loads(body, parse_constant=_refuse)
    except ValueError:
        return Fault(status, "the answer is not JSON")
    if not isinstance(answer, Mapping):
        return Fault(status, "the answer is not a JSON object")
    for name in (*(field.name for field in spec.answer), *contract.ANSWER_FIELDS):
        if answer.get(name) is None:
            return Fault(status, f"the answer lacks `{name}`")
    if answer["model"] != spec.name:
        return Fault(status, short(f"answered by model {answer['model']}"))
    if release is not None and answer["release"] != release:
        return Fault(status, short(f"answered by release {answer['release']}, not {release}"))
    return None


def _problem(body: bytes) -> str:
    """The title and detail of a problem document, else the start of whatever came."""
    try:
        problem = json.loads(body)
    except ValueError:
        return short(body[: 4 * TEXT_CHARS].decode("utf-8", errors="replace"))
    if not isinstance(problem, Mapping):
        return short(str(problem))
    told = [str(problem[k]) for k in ("title", "detail") if problem.get(k)]
    return short(": ".join(told) or "no reason given")


def short(text: str) -> str:
    """The text on one line, printable and at most `TEXT_CHARS` long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= TEXT_CHARS else line[: TEXT_CHARS - 1] + "…"


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)
