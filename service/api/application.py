"""The ASGI application: routes, who may call, problems, and what is told of every request."""

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import orjson

from bentos.spec import Table
from service import contract
from service.api import docs, explain, openapi, problems, ui
from service.api.bodies import Bodies, ClientGoneError
from service.api.info import Info
from service.api.messages import Receive, Request, Response, Scope, Send, by_name
from service.api.predict import Predictor
from service.api.problems import ProblemError
from service.auth import Auth, Caller
from service.fleet import Fleet
from service.settings import Settings
from service.telemetry import LOGGER, Metrics, RequestLog

_log = logging.getLogger(f"{LOGGER}.api")
_REQUEST_ID_HEADER = contract.REQUEST_ID_HEADER.lower().encode()
_PROBLEM_HEADER = (b"content-type", contract.PROBLEM_TYPE.encode())
_GONE = 499  # in metrics and logs, as nginx has it: nobody was there to be answered
_MAX_PATH = 200  # in a log line
_QUIET = {contract.ROUTE_LIVEZ, contract.ROUTE_READYZ}

Header = tuple[bytes, bytes]
Handler = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Route:
    """One path; GET routes answer HEAD too."""

    name: str
    method: str
    handler: Handler
    model: str = ""


class Application:
    """All that is served on the outer port.

    Attributes:
        routes: by path; there is nothing else.
        rows: by a request's target, as it stands in its first line: paths that take one table row.
        predictor: what the predict routes do.
    """

    def __init__(
        self,
        settings: Settings,
        fleet: Fleet,
        auth: Auth | None,
        metrics: Metrics,
        request_log: RequestLog,
    ) -> None:
        """Loads nothing; `auth` is None where anyone may call."""
        self._auth = auth
        self._metrics = metrics
        self._request_log = request_log
        self._bodies = Bodies()
        self._info = Info(fleet, settings.release)
        self.predictor = Predictor(fleet, self._bodies, settings.release)
        self.routes = self._routes(fleet, settings)
        self.rows = {
            path.encode(): path
            for path, route in self.routes.items()
            if route.name == contract.ROUTE_PREDICT
            and isinstance(fleet.specs[route.model].takes, Table)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry; whoever runs the application starts and stops it, not the lifespan."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    @property
    def stopping(self) -> bool:
        """Whether `stop_soon` was called."""
        return self._info.stopping

    def stop_soon(self) -> None:
        """From now on not ready, and connections are closed after each answer."""
        self._info.stopping = True

    def close(self) -> None:
        """Ends the threads and writes the last lines."""
        self.predictor.close()
        self._request_log.flush()

    def _routes(self, fleet: Fleet, settings: Settings) -> dict[str, Route]:
        info, predictor = self._info, self.predictor
        routes = {
            contract.LIVEZ: Route(contract.ROUTE_LIVEZ, "GET", info.livez),
            contract.READYZ: Route(contract.ROUTE_READYZ, "GET", info.readyz),
            contract.MODELS: Route(contract.ROUTE_MODELS, "GET", info.models),
        }
        for name, spec in fleet.specs.items():
            one, many = contract.predict_path(name), contract.predict_batch_path(name)
            routes[one] = Route(contract.ROUTE_PREDICT, "POST", predictor.one, name)
            routes[many] = Route(contract.ROUTE_PREDICT_BATCH, "POST", predictor.many, name)
            if explainer := explain.explainer(spec):
                handler = partial(predictor.explained, explainer)
                path = contract.explain_path(name)
                routes[path] = Route(contract.ROUTE_EXPLAIN, "POST", handler, name)
        if settings.docs:
            document = openapi.document(
                fleet.specs.values(), settings.release, auth=self._auth is not None
            )
            described = Response(200, orjson.dumps(document))
            routes[contract.OPENAPI] = _fixed(contract.ROUTE_OPENAPI, described)
            for path, page in docs.pages().items():
                routes[path] = _fixed(contract.ROUTE_DOCS, page)
            for path, file in ui.pages().items():
                routes[path] = _fixed(contract.ROUTE_UI, file)
        return routes

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        head = by_name(scope["headers"])
        request = Request(scope["method"], scope["path"], head, scope.get("client"), receive)
        try:
            outcome: Response | Exception = await self.admit(request).handler(request)
        except ClientGoneError:
            self.tell_gone(request)
            return
        except Exception as error:
            outcome = error
        finally:
            self._bodies.release(request)
        answer, headers, reason = self.conclude(outcome, request)
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})
        self.tell(request, answer.status, reason)

    def admit(self, request: Request) -> Route:
        """The request's route, if there is one and the caller may take it.

        Raises:
            ProblemError: 401, 403, 404 or 405.
        """
        path = request.path
        route = self.routes.get(path)
        if route is not None:
            request.route, request.model = route.name, route.model
        if self._auth is not None and path.startswith(contract.API):
            # Before anything is told, even that there is no such path, and before the body.
            request.caller = self._auth.caller(request.headers.get(b"authorization"))
        if route is None:
            raise ProblemError(problems.NOT_FOUND, "There is no such path.")
        if request.method != route.method and (request.method, route.method) != ("HEAD", "GET"):
            raise _wrong_method(route.method)
        if route.model:
            request.caller.require(route.model)
        return route

    def trusts(self, caller: Caller) -> bool:
        """Whether what a token said holds still."""
        return self._auth is None or self._auth.holds(caller)

    def conclude(
        self, outcome: Response | Exception, request: Request
    ) -> tuple[Response, list[Header], str | None]:
        """The answer with all of its headers, and the reason that the log gets."""
        answer, reason = _concluded(outcome, request)
        if isinstance(outcome, Exception):
            _free(outcome)
        headers = [
            (b"content-length", str(len(answer.body)).encode()),
            (_REQUEST_ID_HEADER, request.id.encode()),
            *answer.headers,
        ]
        if self._info.stopping:
            headers.append((b"connection", b"close"))
        return answer, headers, reason

    def tell_gone(self, request: Request) -> None:
        """Counts and logs a request whose client did not wait for the answer."""
        self.tell(request, _GONE, "client gone")

    def tell(self, request: Request, status: int, reason: str | None) -> None:
        """Counts and logs one request."""
        duration_s = time.perf_counter() - request.started
        traffic = request.caller.traffic
        self._metrics.request(request.model, request.route, status, traffic, duration_s)
        if request.route in _QUIET and status < 400:
            return
        self._request_log.write(
            time.time(),
            _log_fields(request, status, duration_s, reason),
        )


