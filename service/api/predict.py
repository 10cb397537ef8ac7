"""Answers predict requests: body, checks, a place in the model's queue, the model, the answer."""

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import orjson

from bentos.spec import ModelSpec, Table
from service import contract
from service.api import multipart, problems, tables
from service.api.bodies import Bodies
from service.api.explain import Explainer
from service.api.messages import Request, Response
from service.api.problems import ProblemError
from service.batching import ExpiredError, Job, QueueFullError
from service.decoders import Decoders
from service.fleet import Fleet, Served
from service.models import Answer, PhotoModel, Prepared, TableModel
from service.proof import QUICK_ITEMS
from service.shares import OverShareError
from service.telemetry import LOGGER

_log = logging.getLogger(f"{LOGGER}.predict")
_MAX_DECODERS = 4
_PLAIN_JSON = contract.JSON_TYPE.encode()

_PICTURE_HEADERS = (
    (b"content-type", contract.EXPLAIN_TYPE.encode()),
    (b"cache-control", b"no-store"),
)

Outcome = dict[str, object] | Exception
Result = TypeVar("Result")


class Predictor:
    """The predict routes of all models.

    Photos are decoded in threads of their own, beside the models' threads and not in their place.
    """

    def __init__(self, fleet: Fleet, bodies: Bodies, release: str) -> None:
        """Starts no thread before the first photo."""
        self._fleet = fleet
        self._bodies = bodies
        self._release = release
        self._decoders = Decoders(min(_MAX_DECODERS, len(os.sched_getaffinity(0))))

    def close(self) -> None:
        """Ends the decoders' threads."""
        self._decoders.close()

    def marks(self) -> dict[str, object]:
        """Of the photos that are being decoded, for a watchdog."""
        return self._decoders.marks()

    async def one(self, request: Request) -> Response:
        """One item in, its answer out.

        Raises:
            ProblemError: whatever keeps it from an answer.
        """
        served = self._served(request.model)
        body = await self._body(request, served.model.spec, batch=False)
        match served.model:
            case TableModel():
                item = served.model.read(body)
                outcomes = await _timed(served, request, 1, lambda: served.batcher.run([item]))
            case PhotoModel():
                photos = await self._photos(request, body, batch=False)
                outcomes = await _timed(
                    served, request, 1, lambda: self._run_photos(served, photos)
                )
        return self._one(served, request, outcomes[0])

    def is_quick(self, name: str) -> bool:
        """Whether the model is there and its runs are so short that `start_row` may be used."""
        served = self._fleet.served.get(name)
        return served is not None and served.batcher.in_loop

    def start_row(self, job: Job[Prepared, Answer], request: Request, body: bytes) -> None:
        """Begins what `one` does, for a quick model's row: `job` is told the outcome.

        Raises:
            ProblemError: whatever keeps it from a place in the queue.
        """
        served = self._served(request.model)
        model = served.model
        _check_type(request, model.spec, batch=False)
        assert isinstance(model, TableModel)  # noqa: S101  no other is quick
        job.items = [model.read(body)]
        job.until = asyncio.get_running_loop().time() + model.spec.deadline_ms / 1000
        _take_places(served, request, 1)
        served.batcher.submit(job)

    def finish_row(self, request: Request, outcome: Outcome) -> Response:
        """Ends it: the answer.

        Raises:
            ProblemError: there is none.
        """
        served = self._served(request.model)
        _give_places(served, request, 1)
        if isinstance(outcome, ExpiredError):
            raise _timed_out(served.model.spec)
        return self._one(served, request, outcome)

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
                checked = await _checked(served, rows)
                outcomes = await _timed(
                    served, request, len(rows), lambda: _run_good(served, checked)
                )
            case PhotoModel():
                photos = await self._photos(request, body, batch=True)
                outcomes = await _timed(
                    served, request, len(photos), lambda: self._run_photos(served, photos)
                )
        items = [_item(outcome, request) for outcome in outcomes]
        return self._answer(served, request, {contract.ITEMS_FIELD: items})

    async def explained(self, explainer: Explainer, request: Request) -> Response:
        """One photo in, a picture of it with the answer's heat map over it out.

        Raises:
            ProblemError: whatever keeps it from an answer.
        """
        served = self._served(request.model)
        body = await self._body(request, served.model.spec, batch=False)
        photos = await self._photos(request, body, batch=False)

        async def work() -> bytes:
            (outcome,) = await self._run_photos(served, photos)
            if isinstance(outcome, Exception):
                raise _problem(outcome, request)
            # Decoded anew: a picture that waited for the model meanwhile would hold its memory.
            return await self._decoders.run(request.model, explainer.draw, photos[0], outcome)

        return Response(200, await _timed(served, request, 1, work), _PICTURE_HEADERS)

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
        return await self._decoders.run(request.model, multipart.parts, body, content_type, most)

    async def _run_photos(self, served: Served, photos: Sequence[bytes]) -> list[Outcome]:
        model = served.model
        decoding = [self._decoders.run(model.spec.name, model.prepare, photo) for photo in photos]
        return await _run_good(served, await asyncio.gather(*decoding, return_exceptions=True))

    def _one(self, served: Served, request: Request, outcome: Outcome) -> Response:
        if isinstance(outcome, Exception):
            raise _problem(outcome, request)
        return self._answer(served, request, outcome)

    def _answer(self, served: Served, request: Request, fields: dict[str, object]) -> Response:
        milliseconds = (time.perf_counter() - request.started) * 1000
        fields["model"] = request.model
        fields["version"] = served.model.version
        fields["release"] = self._release
        fields["processing_time_ms"] = round(milliseconds, 3)
        return Response(200, orjson.dumps(fields))


