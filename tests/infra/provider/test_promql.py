"""Queries against a stand-in for Prometheus: what is taken for a number, and what for none."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import pytest

from infra.config_analysis import Prometheus, Query
from infra.provider import promql
from infra.provider.promql import Watch
from loadtests.analysis import Bound, Reading

OLD, NEW = "0ld000000000", "abcdef012345"
SECRET = "s3cr3t-t0k3n"


class StandIn:
    """Answers every query with what `answer` makes of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.tokens: list[str | None] = []
        self.answer: Callable[[str], tuple[int, bytes]] = lambda _: told(sample("1"))
        self.headers: dict[str, str] = {}
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                form = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
                stand_in.asked.append(form["query"][0])
                stand_in.tokens.append(self.headers["Authorization"])
                assert self.path == "/prefix/api/v1/query"
                status, body = stand_in.answer(form["query"][0])
                self.send_response(status)
                for name, value in stand_in.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/prefix"
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]  # it hung up
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


def sample(value: str) -> dict[str, Any]:
    return {"metric": {"job": "shop"}, "value": [1_700_000_000.1, value]}


def told(*samples: dict[str, Any], kind: str = "vector") -> tuple[int, bytes]:
    data = {"resultType": kind, "result": list(samples)}
    return 200, json.dumps({"status": "success", "data": data}).encode()


def refused(status: int, error: str) -> tuple[int, bytes]:
    body = {"status": "error", "errorType": "bad_data", "error": error}
    return status, json.dumps(body).encode()


@pytest.fixture
def stand_in() -> Iterator[StandIn]:
    made = StandIn()
    yield made
    made.close()


def watch(stand_in: StandIn, *queries: Query, token_file: str = "", timeout_s: int = 10) -> Watch:
    prometheus = Prometheus(url=stand_in.url, token_file=token_file, timeout_s=timeout_s)
    return Watch(prometheus, queries, NEW, OLD)


def query(text: str = "orders", name: str = "orders", **bounds: float) -> Query:
    return Query(name=name, query=text, **(bounds or {"at_least": 8.0}))


def only(readings: tuple[Reading, ...]) -> Reading:
    (reading,) = readings
    return reading


def fault_of(stand_in: StandIn, asked: Query | None = None, **changes: Any) -> str:
    """The kind of finding that a query gives in the place of a number."""
    reading = only(watch(stand_in, asked or query(), **changes).ask(60))
    assert reading.value is None
    assert reading.fault is not None
    assert reading.fault.text()
    return reading.fault.kind


# -- numbers ------------------------------------------------------------------------------------


@pytest.mark.parametrize(("value", "number"), [("9", 9), ("-2.5e3", -2500), ("0", 0)])
def test_one_series_is_a_number(stand_in: StandIn, value: str, number: float) -> None:
    stand_in.answer = lambda _: told(sample(value))
    reading = only(watch(stand_in, query()).ask(60))
    assert (reading.value, reading.fault) == (number, None)
    assert reading.bounds == (Bound(is_upper=False, limit=8),)


def test_a_scalar_is_a_number_too(stand_in: StandIn) -> None:
    data = {"resultType": "scalar", "result": [1, "4"]}
    stand_in.answer = lambda _: (200, json.dumps({"status": "success", "data": data}).encode())
    assert only(watch(stand_in, query()).ask(60)).value == 4


def test_the_release_and_the_window_are_put_into_the_query(stand_in: StandIn) -> None:
    text = 'sum(rate(orders{release="{release}"}[{window}]))'
    watch(stand_in, query(text)).ask(62.2)
    assert stand_in.asked == [f'sum(rate(orders{{release="{NEW}"}}[63s]))']


def test_live_is_asked_the_same_and_bounds_the_candidates_value(stand_in: StandIn) -> None:
    stand_in.answer = lambda text: told(sample("10" if OLD in text else "7"))
    compared = query(
        'orders{release="{release}"}', ratio_to_live_at_least=0.8, ratio_to_live_at_most=1.2
    )
    reading = only(watch(stand_in, compared).ask(60))
    assert stand_in.asked == [f'orders{{release="{NEW}"}}', f'orders{{release="{OLD}"}}']
    assert reading.value == 7
    assert reading.bounds == (Bound(is_upper=True, limit=12), Bound(is_upper=False, limit=8))


def test_live_at_zero_allows_the_candidate_zero_and_no_more(stand_in: StandIn) -> None:
    stand_in.answer = lambda _: told(sample("0"))
    reading = only(watch(stand_in, query("refunds{release}", ratio_to_live_at_most=1.5)).ask(60))
    assert reading.bounds[0].holds(reading.value or 0)
    assert not reading.bounds[0].holds(0.1)


def test_misses_in_a_row_are_counted_and_a_hit_begins_anew(stand_in: StandIn) -> None:
    asking = watch(stand_in, query())
    found = []
    for value in ("1", "2", "9", "3", "NaN", "4"):
        stand_in.answer = lambda _, value=value: told(sample(value))
        found.append(only(asking.ask(60)).misses)
    assert found == [1, 2, 0, 1, 0, 1]