def _log_fields(
    request: Request, status: int, duration_s: float, reason: str | None
) -> dict[str, object]:
    fields: dict[str, object] = {
        "request_id": request.id,
        "method": request.method,
        "path": request.path[:_MAX_PATH],
        "route": request.route,
        "status": status,
        "duration_ms": round(duration_s * 1000, 3),
        "traffic": request.caller.traffic,
    }
    if request.model:
        fields["model"] = request.model
    if request.caller.subject:
        fields["subject"] = request.caller.subject
    if request.client:
        fields["client"] = request.client[0]
    if reason:
        fields["reason"] = reason
    return fields


def _fixed(name: str, page: Response | Path) -> Route:
    async def handler(request: Request) -> Response:
        return docs.asset(page) if isinstance(page, Path) else page

    return Route(name, "GET", handler)


def _wrong_method(method: str) -> ProblemError:
    allow = "GET, HEAD" if method == "GET" else method
    return ProblemError(problems.METHOD, f"Use {allow}.", headers=((b"allow", allow.encode()),))


def _concluded(outcome: Response | Exception, request: Request) -> tuple[Response, str | None]:
    """The answer, and the reason that the log gets."""
    if isinstance(outcome, Response):
        return outcome, None
    if not isinstance(outcome, ProblemError):
        _log.error("a request failed", exc_info=outcome, extra={"request_id": request.id})
        outcome = ProblemError(problems.INTERNAL, "This is our fault; it is in the log.")
    return _told(outcome, request), outcome.reason or outcome.kind.slug


def _free(error: Exception) -> None:
    """Lets go of what an error's frames hold: the body, or a picture.

    A frame that holds the error in turn would keep them until Python looks for such circles.
    """
    error.__traceback__ = error.__cause__ = error.__context__ = None


def _told(problem: ProblemError, request: Request) -> Response:
    return Response(
        problem.kind.status,
        problem.document(request.id),
        (_PROBLEM_HEADER, (b"cache-control", b"no-store"), *problem.headers),
    )
