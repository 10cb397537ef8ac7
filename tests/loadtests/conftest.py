"""A stand-in service on loopback, and figures of a good load test to spoil."""

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from bentos.catalog import MODELS
from loadtests.slo import Slo, judge
from loadtests.verdict import Figures, Step, Verdict
from service import contract


class StandIn:
    """Answers as the contract says, from the examples of the catalog's specs.

    Attributes:
        asked: requests by path.
        tokens: values of the Authorization header that came.
        spoil: called with model and number of the request; what it returns is sent instead.
        before_answer: called before each prediction is answered.
    """

    def __init__(self) -> None:
        self.release = "r1"
        self.status = 200
        self.reasons: list[str] = []
        self.needs_token = False
        self.asked: Counter[str] = Counter()
        self.tokens: set[str | None] = set()
        self.spoil: Callable[[str, int], tuple[int, dict[str, Any]] | None] = lambda _m, _n: None
        self.before_answer: Callable[[], None] = lambda: None
        self._lock = threading.Lock()
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1  # one packet per answer, whatever its parts

            def do_GET(self) -> None:
                stand_in.get(self)

            def do_POST(self) -> None:
                stand_in.post(self)

            def log_message(self, *_: object) -> None:
                """Says nothing."""

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, *_: object) -> None:
                """A load test that is stopped leaves connections in the middle."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def predictions(self) -> int:
        """Requests for a prediction."""
        return sum(n for path, n in self.asked.items() if path.endswith("/predict"))

    def close(self) -> None:
        """Listens no more."""
        self._server.shutdown()
        self._server.server_close()

    def get(self, handler: BaseHTTPRequestHandler) -> None:
        """Readiness and the list of models."""
        if handler.path == contract.READYZ:
            body: dict[str, Any] = {
                "status": "ready",
                "models": {m: {"version": "v1"} for m in MODELS},
            }
            body |= {"reasons": self.reasons} if self.reasons else {}
            self._send(handler, self.status, body, {contract.RELEASE_HEADER: self.release})
        elif self.needs_token and handler.headers.get("Authorization") != "Bearer good":
            self._send(handler, 401, {"title": "Unauthorized"})
        else:
            self._send(handler, 200, {"models": []})

    def post(self, handler: BaseHTTPRequestHandler) -> None:
        """A prediction."""
        handler.rfile.read(int(handler.headers["Content-Length"]))
        with self._lock:
            self.asked[handler.path] += 1
            self.tokens.add(handler.headers.get("Authorization"))
            number = self.asked[handler.path]
        self.before_answer()
        model = handler.path.split("/")[2]
        self._send(handler, *(self.spoil(model, number) or (200, self.answer(model))))

    def answer(self, model: str) -> dict[str, Any]:
        """An answer that the contract allows."""
        own = {field.name: field.example for field in MODELS[model].answer}
        common = {"model": model, "version": "v1", "release": self.release}
        return own | common | {"processing_time_ms": 1.0}

    def _send(
        self,
        handler: BaseHTTPRequestHandler,
        status: int,
        body: dict[str, Any],
        headers: dict[str, str] | None = None,
    ) -> None:
        payload = json.dumps(body).encode()
        handler.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(payload))}.items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(payload)


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    server = StandIn()
    yield server
    server.close()


@pytest.fixture
def second_stand_in() -> Iterator[StandIn]:
    """The same service on a second machine."""
    server = StandIn()
    yield server
    server.close()


@pytest.fixture
def slo() -> Slo:
    return Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20)


def _counts(requests: int, p95_ms: float) -> dict[str, Any]:
    return {
        "requests": requests,
        "failures": 0,
        "unanswered": 0,
        "rps": requests / 60,
        "latency_ms": {"p50": 12.5, "p95": p95_ms, "p99": 88.0},
        "error_ratio": 0.0,
    }


@pytest.fixture
def gate() -> dict[str, Any]:
    """Figures of a load test that passes."""
    return {
        "schema_version": 1,
        "started_at": "2026-11-24T22:10:11.000+00:00",
        "duration_s": 86.3,
        "plan": {
            "models": ["energy", "wildlife"],
            "rate_rps": 30,
            "steady_s": 60,
            "slo": {"latency_p95_ms": 200, "success_ratio": 0.995, "min_rps": 20},
        },
        **_counts(1800, 60.5),
        "models": {"energy": _counts(900, 20.25), "wildlife": _counts(900, 71.0)},
        "steady_s": 60.0,
        "offered_rps": 30.0,
        "lag_ms": {"p50": 0.5, "p95": 1.5, "p99": 4.0},
        "client_cpu_ratio": 0.05,
        "saturation_rps": 212.4,
        "saturation": {"users": 16},
        "series": [
            {"t_s": t, "phase": phase, "rps": 30, "p50_ms": 12.0, "p95_ms": 60.0, "errors": t % 2}
            for t, phase in enumerate(["warmup"] * 3 + ["steady"] * 6 + ["saturation"] * 3)
        ],
        "errors": [],
    }


@pytest.fixture
def verdict(gate: dict[str, Any], slo: Slo) -> Verdict:
    """The verdict on figures that pass."""
    judgement = judge(gate, slo)
    return Verdict(
        verdict=judgement.verdict,
        reasons=judgement.reasons,
        stack="demo",
        target="local",
        release="3f9a1c02b7de",
        attempt=2,
        image="localhost/bentofleet/service:cpu-8d2f60c1a9be",
        bento="bentofleet:qx3v5kfu2o",
        models={"energy": "4b0c9d1e7a52", "wildlife": "e07715ca4f31"},
        accelerator="cpu",
        profile="release",
        runner="here",
        started_at="2026-11-24T22:10:05.250+00:00",
        duration_s=95.0,
        figures=Figures.of(gate),
        slo=judgement.rows,
        steps=(
            Step(
                step="ready",
                started_at="2026-11-24T22:10:05.300+00:00",
                duration_s=6.2,
                result="pass",
                detail="2 replicas are ready",
            ),
            Step(
                step="gate",
                started_at="2026-11-24T22:10:11.500+00:00",
                duration_s=86.3,
                result="pass",
                detail="30 requests/s for 60 s",
            ),
        ),
        cost=None,
        cost_reason="No price is known.",
    )
