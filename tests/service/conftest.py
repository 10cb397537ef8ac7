"""Small models, made without training, and the service with them: in this process or its own."""

import asyncio
import contextlib
import importlib.util
import io
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from bentos import sums
from bentos.catalog import MODELS
from service import settings, tokens
from service.process import Process

ROOT = Path(__file__).parents[2]
SMALL = Path(__file__).parent / "small"
STORE = Path(os.environ.get("BENTOML_HOME") or ROOT / "build" / "bentoml")
VERSION = "0123456789ab"
ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}


@pytest.fixture(scope="session")
def catalog():
    """The small models' specs by name."""
    return CATALOG


@pytest.fixture(scope="session")
def code():
    """The small models' own code by name."""
    return CODE


@pytest.fixture(scope="session", name="picture")
def picture_fixture():
    """Makes a picture's bytes."""
    return picture


def _module(model, part):
    spec = importlib.util.spec_from_file_location(
        f"small_{model}_{part}", SMALL / model / f"{part}.py"
    )
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CATALOG = {name: _module(name, "spec").SPEC for name in ("adder", "shade")}
CODE = {name: _module(name, "features") for name in CATALOG}


def picture(kind="JPEG", size=(40, 30), colour=(255, 0, 0), mode="RGB", **options):
    """A picture's bytes."""
    stream = io.BytesIO()
    Image.new(mode, size, colour).save(stream, kind, **options)
    return stream.getvalue()


def adder_graph(inputs="x"):
    """(n, 3) to (n, 3): sum and ratio of the first two, and the third."""
    columns = [helper.make_node("Gather", [inputs, f"i{i}"], [f"c{i}"], axis=1) for i in range(3)]
    nodes = [
        *columns,
        helper.make_node("Add", ["c0", "c1"], ["sum"]),
        helper.make_node("Div", ["c0", "c1"], ["ratio"]),
        helper.make_node("Concat", ["sum", "ratio", "c2"], ["y"], axis=1),
    ]
    constants = [helper.make_tensor(f"i{i}", TensorProto.INT64, [1], [i]) for i in range(3)]
    return _graph(nodes, constants, ["n", 3], ["n", 3], inputs)


def shade_graph():
    """(n, 3, 8, 8) to (n, 3): the mean."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["y"]),
    ]
    return _graph(nodes, [], ["n", 3, 8, 8], ["n", 3], "x")


def _graph(nodes, constants, shape_in, shape_out, inputs):
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, shape_in)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape_out)],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def seal(folder, **card):
    """Writes the card as publishing does: with the sha256 of the files as they are now.

    Without further fields those of the card that is there.
    """
    path = folder / "card.json"
    card = card or json.loads(path.read_text())
    path.unlink(missing_ok=True)
    path.write_text(json.dumps({**card, "files": sums.of_folder(folder)}))


@pytest.fixture(scope="session", name="seal")
def seal_fixture():
    """Seals a model's folder again after a test changed it."""
    return seal


def write_store(home):
    """Puts both models into a BentoML home as the store lays them out."""
    card = {
        "data": {"source": "made up", "simulated": True, "rows": 3},
        "metrics": {"r2": 0.9},
        "bars": [{"measure": "r2", "at_least": 0.8, "measured": 0.9, "ok": True}],
        "limits": ["For tests alone."],
    }
    rows = [{**ROW, "a": float(a)} for a in range(1, 9)]
    golden_rows = [
        {"input": row, "answer": {"sum": row["a"] + 2, "ratio": row["a"] / 2, "hour": 14.0}}
        for row in rows
    ]
    golden_photos = [{"input": "golden/red.png", "answer": {"colour": [1.0, 0.0, 0.0]}}]
    for name, graph, golden in (
        ("adder", adder_graph(), golden_rows),
        ("shade", shade_graph(), golden_photos),
    ):
        folder = home / "models" / name / VERSION
        (folder / "golden").mkdir(parents=True)
        (folder.parent / "latest").write_text(VERSION)
        onnx.save(graph, folder / "model.onnx")
        (folder / "golden.json").write_text(json.dumps({"tolerance": 1e-3, "items": golden}))
        (folder / "golden" / "red.png").write_bytes(picture("PNG"))
        seal(folder, **card, name=name, version=VERSION)
    return home


@pytest.fixture(scope="session")
def small_home(tmp_path_factory):
    """A BentoML home with both models; copy it to change it."""
    return write_store(tmp_path_factory.mktemp("home"))


@pytest.fixture
def own_home(small_home, tmp_path):
    """A BentoML home of the test's own."""
    return shutil.copytree(small_home, tmp_path / "home")


@pytest.fixture(scope="session")
def key_dir(tmp_path_factory):
    """A signing key and its key set."""
    folder = tmp_path_factory.mktemp("keys")
    tokens.new_key(folder)
    return folder


@pytest.fixture(scope="session")
def token_for(key_dir):
    """Scope to a fresh token."""
    pem = (key_dir / tokens.KEY_FILE).read_text()
    return lambda scope="predict", lifetime_s=600: tokens.issue(pem, scope, lifetime_s, "tester")


