"""Answers predict requests: body, checks, a place in the model's queue, the model, the answer."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from bentos.spec import ModelSpec
from service import contract
from service.api import multipart, problems, tables
from service.api.bodies import Bodies
from service.api.messages import Request, Response
from service.api.problems import ProblemError
from service.batching import QueueFullError
from service.fleet import Fleet, Served
from service.models import PhotoModel, Prepared, TableModel
from service.telemetry import LOGGER

_log = logging.getLogger(f"{LOGGER}.predict")
_MAX_DECODERS = 4

Outcome = dict[str, object] | Exception


class Predictor:
    """The predict routes of all models.

    Photos are decoded in threads of their own, beside the models' threads and not in their place.
    """

    def __init__(self, fleet: Fleet, bodies: Bodies, release: str) -> None:
        """Starts no thread before the first photo."""
        self._fleet = fleet
        self._bodies = bodies
        self._release = release
        decoders = min(_MAX_DECODERS, len(os.sched_getaffinity(0)))
        self._decoders = ThreadPoolExecutor(decoders, thread_name_prefix="decode")

    def close(self) -> None:
        """Ends the decoders' threads."""
        self._decoders.shutdown(wait=False, cancel_futures=True)

    async def one(self, request: Request) -> Response:
        """One item in, its answer out.

        Raises:
            ProblemError: whatever keeps it from an answer.
        """
        served = self._served(request.model)
        body = await self._body(request, served.model.spec, batch=False)
        match served.model:
            case TableModel():
                item = served.model.prepare(tables.parse(body))
                outcomes = await _timed(served, 1, lambda: served.batcher.run([item]))
            case PhotoModel():
                photos = await self._photos(request, body, batch=False)
                outcomes = await _timed(served, 1, lambda: self._run_photos(served, photos))
        if isinstance(outcomes[0], Exception):
            raise _problem(outcomes[0], request)
        return self._answer(served, request, outcomes[0])

    async def many(self, request: Request) -> Response:
        """Many items in, an answer or an error for each out.

        Raises:
            ProblemError: whatever is wrong with the request as a whole.
        """
        served = self._served(request.model)
        body = await self._body(request, served.model.spec, batch=True)
        match served.model:
            case TableModel(takes=takes):
                rows = tables.batch_items(tables.parse(body), takes)
                checked = [_attempt(served.model.prepare, row) for row in rows]
                outcomes = await _timed(served, len(rows), lambda: _run_good(served, checked))
            case PhotoModel():
                photos = await self._photos(request, body, batch=True)
                outcomes = await _timed(
                    served, len(photos), lambda: self._run_photos(served, photos)
                )
        items = [_item(outcome, request) for outcome in outcomes]
        return self._answer(served, request, {contract.ITEMS_FIELD: items})

    def _served(self, name: str) -> Served:
        served = self._fleet.served.get(name)
        if served is None:
            raise problems.busy(f"The model {name} is not ready. See {contract.READYZ}.")
        return served

    async def _body(self, request: Request, spec: ModelSpec, *, batch: bool) -> bytes:
        _check_type(request, spec, batch=batch)
        return await self._bodies.read(request, contract.body_limit_bytes(spec, batch=batch))

    async def _photos(self, request: Request, body: bytes, *, batch: bool) -> list[bytes]:
        content_type = request.headers[b"content-type"]
        if _media_type(content_type) != contract.MULTIPART_TYPE:
            return [body]
        most = self._fleet.specs[request.model].takes.batch_items if batch else 1
        return await asyncio.get_running_loop().run_in_executor(
            self._decoders, multipart.parts, body, content_type, most
        )

    async def _run_photos(self, served: Served, photos: Sequence[bytes]) -> list[Outcome]:
        loop = asyncio.get_running_loop()
        decoding = [
            loop.run_in_executor(self._decoders, served.model.prepare, photo) for photo in photos
        ]
        return await _run_good(served, await asyncio.gather(*decoding, return_exceptions=True))

    def _answer(self, served: Served, request: Request, fields: dict[str, object]) -> Response:
        milliseconds = (time.perf_counter() - request.started) * 1000
        told = {
            "model": request.model,
            "version": served.model.version,
            "release": self._release,
            "processing_time_ms": round(milliseconds, 3),
        }
        return Response(200, orjson.dumps({**fields, **told}))


async def _timed(
    served: Served, count: int, work: Callable[[], Awaitable[list[Outcome]]]
) -> list[Outcome]:
    """Does the work in a place of the model's queue, and not for longer than its deadline."""
    deadline_ms = served.model.spec.deadline_ms
    try:
        with served.batcher.admit(count):
            async with asyncio.timeout(deadline_ms / 1000):
                return await work()
    except QueueFullError:
        raise problems.busy("Too many items wait for this model. Try again.") from None
    except TimeoutError:
        raise ProblemError(
            problems.TIMED_OUT, f"The model did not answer within {deadline_ms} ms. Try again."
        ) from None


async def _run_good(served: Served, checked: Sequence[Prepared | BaseException]) -> list[Outcome]:
    """Runs the items that passed their checks; the others' exceptions stay in their places."""
    good = [item for item in checked if not isinstance(item, BaseException)]
    results = iter(await served.batcher.run(good))
    return [item if isinstance(item, Exception) else next(results) for item in checked]


def _attempt(prepare: Callable[[Any], Prepared], given: object) -> Prepared | ProblemError:
    try:
        return prepare(given)
    except ProblemError as problem:
        return problem


def _item(outcome: Outcome, request: Request) -> dict[str, object]:
    if isinstance(outcome, Exception):
        return {"error": _problem(outcome, request).as_item()}
    return {"answer": outcome}


def _problem(error: Exception, request: Request) -> ProblemError:
    """The client's error as it is; the model's is logged and told without its cause."""
    if isinstance(error, ProblemError):
        return error
    _log.error(
        "%s: the model failed", request.model, exc_info=error, extra={"request_id": request.id}
    )
    return ProblemError(problems.INTERNAL, "The model failed on this input.", reason="model")


def _check_type(request: Request, spec: ModelSpec, *, batch: bool) -> None:
    content_type = request.headers.get(b"content-type", b"")
    allowed = contract.content_types(spec, batch=batch)
    if _media_type(content_type) not in allowed or not _is_utf8(content_type):
        raise ProblemError(problems.UNSUPPORTED, f"Content-Type: should be {' or '.join(allowed)}.")


def _media_type(content_type: bytes) -> str:
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


def _is_utf8(content_type: bytes) -> bool:
    charset = content_type.lower().partition(b"charset=")[2].strip(b'" ')
    return charset in (b"", b"utf-8", b"utf8")
