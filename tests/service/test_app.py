"""The service under BentoML: `bentoml serve`, and which paths answer there."""

import asyncio
import importlib
import warnings

import httpx
import pytest

from service import contract

ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}


@pytest.fixture(scope="module")
def app():
    """The module with the BentoML service."""
    with warnings.catch_warnings(action="ignore"):  # importing bentoml warns of its own past
        return importlib.import_module("service.app")


@pytest.fixture(scope="module")
def bento_routes(app):
    """Paths that BentoML's own application would serve."""
    inner = super(app.OuterService, app.Bentofleet).to_asgi(is_main=True)
    return [getattr(route, "path", "") for route in inner.routes]


def test_bentoml_sees_one_service_and_no_routes_of_its_own(app):
    assert app.Bentofleet.name == "bentofleet"
    assert app.Bentofleet.apis == {}
    assert [path for _, path, _ in app.Bentofleet.mount_apps] == ["/"]


def test_every_path_of_bentoml_is_answered_by_ours(app, bento_routes):
    assert {"/livez", "/readyz", "/healthz", "/metrics", "/schema.json"} <= set(bento_routes)
    ours = app.Bentofleet.to_asgi()

    async def ask():
        transport = httpx.ASGITransport(ours)
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return {path: await client.get(path or "/") for path in bento_routes}

    answers = asyncio.run(ask())
    for path, answer in answers.items():
        assert "x-request-id" in answer.headers, path
        assert "bentoml" not in str(answer.headers).lower()
        if path == contract.LIVEZ:
            assert answer.json() == {"status": "alive"}
        elif path == contract.READYZ:
            assert answer.status_code == 503
            assert set(answer.json()) == {"status", "release", "reasons"}
        else:
            assert answer.status_code == 404, path
            assert answer.headers["content-type"] == "application/problem+json"


def test_bentoml_serve_answers_like_the_container(run):
    command = (
        "-c",
        "import os, sys; from bentoml_cli.cli import cli\n"
        "sys.argv = ['bentoml', 'serve', 'service.app:Bentofleet', '--host', '127.0.0.1',"
        " '--port', os.environ['BENTOFLEET_PORT']]\ncli()\n",
    )
    service = run(command, BENTOML_DO_NOT_TRACK="True")
    ready = service.wait()
    assert set(ready.json()["models"]) == {"adder", "shade"}
    answer = httpx.post(f"{service.url}/v1/adder/predict", json=ROW)
    assert answer.json()["sum"] == 5.5
    assert httpx.get(f"{service.url}/metrics").status_code == 404
    scrape = httpx.get(f"{service.metrics_url}/metrics").text
    assert 'bentofleet_requests_total{code="200",model="adder",route="predict"' in scrape
    service.process.terminate()
    assert service.process.wait(60) == 0
    assert "Traceback" not in service.log()
