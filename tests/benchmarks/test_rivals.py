"""Every server gives the same answer to the same request; those that check refuse bad ones."""

import importlib
import warnings

import httpx
import pytest

from benchmarks import plan, servers
from benchmarks.rivals import fastapi_app, same

NAMED = {a.name: a for a in plan.ARRANGEMENTS}


@pytest.fixture(scope="module")
def test_client():
    """Starlette's client, which starts an application as a server does."""
    with warnings.catch_warnings(action="ignore"):  # it would rather have httpx2
        return importlib.import_module("starlette.testclient").TestClient


@pytest.fixture(scope="module")
def client(bench, test_client):
    """By an arrangement's name, a client that reaches FastAPI without a socket."""
    applications = {"fastapi": fastapi_app.plain, "fastapi-checked": fastapi_app.checked}
    return lambda name: test_client(applications[name]())


@pytest.fixture
def serve(bench):
    """Starts an arrangement's server, which is let in only with the right answers."""
    started = []

    def serve_arrangement(name):
        server = servers.start(bench, NAMED[name])
        started.append(server)
        servers.ready(server, bench, NAMED[name])
        return server

    yield serve_arrangement
    for server in started:
        server.tree.stop()


def post(client, hit, body=None, token=True):
    headers = {"content-type": hit.content_type}
    if token:
        headers["authorization"] = f"Bearer {hit.token}"
    return client.post(hit.path, content=body or hit.body.read_bytes(), headers=headers)


@pytest.mark.parametrize("name", ["fastapi", "fastapi-checked"])
def test_a_rival_gives_the_answer_of_the_model(name, bench, client):
    opened = client(name)
    for what in NAMED[name].what:
        answer = post(opened, bench.hits[what])
        assert answer.status_code == 200, answer.text
        assert servers.is_same(bench.expected[what], answer.json())


def test_our_service_gives_the_same(serve, sealed):
    serve("ours")


@pytest.mark.parametrize("name", ["bentoml", "bentoml-typed"])
def test_bentoml_gives_the_same(serve, name):
    serve(name)


def test_bentoml_with_our_checks_gives_the_same_and_refuses_what_we_refuse(serve, bench):
    with httpx.Client(base_url=serve("bentoml-checked").url) as client:
        refuses_what_we_refuse(client, bench)


def test_fastapi_with_our_checks_refuses_what_we_refuse(client, bench):
    refuses_what_we_refuse(client("fastapi-checked"), bench)


def refuses_what_we_refuse(client, bench):
    hit = bench.hits[plan.TABLES]
    hot = hit.body.read_bytes().replace(b"28.4", b"2840")
    assert post(client, hit, token=False).status_code == 401
    assert post(client, hit, hot).status_code == 422
    assert post(client, bench.hits[plan.PHOTOS], b"no photo").status_code == 415


def test_a_server_that_ends_is_one_line_with_its_last_words(bench, monkeypatch, tmp_path):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path))
    arrangement = NAMED["fastapi"]
    server = servers.start(bench, arrangement)
    try:
        with pytest.raises(
            ValueError, match=rf"^fastapi: ended \(.*{same.TABLE}.*\)\. See "
        ) as told:
            servers.ready(server, bench, arrangement)
    finally:
        server.tree.stop()
    assert "\n" not in str(told.value)


def test_the_server_that_only_answers_does_so(bench):
    server = servers.bare(bench)
    try:
        assert httpx.get(server.url + plan.BARE_PATH).text == "ok"
    finally:
        server.tree.stop()
