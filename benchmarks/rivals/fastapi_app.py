"""FastAPI, as a competent user writes it: async routes, pydantic models, one session per model.

Run as `uvicorn --factory benchmarks.rivals.fastapi_app:plain` or `…:checked`.
"""

from typing import Annotated, Any

from fastapi import Body, Depends, FastAPI, HTTPException, Request
from fastapi.concurrency import run_in_threadpool

from benchmarks.rivals import same
from benchmarks.rivals.rows import Power, Row
from service.api.problems import ProblemError
from service.auth import Caller


def plain() -> FastAPI:
    """No tokens; pydantic parses the row, Pillow the photo."""
    app, rows, photos = FastAPI(), same.Rows(), same.Photos()

    def classify(body: bytes) -> same.Answer:
        return photos.answers([photos.read(body)])[0]

    @app.post(same.TABLE_PATH)
    async def energy(row: Row) -> Power:
        # The model takes less than a hop to a thread would cost.
        return Power(**rows.answers([row.model_dump()])[0])

    @app.post(same.PHOTO_PATH)
    async def wildlife(request: Request) -> dict[str, Any]:
        return await run_in_threadpool(classify, await request.body())

    return app


def checked() -> FastAPI:
    """The same with our tokens and our checks."""
    app, rows, photos, auth = FastAPI(), same.Rows(), same.Photos(), same.auth()

    async def caller(request: Request) -> Caller:
        header = request.headers.get("authorization", "").encode()
        known: Caller = _called(auth.caller, header)
        return known

    def classify(body: bytes) -> same.Answer:
        return photos.answers([_called(photos.check, body)])[0]

    @app.post(same.TABLE_PATH)
    async def energy(
        row: Annotated[dict[str, Any], Body()], known: Annotated[Caller, Depends(caller)]
    ) -> Power:
        _called(known.require, same.TABLE)
        return Power(**rows.answers([_called(rows.check, row)])[0])

    @app.post(same.PHOTO_PATH)
    async def wildlife(
        request: Request, known: Annotated[Caller, Depends(caller)]
    ) -> dict[str, Any]:
        _called(known.require, same.PHOTO)
        return await run_in_threadpool(classify, await request.body())

    return app


def _called(check: Any, given: object) -> Any:
    try:
        return check(given)
    except ProblemError as problem:
        raise HTTPException(problem.kind.status, problem.detail) from problem
