"""Queries against Debian's Prometheus, which scrapes an exporter of this test's own."""

import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from infra.config_analysis import Prometheus, Query
from infra.provider.promql import Watch
from loadtests.analysis import Limits, Needs, Reading, Side, Window
from loadtests.checks import every_check
from loadtests.slo import Slo

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = shutil.which("prometheus") or shutil.which(
    "prometheus", path=str(ROOT / "build/tools/bin")
)
pytestmark = pytest.mark.skipif(
    PROGRAM is None, reason="there is no prometheus. Run tools/setup/prometheus.sh."
)

OLD, NEW = "0ld000000000", "abcdef012345"
TIMEOUT_S = 60

CONFIG = """\
global:
  scrape_interval: 250ms
  scrape_timeout: 250ms
scrape_configs:
  - job_name: shop
    static_configs:
      - targets: ["127.0.0.1:{port}"]
"""

PAGE = f"""\
shop_orders_per_minute 42
shop_margin_usd -3.5
shop_sold_share{{release="{OLD}"}} 0.5
shop_sold_share{{release="{NEW}"}} 0.3
shop_refunds{{release="{OLD}"}} 0
shop_refunds{{release="{NEW}"}} 0
shop_by_country{{country="es"}} 1
shop_by_country{{country="pt"}} 2
shop_visitors 0
"""


class Exporter(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """One that has scraped the exporter; it ends with the tests of this file."""
    folder = tmp_path_factory.mktemp("prometheus")
    exporter = ThreadingHTTPServer(("127.0.0.1", 0), Exporter)
    threading.Thread(target=exporter.serve_forever, args=(0.05,), daemon=True).start()
    (folder / "prometheus.yml").write_text(CONFIG.format(port=exporter.server_port))
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    argv = [
        str(PROGRAM),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address={address}",
        "--log.level=warn",
    ]
    log = (folder / "log").open("wb")
    process = subprocess.Popen(argv, stdout=log, stderr=subprocess.STDOUT)
    try:
        made = Prometheus(url=f"http://{address}")
        _await_scrape(made, process, folder / "log")
        yield made
    finally:
        process.terminate()
        process.wait(30)
        log.close()
        exporter.shutdown()
        exporter.server_close()


def _await_scrape(prometheus: Prometheus, process: "subprocess.Popen[bytes]", log: Path) -> None:
    asking = Watch(prometheus, (query("shop_visitors"),), NEW, OLD)
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline and process.poll() is None:
        if asking.ask(60)[0].value is not None:
            return
        time.sleep(0.1)
    pytest.fail(f"Prometheus does not scrape: {log.read_text()}")


def query(text: str, **bounds: float) -> Query:
    return Query(name="shop", query=text, **(bounds or {"at_least": 0.0}))


def reading(prometheus: Prometheus, asked: Query) -> Reading:
    (found,) = Watch(prometheus, (asked,), NEW, OLD).ask(60)
    return found


def outcome(found: Reading) -> str:
    """What a canary whose hold is over makes of it alone."""
    nobody = Side()
    window = Window(
        duration_s=60, share=0.05, offered=0, live=nobody, candidate=nobody, readings=(found,)
    )
    needs = Needs(samples=59, slo=Slo(latency_p95_ms=200, success_ratio=0.995, min_rps=20))
    checks = [
        c
        for c in every_check(window, Limits(), needs, is_over=True)
        if (c.row and c.row.name == "query:shop")
        or any(f and f.values.get("name") == "shop" for f in (c.fails, c.doubts))
    ]
    if any(c.fails for c in checks):
        return "fail"
    return "inconclusive" if any(c.doubts for c in checks) else "pass"


@pytest.mark.parametrize(
    ("asked", "judged"),
    [
        (query("shop_orders_per_minute", at_least=40), "pass"),
        (query("shop_orders_per_minute", at_least=43), "fail"),
        (query("shop_orders_per_minute", at_most=42), "pass"),
        (query("shop_orders_per_minute", at_most=41.9), "fail"),
        (query("shop_orders_per_minute", at_least=40, at_most=41), "fail"),
        (query("shop_margin_usd", at_least=-4), "pass"),
        (query("scalar(shop_orders_per_minute)", at_least=40), "pass"),
        (query("sum(shop_by_country)", at_most=3), "pass"),
        (query('avg_over_time(shop_orders_per_minute{job="shop"}[{window}])', at_least=40), "pass"),
        (query("sum(shop_nothing) or vector(0)", at_most=0), "pass"),
    ],
)
def test_a_threshold_is_held_or_missed(prometheus: Prometheus, asked: Query, judged: str) -> None:
    assert outcome(reading(prometheus, asked)) == judged


@pytest.mark.parametrize(
    ("text", "bounds", "judged"),
    [
        ("shop_sold_share", {"ratio_to_live_at_least": 0.6}, "pass"),
        ("shop_sold_share", {"ratio_to_live_at_least": 0.61}, "fail"),
        ("shop_sold_share", {"ratio_to_live_at_most": 0.59}, "fail"),
        ("shop_refunds", {"ratio_to_live_at_most": 1.5}, "pass"),
    ],
)
def test_the_candidate_is_compared_with_live(
    prometheus: Prometheus, text: str, bounds: dict[str, float], judged: str
) -> None:
    asked = query(text + '{release="{release}"}', **bounds)
    assert outcome(reading(prometheus, asked)) == judged


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("canary_query_empty", "shop_nothing"),
        ("canary_query_empty", "shop_orders_per_minute > 100"),
        ("canary_query_many", "shop_by_country"),
        ("canary_query_nan", "shop_visitors / shop_visitors"),
        ("canary_query_nan", "shop_orders_per_minute / shop_visitors"),
        ("canary_query_kind", "shop_orders_per_minute[1m]"),
        ("canary_query_kind", '"forty-two"'),
        ("canary_query_refused", "sum(shop_orders_per_minute"),
        ("canary_query_refused", "nobody_knows(shop_visitors)"),
        (
            "canary_query_refused",
            "shop_visitors * on(job) group_left shop_by_country * on(job) shop_by_country",
        ),
    ],
)
def test_what_gives_no_number_is_inconclusive_and_says_why(
    prometheus: Prometheus, kind: str, text: str
) -> None:
    found = reading(prometheus, query(text))
    assert outcome(found) == "inconclusive"
    assert found.fault is not None
    assert found.fault.kind == kind
    assert found.fault.text().startswith("canary: query shop")


def test_a_prometheus_that_answers_may_be_asked(prometheus: Prometheus) -> None:
    assert Watch(prometheus, (query("shop_visitors"),), NEW, OLD).fault() is None
