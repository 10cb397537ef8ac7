"""Writes docs/api.md, how to call every model, from the contract and the models' specs.

uv run python tools/api_page.py

A new model gets its calls by itself; tests/service/test_api_page.py runs every one of them.
"""

import json
import textwrap
from pathlib import Path

import jinja2

from bentos.catalog import MODELS
from bentos.spec import ModelSpec, Photo, Table
from service import contract
from service.api import examples, explain, problems, tables
from service.api.problems import ProblemError

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "api.md"
TEMPLATE = Path(__file__).with_name("api_page.md.jinja")
WIDTH = 96
_KEPT = "\0"  # a space at which no line ends
CURES = {
    problems.BAD_REQUEST: "mend the body, or send it faster",
    problems.UNAUTHORIZED: "send a valid token, or a new one: they end",
    problems.FORBIDDEN: "ask for a token with the scope that the answer names",
    problems.NOT_FOUND: "look at the path",
    problems.METHOD: "use the method of the header `Allow`",
    problems.TOO_LARGE: "send less, see the limits below",
    problems.UNSUPPORTED: "send one of the content types, without content encoding",
    problems.INVALID: "mend the fields that `errors` names",
    problems.INTERNAL: "tell the operator the request id",
    problems.TOO_MANY: "wait for your own answers; then `Retry-After`",
    problems.BUSY: "wait as `Retry-After` says, and ask again",
    problems.TIMED_OUT: "ask again",
}


def page() -> str:
    """The page as it should be."""
    environment = jinja2.Environment(  # noqa: S701  Markdown, and nothing from outside
        trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(TEMPLATE.read_text())
    asked = next(spec for spec in MODELS.values() if isinstance(spec.takes, Table))
    row, told = _wrong(asked)
    return template.render(
        c=contract,
        cures=CURES,
        models=[_model(spec) for spec in MODELS.values()],
        table=_model(asked),
        wrong_row=json.dumps(row),
        problem=json.dumps(told, indent=2),
    )


def _model(spec: ModelSpec) -> dict[str, object]:
    common = {
        "spec": spec,
        "one": contract.predict_path(spec.name),
        "many": contract.predict_batch_path(spec.name),
        "explain": contract.explain_path(spec.name) if explain.explainer(spec) else None,
        "one_kib": contract.body_limit_bytes(spec) // 1024,
        "many_kib": contract.body_limit_bytes(spec, batch=True) // 1024,
    }
    if isinstance(spec.takes, Photo):
        photos = [p.relative_to(ROOT).as_posix() for p in contract.example_photos(spec)[:2]]
        return {**common, "is_photo": True, "photos": photos}
    row = contract.example_row(spec.takes.columns)
    return {**common, "is_photo": False, "row": _wrapped(row)}


def _wrapped(row: dict[str, object]) -> str:
    """An object over several lines, as Python and JavaScript read it as well as JSON."""
    pairs = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in row.items()]
    text = ", ".join(pair.replace(" ", _KEPT) for pair in pairs)
    lines = textwrap.wrap(text, WIDTH, break_long_words=False, break_on_hyphens=False)
    return "{\n" + "".join(f"    {line}\n" for line in lines).replace(_KEPT, " ") + "}"


def _wrong(spec: ModelSpec) -> tuple[dict[str, object], object]:
    """A row without its last field, and the problem that answers it."""
    assert isinstance(spec.takes, Table)  # noqa: S101  see page
    row = dict(list(contract.example_row(spec.takes.columns).items())[:-1])
    try:
        tables.check(row, spec.takes)
    except ProblemError as problem:
        return row, json.loads(problem.document(examples.REQUEST_ID))
    raise AssertionError("a row without its last field is taken")


if __name__ == "__main__":
    PAGE.write_text(page())