async def _timed(
    served: Served, request: Request, count: int, work: Callable[[], Awaitable[Result]]
) -> Result:
    """Does the work in a place of the model's queue, and not for longer than its deadline."""
    spec = served.model.spec
    _take_places(served, request, count)
    try:
        async with asyncio.timeout(spec.deadline_ms / 1000):
            return await work()
    except TimeoutError:
        raise _timed_out(spec) from None
    finally:
        _give_places(served, request, count)


def _give_places(served: Served, request: Request, count: int) -> None:
    served.batcher.give(count)
    served.shares.remove(request.caller.subject, count)


def _take_places(served: Served, request: Request, count: int) -> None:
    caller = request.caller.subject
    try:
        served.shares.check(caller, count, served.batcher.free)
        served.batcher.take(count)
        served.shares.add(caller, count)
    except OverShareError:
        raise problems.too_many("places in this model's queue") from None
    except QueueFullError:
        raise problems.busy("Too many items wait for this model. Try again.") from None


def _timed_out(spec: ModelSpec) -> ProblemError:
    detail = f"The model did not answer within {spec.deadline_ms} ms. Try again."
    return ProblemError(problems.TIMED_OUT, detail)


async def _checked(served: Served, rows: Sequence[object]) -> list[Prepared | ProblemError]:
    """The rows or what is wrong with them; others have their turn between."""
    checked: list[Prepared | ProblemError] = []
    for start in range(0, len(rows), QUICK_ITEMS):
        part = rows[start : start + QUICK_ITEMS]
        checked += [_attempt(served.model.prepare, row) for row in part]
        await asyncio.sleep(0)
    return checked


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
    if content_type == _PLAIN_JSON and isinstance(spec.takes, Table):
        return
    allowed = contract.content_types(spec, batch=batch)
    if _media_type(content_type) not in allowed or not _is_utf8(content_type):
        raise ProblemError(problems.UNSUPPORTED, f"Content-Type: should be {' or '.join(allowed)}.")


def _media_type(content_type: bytes) -> str:
    return content_type.partition(b";")[0].strip().lower().decode("latin-1")


def _is_utf8(content_type: bytes) -> bool:
    charset = content_type.lower().partition(b"charset=")[2].strip(b'" ')
    return charset in (b"", b"utf-8", b"utf8")
