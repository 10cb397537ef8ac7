"""A replica's page of metrics, as a real service gives it."""

import math

from infra.commands import scrape
from loadtests.durations import Durations
from service import contract
from service.contract.metrics import REQUEST_DURATION
from service.telemetry import Metrics

R = "abcdef012345"


def page_of(*requests: tuple[str, str, int, str, float]) -> scrape.Page:
    metrics = Metrics(R)
    for model, route, code, traffic, seconds in requests:
        metrics.request(model, route, code, traffic, seconds)
    return scrape.parse(metrics.render().decode())


def test_predictions_are_counted_by_model_and_traffic() -> None:
    page = page_of(
        ("energy", "predict", 200, "user", 0.003),
        ("energy", "predict", 200, "user", 0.04),
        ("energy", "predict_batch", 200, "user", 0.04),
        ("energy", "predict", 200, "gate", 0.003),
        ("octagon", "explain", 200, "user", 20.0),
    )
    assert page.release == R
    assert {key: d.count for key, d in page.durations.items()} == {
        ("energy", "user"): 3,
        ("energy", "gate"): 1,
        ("octagon", "user"): 1,
    }
    energy = page.durations["energy", "user"].at_most
    assert (energy[0.0025], energy[0.005], energy[0.05], energy[math.inf]) == (0, 1, 3, 3)
    assert set(energy) == {*REQUEST_DURATION.buckets, math.inf}
    assert page.durations["octagon", "user"] == Durations(
        {**dict.fromkeys(REQUEST_DURATION.buckets, 0), math.inf: 1}
    )


def test_health_checks_and_pages_are_no_predictions() -> None:
    page = page_of(
        ("", contract.ROUTE_READYZ, 200, "user", 0.001), ("", "other", 404, "user", 0.001)
    )
    assert page.has_durations
    assert page.durations == {}
    assert page.refused == {}


def test_refused_are_4xx_of_predictions_without_those_that_are_nobodys_fault() -> None:
    asked = [200, 401, 422, 422, 429, 499, 500, 503]
    page = page_of(*(("energy", "predict", code, "user", 0.003) for code in asked))
    assert page.refused == {("energy", "user"): 3}


def test_a_process_tells_when_it_was_started() -> None:
    assert page_of().started
    assert page_of().started == page_of().started


def test_a_page_without_the_histogram_says_so() -> None:
    assert not page_of().has_durations
    assert scrape.parse("") == scrape.Page()
    assert scrape.parse("<html>no metrics</html>\n") == scrape.Page()


def test_a_damaged_line_is_left_out() -> None:
    name = REQUEST_DURATION.name
    text = f'{name}_bucket{{le="0.1",model="m",route="predict",traffic="user"}} x\n'
    assert scrape.parse(text) == scrape.Page()
