"""The requests that are sent: the contract's examples, as files that wrk reads."""

from collections.abc import Container, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

from benchmarks import plan
from benchmarks.load import Hit
from benchmarks.rivals import same
from bentos.catalog import MODELS
from bentos.spec import Table
from service import contract

BATCH_ROWS, BATCH_PHOTOS = 32, 4
_ROWS, _SEED = 256, 6


def compared(folder: Path, token: str) -> dict[str, Hit]:
    """By kind of load, what every arrangement is asked."""
    return {
        plan.TABLES: predict(same.TABLE, None, folder, token),
        plan.PHOTOS: predict(same.PHOTO, None, folder, token),
    }


def routes(folder: Path, token: str, described: Container[str]) -> Iterator[Hit]:
    """Every route of ours.

    Args:
        folder: takes the bodies.
        token: for those below /v1.
        described: the paths in the service's own OpenAPI document.
    """
    for path in (contract.LIVEZ, contract.READYZ, contract.OPENAPI, contract.DOCS, contract.UI):
        yield Hit(method="GET", path=path)
    yield Hit(method="GET", path=contract.MODELS, token=token)
    for name, spec in MODELS.items():
        count = BATCH_ROWS if isinstance(spec.takes, Table) else BATCH_PHOTOS
        one = predict(name, None, folder, token)
        yield one
        yield predict(name, count, folder, token)
        if contract.explain_path(name) in described:
            yield replace(one, path=contract.explain_path(name))


def predict(name: str, count: int | None, folder: Path, token: str) -> Hit:
    """One item, or a batch of so many; single rows vary, as those of real users do."""
    spec = MODELS[name]
    request = contract.example_request(spec, batch_items=count)
    body = folder / f"{name}-{count or 'one'}"
    body.write_bytes(request.body)
    lines = None
    if count is None and isinstance(spec.takes, Table):
        rng = Random(_SEED)  # noqa: S311  values for a load test
        rows = [contract.example_request(spec, rng=rng).body for _ in range(_ROWS)]
        lines = folder / f"{name}-rows"
        lines.write_bytes(b"\n".join(rows) + b"\n")
    return Hit(
        method="POST",
        path=request.path,
        body=body,
        content_type=request.content_type,
        token=token,
        lines=lines,
    )