class Loop:
    """An event loop in a thread of its own, so that tests stay plain functions."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work, timeout_s=20):
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(timeout_s)

    def close(self):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()


@pytest.fixture(scope="session")
def loop():
    """One loop for all in-process services."""
    loop = Loop()
    yield loop
    loop.close()


class Service:
    """The application in this process, and a client that reaches it without a socket."""

    def __init__(self, loop, environ, catalog=None, code=None):
        environ = {"BENTOFLEET_METRICS_PORT": "0", **environ}
        code = {**CODE, **(code or {})}
        self._loop = loop
        self.process = Process(
            settings.read(environ), catalog or CATALOG, environ, lambda name: code[name]
        )
        self.application = self.process.application
        self.application._request_log._stream = io.BytesIO()  # else between pytest's own lines
        transport = httpx.ASGITransport(self.application, client=("192.0.2.7", 4711))
        self._client = httpx.AsyncClient(transport=transport, base_url="http://service")
        self.headers = {}

    def start(self):
        async def start_and_load():
            await self.process.start()
            await self.process._loading

        self._loop.run(start_and_load())
        return self

    def request(self, method, path, *, headers=None, **options):
        headers = {**self.headers, **(headers or {})}
        return self._loop.run(self._client.request(method, path, headers=headers, **options))

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def together(self, *requests):
        """Sends requests (method, path, options) at the same time."""

        async def send():
            return await asyncio.gather(
                *(
                    self._client.request(method, path, headers=self.headers, **options)
                    for method, path, options in requests
                )
            )

        return self._loop.run(send())

    def scrape(self):
        return self.process._metrics.render().decode()

    def stop(self):
        self._loop.run(self._client.aclose())
        self._loop.run(self.process.stop())


@pytest.fixture
def start(loop, small_home, key_dir):
    """Starts a service with settings of one's own."""
    started = []

    def start_service(catalog=None, code=None, home=small_home, **environ):
        environ = {
            "BENTOML_HOME": str(home),
            "BENTOFLEET_JWKS": str(key_dir / tokens.JWKS_FILE),
            **environ,
        }
        service = Service(loop, environ, catalog, code).start()
        started.append(service)
        return service

    yield start_service
    for service in started:
        service.stop()


@pytest.fixture(scope="module")
def service(loop, small_home, key_dir, token_for):
    """A service with both models; its client carries a token for all of them."""
    environ = {
        "BENTOML_HOME": str(small_home),
        "BENTOFLEET_JWKS": str(key_dir / tokens.JWKS_FILE),
        "BENTOFLEET_RELEASE": "r1",
    }
    service = Service(loop, environ).start()
    service.headers = {"authorization": f"Bearer {token_for()}"}
    yield service
    service.stop()


def free_port():
    """A port that was free a moment ago, below those that connections are given."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@pytest.fixture
def free_ports():
    """Two of them."""
    return free_port(), free_port()


class Running:
    """A service in a process of its own."""

    def __init__(self, process, port, metrics_port, log):
        self.process = process
        self.port = port
        self.metrics_port = metrics_port
        self.url = f"http://127.0.0.1:{port}"
        self.metrics_url = f"http://127.0.0.1:{metrics_port}"
        self._log = log

    def log(self):
        return self._log.read_text()

    def wait(self, status=200, timeout_s=90):
        """Waits until readiness answers with this status, and gives the answer."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                answer = httpx.get(f"{self.url}/readyz")
                if answer.status_code == status:
                    return answer
            time.sleep(0.05)
        pytest.fail(f"/readyz did not turn {status}:\n{self.log()}")


@pytest.fixture(scope="module")
def run(small_home, tmp_path_factory):
    """Runs the service in a process of its own, with the small models for its catalog."""
    folder = tmp_path_factory.mktemp("process")
    package = folder / "root" / "bentos"
    shutil.copytree(SMALL, package)
    for name in ("__init__.py", "converted.py", "spec.py", "sums.py"):
        shutil.copy(ROOT / "bentos" / name, package / name)
    processes = []

    def run_service(command=("-m", "service"), **environ):
        port, metrics_port = free_port(), free_port()
        log = folder / f"log-{port}"
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [sys.executable, *command],
                cwd=package.parent,
                stdout=stream,
                stderr=subprocess.STDOUT,
                env={
                    "PATH": os.environ["PATH"],
                    "PYTHONPATH": str(ROOT),
                    "PYTHONDONTWRITEBYTECODE": "1",
                    "BENTOML_HOME": str(small_home),
                    "BENTOFLEET_HOST": "127.0.0.1",
                    "BENTOFLEET_PORT": str(port),
                    "BENTOFLEET_METRICS_PORT": str(metrics_port),
                    "BENTOFLEET_AUTH": "off",
                    "BENTOFLEET_DRAIN_S": "0",
                    **environ,
                },
            )
        processes.append(process)
        return Running(process, port, metrics_port, log)

    yield run_service
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.wait()


@pytest.fixture(scope="module")
def run_published(run, key_dir):
    """Runs the service as it is released, with the published models; it wants tokens."""
    if not all((STORE / "models" / name).is_dir() for name in MODELS):
        pytest.skip("the models are not built. Run make models.")

    def run_service(**environ):
        # -P: the catalog of the repository, not the small one in the working folder.
        service = run(
            ("-P", "-m", "service"),
            **{
                "BENTOML_HOME": str(STORE),
                "BENTOFLEET_RELEASE": "r7",
                "BENTOFLEET_AUTH": "jwt",
                "BENTOFLEET_JWKS": str(key_dir / tokens.JWKS_FILE),
                **environ,
            },
        )
        service.wait()
        return service

    return run_service


@pytest.fixture(scope="module")
def published(run_published):
    """One of them, with nothing changed."""
    return run_published()
