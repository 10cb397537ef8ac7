"""Asks a Prometheus for the figures of the business that a canary is judged by."""

import json
import math
import stat
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.client import HTTPException
from pathlib import Path
from typing import Any

from infra.config_analysis import RELEASE_MARK, Prometheus, Query
from infra.provider.gate import ROOT
from loadtests.analysis import CANDIDATE, LIVE, Bound, Reading
from loadtests.reasons import Finding, finding

WINDOW_MARK = "{window}"
"""What stands in a query for the length of the window, as in `rate(orders_total[{window}])`."""

QUERY_PATH = "/api/v1/query"
MAX_BYTES = 1 << 20
MAX_WORDS = 160
OTHERS = stat.S_IRWXG | stat.S_IRWXO
ALL = "all"
"""Whom a query asks about that names no release."""


class NoValue(Exception):
    """A query gave no value: the finding says why."""

    def __init__(self, why: Finding) -> None:
        super().__init__(why.text())
        self.finding = why


@dataclass(frozen=True)
class Client:
    """One Prometheus."""

    url: str
    timeout_s: float
    token: str | None = field(default=None, repr=False)

    def value(self, name: str, side: str, expression: str) -> float:
        """The one finite number that an expression gives now.

        Args:
            name: of the query, for the reason why there is none.
            side: whom it asks about, for the same.

        Raises:
            NoValue: there is no such number.
        """
        data = self._data(name, expression)
        kind, result = data.get("resultType"), data.get("result")
        if kind == "scalar" and isinstance(result, list):
            return _number(name, side, result)
        if kind != "vector" or not isinstance(result, list):
            raise NoValue(finding("canary_query_kind", name=name, side=side, got=str(kind)))
        if not result:
            raise NoValue(finding("canary_query_empty", name=name, side=side))
        if len(result) > 1:
            raise NoValue(finding("canary_query_many", name=name, side=side, got=len(result)))
        return _number(name, side, result[0].get("value"))

    def _data(self, name: str, expression: str) -> dict[str, Any]:
        status, body = self._ask(expression)
        try:
            told = json.loads(body)
        except ValueError:
            told = None
        data = told.get("data") if isinstance(told, dict) else None
        if status == 200 and isinstance(data, dict):
            return data
        error = told.get("error") if isinstance(told, dict) else None
        why = _short(str(error)) if error else f"status {status}, and no answer of a Prometheus"
        if status >= 500:
            raise NoValue(self._silence(why))
        if status in (401, 403):
            why = f"status {status}: it wants another token"
        raise NoValue(finding("canary_query_refused", name=name, why=why))

    def _ask(self, expression: str) -> tuple[int, bytes]:
        """Status and body of the answer.

        Raises:
            NoValue: there is none.
        """
        form = {"query": expression, "timeout": f"{self.timeout_s:g}s"}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        asked = urllib.request.Request(  # noqa: S310 - the configuration takes http and https only
            self.url + QUERY_PATH, urllib.parse.urlencode(form).encode(), headers
        )
        try:
            with _OPENER.open(asked, timeout=self.timeout_s) as reply:
                return reply.status, self._body(reply)
        except (OSError, ValueError, HTTPException) as e:  # the last two: it does not speak HTTP
            reason = getattr(e, "reason", e)
            raise NoValue(self._silence(_short(str(reason) or type(e).__name__))) from e

    def _body(self, reply: Any) -> bytes:
        """All of an answer, unless it takes too long or is too long."""
        body, end = b"", time.monotonic() + self.timeout_s
        while chunk := reply.read(1 << 16):
            body += chunk
            if len(body) > MAX_BYTES or time.monotonic() > end:
                raise TimeoutError("its answer does not end")
        return body

    def _silence(self, why: str) -> Finding:
        return finding("canary_prometheus_silent", url=self.url, why=why)


class _AnyStatus(urllib.request.HTTPErrorProcessor):
    """Takes every answer as it is: a redirect would take the token along, wherever it leads."""

    def http_response(self, request: urllib.request.Request, response: Any) -> Any:
        """Of plain HTTP."""
        return response

    https_response = http_response


