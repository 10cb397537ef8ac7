"""What the service tells of itself: Prometheus metrics and log lines; never a token or a body."""

import asyncio
import itertools
import logging
import sys
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import IO, Any

import orjson
import prometheus_client
from prometheus_client import CollectorRegistry, Gauge, Histogram, ProcessCollector
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from service.cards import Cards
from service.contract import metrics
from service.contract.metrics import Metric

LOGGER = "bentofleet"
_FLUSH_S = 0.1
_FLUSH_LINES = 500

# The time at which each series began: twice the series, and nobody reads them.
prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]


class Metrics:
    """The contract's metrics, in a registry of our own so that nothing else is scraped.

    Attributes:
        request: counts one answered request: model, route, code, traffic, seconds.
    """

    def __init__(self, release: str) -> None:
        """All series that do not depend on a request are there at once."""
        self._registry = CollectorRegistry()
        ProcessCollector(registry=self._registry)
        self._requests = _Requests()
        self._registry.register(self._requests)
        self._cards = Cards()
        self._registry.register(self._cards)
        self._inference = self._histogram(metrics.INFERENCE_DURATION)
        self._batches = self._histogram(metrics.BATCH_SIZE)
        self._queue = self._gauge(metrics.QUEUE_DEPTH)
        self._models = self._gauge(metrics.MODEL_INFO)
        self._rates = self._gauge(metrics.MODEL_RATE)
        self._gauge(metrics.WORKERS).set(1)
        self._gauge(metrics.RELEASE_INFO).labels(release=release).set(1)
        self.request = self._requests.count

    def loaded(
        self, model: str, version: str, runtime: str, device: str, rates: Mapping[str, float]
    ) -> None:
        """Tells that a model is ready, and of each device how many items a second it does."""
        self._models.labels(model=model, version=version, runtime=runtime, device=device).set(1)
        for where, rate in rates.items():
            self._rates.labels(model=model, device=where).set(rate)

    def queue(self, model: str, depth: Callable[[], float]) -> None:
        """Shows the length of a queue, asked at each scrape."""
        self._queue.labels(model=model).set_function(depth)

    def runs(self, model: str, runtime: str, device: str) -> Callable[[float, int], None]:
        """A function that counts one run of the model: seconds, items."""
        inference = self._inference.labels(model=model, runtime=runtime, device=device)
        batches = self._batches.labels(model=model)

        def count(duration_s: float, items: int) -> None:
            inference.observe(duration_s)
            batches.observe(items)

        return count

    async def scrape(self) -> bytes:
        """The scrape's text, after the cards were asked."""
        await self._cards.refresh()
        return self.render()

    def render(self) -> bytes:
        """The scrape's text, with what is known of the cards."""
        return prometheus_client.generate_latest(self._registry)

    def _gauge(self, metric: Metric) -> Gauge:
        return Gauge(metric.name, metric.meaning, metric.labels, registry=self._registry)

    def _histogram(self, metric: Metric) -> Histogram:
        return Histogram(
            metric.name,
            metric.meaning,
            metric.labels,
            registry=self._registry,
            buckets=metric.buckets,
        )


class _Requests(Collector):
    """Counts requests: for the event loop's thread alone, which is why it needs no locks.

    The library's own counter and histogram, each with one, cost a tenth of a whole answer.
    """

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int, str], list[int]] = {}
        self._durations: dict[tuple[str, str, str], _Durations] = {}
        self._bounds = metrics.REQUEST_DURATION.buckets

    def count(self, model: str, route: str, code: int, traffic: str, duration_s: float) -> None:
        try:
            self._counts[model, route, code, traffic][0] += 1
            durations = self._durations[model, route, traffic]
        except KeyError:
            self._counts[model, route, code, traffic] = [1]
            durations = self._durations.setdefault(
                (model, route, traffic), _Durations(len(self._bounds) + 1)
            )
        durations.sum_s += duration_s
        durations.counts[bisect_left(self._bounds, duration_s)] += 1

    def collect(self) -> Iterator[prometheus_client.Metric]:
        total, duration = metrics.REQUESTS_TOTAL, metrics.REQUEST_DURATION
        requests = CounterMetricFamily(total.name, total.meaning, labels=total.labels)
        for (model, route, code, traffic), (count,) in self._counts.items():
            requests.add_metric((model, route, str(code), traffic), count)
        yield requests
        histogram = HistogramMetricFamily(duration.name, duration.meaning, labels=duration.labels)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for labels, durations in self._durations.items():
            sums = itertools.accumulate(durations.counts)
            histogram.add_metric(labels, list(zip(bounds, sums, strict=True)), durations.sum_s)
        yield histogram