# -- none ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        ("canary_query_empty", told()),
        ("canary_query_many", told(sample("1"), sample("2"))),
        ("canary_query_nan", told(sample("NaN"))),
        ("canary_query_nan", told(sample("+Inf"))),
        ("canary_query_nan", told(sample("many"))),
        ("canary_query_nan", told({"metric": {}})),
        ("canary_query_kind", told(kind="matrix")),
        ("canary_query_kind", told(kind="string")),
        ("canary_query_refused", refused(400, "parse error: unclosed left parenthesis")),
        ("canary_query_refused", refused(422, "many-to-many matching not allowed")),
        ("canary_query_refused", (401, b"who are you?")),
        ("canary_query_refused", (404, b"<html>not here</html>")),
        ("canary_query_refused", (200, b"<html>a login page</html>")),
        ("canary_query_refused", (302, b"")),
        ("canary_prometheus_silent", (503, b"starting")),
        ("canary_prometheus_silent", refused(503, "query timed out")),
        ("canary_prometheus_silent", (200, b"x" * (promql.MAX_BYTES + 1))),
    ],
)
def test_what_is_no_number_says_why(
    stand_in: StandIn, kind: str, answer: tuple[int, bytes]
) -> None:
    stand_in.answer = lambda _: answer
    assert fault_of(stand_in) == kind


def test_live_below_zero_has_no_shares(stand_in: StandIn) -> None:
    stand_in.answer = lambda _: told(sample("-1"))
    compared = query("margin{release}", ratio_to_live_at_least=0.9)
    assert fault_of(stand_in, compared) == "canary_query_negative"


def test_a_number_for_one_side_only_is_none(stand_in: StandIn) -> None:
    stand_in.answer = lambda text: told() if OLD in text else told(sample("1"))
    compared = query("orders{release}", ratio_to_live_at_least=0.9)
    reading = only(watch(stand_in, compared).ask(60))
    assert reading.fault is not None
    assert reading.fault.values == {"name": "orders", "side": "live"}


def test_nobody_who_listens_is_silence(stand_in: StandIn) -> None:
    stand_in.close()
    assert fault_of(stand_in) == "canary_prometheus_silent"


def test_an_answer_that_does_not_come_is_silence(stand_in: StandIn) -> None:
    ended = threading.Event()

    def late(_: str) -> tuple[int, bytes]:
        ended.wait(20)
        return told(sample("1"))

    stand_in.answer = late
    assert fault_of(stand_in, timeout_s=1) == "canary_prometheus_silent"
    ended.set()


# -- the token ----------------------------------------------------------------------------------


def token_file(folder: Path, content: str = f"{SECRET}\n", mode: int = 0o600) -> str:
    path = folder / "token"
    path.write_text(content)
    path.chmod(mode)
    return str(path)


def test_the_token_is_sent_and_never_told(stand_in: StandIn, tmp_path: Path) -> None:
    asking = watch(stand_in, query(), token_file=token_file(tmp_path))
    stand_in.answer = lambda _: (401, b"no")
    reading = only(asking.ask(60))
    assert stand_in.tokens == [f"Bearer {SECRET}"]
    assert reading.fault is not None
    assert SECRET not in reading.fault.text()
    assert SECRET not in repr(promql.client(asking._prometheus))  # type: ignore[arg-type]


def test_a_redirect_is_not_followed_with_the_token(stand_in: StandIn, tmp_path: Path) -> None:
    other = StandIn()
    stand_in.headers = {"Location": f"{other.url}/api/v1/query"}
    stand_in.answer = lambda _: (307, b"")
    assert fault_of(stand_in, token_file=token_file(tmp_path)) == "canary_query_refused"
    assert other.asked == []
    other.close()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660])
def test_a_token_that_others_may_read_is_not_used(
    stand_in: StandIn, tmp_path: Path, mode: int
) -> None:
    assert fault_of(stand_in, token_file=token_file(tmp_path, mode=mode)) == "canary_token_file"
    assert stand_in.asked == []


@pytest.mark.parametrize("content", ["", "\n", "two words", "token\x00", "contrase\xf1a"])
def test_a_file_without_a_token_is_told(stand_in: StandIn, tmp_path: Path, content: str) -> None:
    assert fault_of(stand_in, token_file=token_file(tmp_path, content)) == "canary_token_file"
    assert stand_in.asked == []


def test_a_missing_file_is_told(stand_in: StandIn, tmp_path: Path) -> None:
    assert fault_of(stand_in, token_file=str(tmp_path / "none")) == "canary_token_file"


# -- before a canary ----------------------------------------------------------------------------


def test_whether_it_answers_is_known_before_the_first_user_is_asked(stand_in: StandIn) -> None:
    assert watch(stand_in, query()).fault() is None
    assert stand_in.asked == ["vector(1)"]
    stand_in.answer = lambda _: (503, b"")
    fault = watch(stand_in, query()).fault()
    assert fault is not None
    assert fault.kind == "canary_prometheus_silent"


def test_nobody_is_asked_where_there_is_nothing_to_ask(stand_in: StandIn) -> None:
    assert watch(stand_in).fault() is None
    assert Watch(None, (), NEW, OLD).fault() is None
    assert Watch(None, (), NEW, OLD).ask(60) == ()
    assert stand_in.asked == []
