"""The ASGI application: routes, who may call, problems, and what is told of every request."""

import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import orjson

from service import contract
from service.api import docs, openapi, problems
from service.api.bodies import Bodies, ClientGoneError
from service.api.info import Info
from service.api.messages import Receive, Request, Response, Scope, Send
from service.api.predict import Predictor
from service.api.problems import ProblemError
from service.auth import ANYONE, Auth
from service.fleet import Fleet
from service.settings import Settings
from service.telemetry import LOGGER, Metrics, RequestLog

_log = logging.getLogger(f"{LOGGER}.api")
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._-]{1,64}")
_REQUEST_ID_HEADER = contract.REQUEST_ID_HEADER.lower().encode()
_PROBLEM_HEADER = (b"content-type", contract.PROBLEM_TYPE.encode())
_GONE = 499  # in metrics and logs, as nginx has it: nobody was there to be answered
_QUIET = {contract.ROUTE_LIVEZ, contract.ROUTE_READYZ}

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
        self._predictor = Predictor(fleet, self._bodies, settings.release)
        self.routes = self._routes(fleet, settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI's entry; whoever runs the application starts and stops it, not the lifespan."""
        if scope["type"] == "http":
            await self._http(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    def stop_soon(self) -> None:
        """From now on not ready, and connections are closed after each answer."""
        self._info.stopping = True

    def close(self) -> None:
        """Ends the threads and writes the last lines."""
        self._predictor.close()
        self._request_log.flush()

    def _routes(self, fleet: Fleet, settings: Settings) -> dict[str, Route]:
        info, predictor = self._info, self._predictor
        routes = {
            contract.LIVEZ: Route(contract.ROUTE_LIVEZ, "GET", info.livez),
            contract.READYZ: Route(contract.ROUTE_READYZ, "GET", info.readyz),
            contract.MODELS: Route(contract.ROUTE_MODELS, "GET", info.models),
        }
        for name in fleet.specs:
            one, many = contract.predict_path(name), contract.predict_batch_path(name)
            routes[one] = Route(contract.ROUTE_PREDICT, "POST", predictor.one, name)
            routes[many] = Route(contract.ROUTE_PREDICT_BATCH, "POST", predictor.many, name)
        if settings.docs:
            document = openapi.document(
                fleet.specs.values(), settings.release, auth=self._auth is not None
            )
            described = Response(200, orjson.dumps(document))
            routes[contract.OPENAPI] = _fixed(contract.ROUTE_OPENAPI, described)
            for path, page in docs.pages().items():
                routes[path] = _fixed(contract.ROUTE_DOCS, page)
        return routes

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, time.perf_counter())
        given = request.headers.get(_REQUEST_ID_HEADER, b"")
        request.id = given.decode() if _REQUEST_ID.fullmatch(given) else secrets.token_hex(16)
        reason = None
        try:
            answer = await self._answer(request)
        except ProblemError as problem:
            reason = problem.reason or problem.kind.slug
            answer = _told(problem, request)
        except ClientGoneError:
            self._tell(request, scope, _GONE, "client gone")
            return
        except Exception:
            _log.exception("a request failed", extra={"request_id": request.id})
            answer = _told(
                ProblemError(problems.INTERNAL, "This is our fault; it is in the log."), request
            )
        finally:
            self._bodies.release(request)
        await self._send(answer, request, send)
        self._tell(request, scope, answer.status, reason)

    async def _answer(self, request: Request) -> Response:
        path = request.path
        route = self.routes.get(path)
        if route is not None:
            request.route, request.model = route.name, route.model
        caller = ANYONE
        if self._auth is not None and path.startswith(contract.API):
            # Before anything is told, even that there is no such path, and before the body.
            caller = self._auth.caller(request.headers.get(b"authorization"))
            request.subject, request.traffic = caller.subject, caller.traffic
        if route is None:
            raise ProblemError(problems.NOT_FOUND, "There is no such path.")
        if request.method != route.method and (request.method, route.method) != ("HEAD", "GET"):
            raise _wrong_method(route.method)
        if route.model:
            caller.require(route.model)
        return await route.handler(request)

    async def _send(self, answer: Response, request: Request, send: Send) -> None:
        headers = [
            (b"content-length", str(len(answer.body)).encode()),
            (_REQUEST_ID_HEADER, request.id.encode()),
            *answer.headers,
        ]
        if self._info.stopping:
            headers.append((b"connection", b"close"))
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    def _tell(self, request: Request, scope: Scope, status: int, reason: str | None) -> None:
        duration_s = time.perf_counter() - request.started
        self._metrics.request(request.model, request.route, status, request.traffic, duration_s)
        if request.route in _QUIET and status < 400:
            return
        client = scope.get("client")
        self._request_log.write(
            time.time(),
            {
                "request_id": request.id,
                "method": request.method,
                "path": request.path,
                "route": request.route,
                "model": request.model,
                "status": status,
                "duration_ms": round(duration_s * 1000, 3),
                "traffic": request.traffic,
                "subject": request.subject,
                "client": client[0] if client else None,
                "reason": reason,
            },
        )


def _fixed(name: str, page: Response | Path) -> Route:
    async def handler(request: Request) -> Response:
        return docs.asset(page) if isinstance(page, Path) else page

    return Route(name, "GET", handler)


def _wrong_method(method: str) -> ProblemError:
    allow = "GET, HEAD" if method == "GET" else method
    return ProblemError(problems.METHOD, f"Use {allow}.", headers=((b"allow", allow.encode()),))


def _told(problem: ProblemError, request: Request) -> Response:
    return Response(
        problem.kind.status,
        problem.document(request.id),
        (_PROBLEM_HEADER, (b"cache-control", b"no-store"), *problem.headers),
    )