class _Durations:
    """How many requests fell between two bounds each, and their sum."""

    __slots__ = ("counts", "sum_s")

    def __init__(self, buckets: int) -> None:
        self.counts = [0] * buckets
        self.sum_s = 0.0


class RequestLog:
    """One line per request, gathered for a moment and written together."""

    def __init__(self, *, json_logs: bool, stream: IO[bytes] | None = None) -> None:
        """Writes to stdout unless told otherwise."""
        self._json = json_logs
        self._stream = stream
        self._lines: list[bytes] = []

    def write(self, now: float, fields: dict[str, Any]) -> None:
        """Adds a line; it is out after a tenth of a second at the latest.

        Args:
            now: seconds since 1970.
            fields: without secrets, and short.
        """
        time = _stamp(now)
        if self._json:
            line = orjson.dumps({"time": time, "level": "info", "message": "request", **fields})
        else:
            # Values as JSON: a client's path must not look like a line of ours.
            told = [b"%s=%s" % (name.encode(), orjson.dumps(fields[name])) for name in fields]
            line = b" ".join([f"{time} info request".encode(), *told])
        self._lines.append(line)
        if len(self._lines) == 1:
            asyncio.get_running_loop().call_later(_FLUSH_S, self.flush)
        elif len(self._lines) >= _FLUSH_LINES:
            self.flush()

    def flush(self) -> None:
        """Writes what was gathered."""
        if not self._lines:
            return
        lines, self._lines = self._lines, []
        stream = self._stream or sys.stdout.buffer
        stream.write(b"\n".join(lines) + b"\n")
        stream.flush()


class _Lines(logging.Formatter):
    """Log records in the form of the request lines."""

    def __init__(self, *, json_logs: bool) -> None:
        super().__init__()
        self._json = json_logs

    def format(self, record: logging.LogRecord) -> str:
        fields: dict[str, Any] = {
            "time": _stamp(record.created),
            "level": record.levelname.lower(),
            "message": record.getMessage(),
            "logger": record.name,
        }
        if request_id := getattr(record, "request_id", None):
            fields["request_id"] = request_id
        if record.exc_info:
            fields["traceback"] = self.formatException(record.exc_info)
        if self._json:
            return orjson.dumps(fields, default=str).decode()
        head = " ".join(str(fields[name]) for name in ("time", "level", "message"))
        rest = [f"{name}={fields[name]}" for name in ("request_id", "traceback") if name in fields]
        return " ".join([head, *rest])


def configure_logs(*, json_logs: bool, whole_process: bool) -> None:
    """Sends log records to stdout in our form.

    Args:
        json_logs: one JSON object a line, else text.
        whole_process: other libraries' warnings and the server's lines too; else ours alone.
    """
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_Lines(json_logs=json_logs))
    ours = logging.getLogger(LOGGER)
    ours.setLevel(logging.INFO)
    if whole_process:
        logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
        logging.captureWarnings(capture=True)
    else:
        ours.handlers = [handler]
        ours.propagate = False


def _stamp(now: float) -> str:
    second, milliseconds = divmod(int(now * 1000), 1000)
    return f"{_second(second)}.{milliseconds:03d}+00:00"


@lru_cache(maxsize=1)
def _second(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