_OPENER = urllib.request.build_opener(_AnyStatus)


class Watch:
    """The queries of one canary, and how often each missed its bounds in a row."""

    def __init__(
        self,
        prometheus: Prometheus | None,
        queries: tuple[Query, ...],
        release: str,
        live_release: str,
    ) -> None:
        self._prometheus = prometheus
        self._queries = queries if prometheus else ()
        self._releases = {CANDIDATE: release, LIVE: live_release, ALL: ""}
        self._misses: dict[str, int] = {}

    def fault(self) -> Finding | None:
        """Why nothing can be asked at all; None: it can, or there is nothing to ask."""
        if self._prometheus is None or not self._queries:
            return None
        try:
            client(self._prometheus).value("vector(1)", ALL, "vector(1)")
        except NoValue as e:
            return e.finding
        return None

    def ask(self, window_s: float) -> tuple[Reading, ...]:
        """What every query gives now."""
        return tuple(self._reading(query, window_s) for query in self._queries)

    def _reading(self, query: Query, window_s: float) -> Reading:
        try:
            reading = self._read(query, window_s)
        except NoValue as e:
            self._misses[query.name] = 0
            return Reading(name=query.name, fault=e.finding)
        value = reading.value
        is_missed = value is not None and not all(b.holds(value) for b in reading.bounds)
        misses = self._misses.get(query.name, 0) + 1 if is_missed else 0
        self._misses[query.name] = misses
        return replace(reading, misses=misses)

    def _read(self, query: Query, window_s: float) -> Reading:
        asked = client(self._prometheus) if self._prometheus else None
        if asked is None:
            return Reading(name=query.name)

        def value(side: str) -> float:
            text = query.query.replace(RELEASE_MARK, self._releases[side])
            text = text.replace(WINDOW_MARK, f"{max(1, math.ceil(window_s))}s")
            return asked.value(query.name, side, text)

        candidate = value(CANDIDATE if RELEASE_MARK in query.query else ALL)
        live = value(LIVE) if query.compares else None
        return Reading(
            name=query.name, value=candidate, bounds=tuple(bounds(query, query.name, live))
        )


def bounds(query: Query, name: str, live: float | None) -> Iterator[Bound]:
    """What a query's value is held against, live's share worked out.

    Raises:
        NoValue: live's value is one that no share can be taken of.
    """
    if query.at_most is not None:
        yield Bound(is_upper=True, limit=query.at_most)
    if query.at_least is not None:
        yield Bound(is_upper=False, limit=query.at_least)
    if live is None:
        return
    if live < 0:
        raise NoValue(finding("canary_query_negative", name=name, got=live))
    if query.ratio_to_live_at_most is not None:
        yield Bound(is_upper=True, limit=query.ratio_to_live_at_most * live)
    if query.ratio_to_live_at_least is not None:
        yield Bound(is_upper=False, limit=query.ratio_to_live_at_least * live)


def client(prometheus: Prometheus) -> Client:
    """Whom to ask, with the token as its file has it now.

    Raises:
        NoValue: the token cannot be read, or others may read it too.
    """
    token = _token(prometheus.token_file) if prometheus.token_file else None
    return Client(prometheus.url, prometheus.timeout_s, token)


def _token(file: str) -> str:
    path = ROOT / Path(file).expanduser()
    try:
        if path.stat().st_mode & OTHERS:
            raise NoValue(finding("canary_token_file", path=file, why="others may read it"))
        token = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as e:
        why = getattr(e, "strerror", None) or "it is no text"
        raise NoValue(finding("canary_token_file", path=file, why=why)) from e
    if not token or not token.isprintable() or " " in token:
        raise NoValue(finding("canary_token_file", path=file, why="it holds no token"))
    return token


def _number(name: str, side: str, sample: Any) -> float:
    """The value of `[time, "value"]`."""
    text = str(sample[1]) if isinstance(sample, list) and len(sample) == 2 else "no sample"
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise NoValue(finding("canary_query_nan", name=name, side=side, got=_short(text)))
    return value


def _short(text: str) -> str:
    return " ".join(text.split())[:MAX_WORDS].rstrip(".")
