"""Photos, a small wildlife model made without training, and a stand-in stack on loopback."""

import importlib
import json
import threading
import time
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from bentos import golden, parity, sums
from bentos.catalog import MODELS
from cameratraps.asking import Answers, Fault
from cameratraps.download import Client

SPEC = MODELS["wildlife"]
VERSION = "0123456789ab"
ANSWER = {"predictions": [{"label": "zebra", "probability": 0.9}] * 5}


def make_photo(path, colour=(200, 30, 30), size=(64, 48), **options):
    """A photo file of one colour."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path


@pytest.fixture(name="make_photo")
def make_photo_fixture():
    """Writes a photo."""
    return make_photo


@pytest.fixture
def photos(tmp_path):
    """A folder with five photos, and three files that are none."""
    folder = tmp_path / "card"
    for number, name in enumerate(["a.jpg", "b.PNG", "deep/er/c.webp", "deep/d.jpeg", "e.jpg"]):
        make_photo(folder / name, (40 * number, 90, 10))
    (folder / ".hidden.jpg").write_bytes(b"x")
    (folder / "video.mp4").write_bytes(b"x")
    (folder / "deep" / "damaged.jpg").write_bytes((folder / "a.jpg").read_bytes()[:300])
    return folder


@pytest.fixture(scope="session")
def small_home(tmp_path_factory):
    """A model store with a wildlife model that answers by colour."""
    home = tmp_path_factory.mktemp("bentoml")
    folder = home / "models" / "wildlife" / VERSION
    folder.mkdir(parents=True)
    (folder.parent / "latest").write_text(VERSION)
    onnx.save(_graph(), folder / "model.onnx")
    code = importlib.import_module("bentos.wildlife.features")
    items = []
    for number in range(4):
        path = make_photo(home / "golden" / f"{number}.jpg", (60 * number, 200 - 50 * number, 80))
        with Image.open(path) as image:
            outputs = parity.runner(folder / "model.onnx")(code.encode(image)[None])
        items.append(golden.Item(input=path, answer=code.answer(outputs)[0]))
    golden.write(folder, 0.001, items)
    card = {"name": "wildlife", "version": VERSION, "files": sums.of_folder(folder)}
    (folder / "card.json").write_text(json.dumps(card))
    return home


def _graph():
    weights = np.random.default_rng(1).normal(size=(3, 398)).astype(np.float32)
    nodes = [
        helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["score"]),
        helper.make_node("Softmax", ["score"], ["y"], axis=1),
    ]
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", 398])],
        [helper.make_tensor("w", TensorProto.FLOAT, weights.shape, weights.tobytes(), raw=True)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


class StandIn:
    """Answers as a stack does.

    Attributes:
        script: answers that come first: status, headers, body.
        batches: photos in each batch that was answered.
        tokens: that came.
        delay_s: before each answer.
    """

    def __init__(self):
        self.script = deque()
        self.batches = []
        self.tokens = set()
        self.version = "v1"
        self.delay_s = 0.0
        stand_in = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                named = [{"name": "wildlife", "version": stand_in.version}]
                self.answer(200, {}, {"models": named})

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                count = body.count(b"Content-Disposition")
                if stand_in.script and (scripted := stand_in.script.popleft()):
                    self.answer(*scripted)
                    return
                time.sleep(stand_in.delay_s)
                stand_in.batches.append(count)
                items = [{"answer": ANSWER}] * count
                self.answer(200, {}, {"items": items, "version": stand_in.version})

            def answer(self, status, headers, document):
                stand_in.tokens.add(self.headers["Authorization"])
                if stand_in.token and self.headers["Authorization"] != stand_in.token:
                    status, headers, document = 401, {}, {"detail": "no"}
                content = json.dumps(document).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                """Says nothing."""

        self.token = None
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def stand_in():
    """A stand-in stack."""
    made = StandIn()
    yield made
    made.server.shutdown()
    made.server.server_close()


class ByHand:
    """A model that answers what a test says."""

    spec = SPEC
    where = "local"

    def __init__(self, answer=lambda number, photo: ANSWER, items=1):
        self.version, self.items, self.asked, self.stopped = "v1", items, 0, False
        self._answer, self._lock = answer, threading.Lock()

    def ask(self, photos):
        """One answer each."""
        found = []
        for photo in photos:
            with self._lock:
                self.asked += 1
                number = self.asked
            found.append(self._answer(number, photo))
        return Answers(version=self.version, items=found)

    def stop(self):
        """Is told of."""
        self.stopped = True

    def close(self):
        """Holds nothing."""


@pytest.fixture
def by_hand():
    """Makes a model that answers by hand."""
    return ByHand


@pytest.fixture
def fault():
    """Makes a fault."""
    return Fault


class Files:
    """A server of files with ranges.

    Attributes:
        files: content by path.
        headers: that are sent with every file.
        script: statuses that come first.
        asked: path and range of each request.
        cut: bytes after which the next answer breaks off.
    """

    def __init__(self):
        self.files, self.headers, self.script = {}, [], deque()
        self.asked, self.cut = [], None
        mine = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                mine.asked.append((self.path, self.headers["Range"]))
                if mine.script:
                    self.send_error(mine.script.popleft())
                    return
                content = mine.files.get(self.path.partition("?")[0])
                if content is None:
                    self.send_error(404)
                    return
                start = int((self.headers["Range"] or "bytes=0-")[6:-1])
                if start and start >= len(content):
                    self.send_error(416)
                    return
                self.send_response(206 if start else 200)
                if start:
                    whole = len(content)
                    self.send_header("Content-Range", f"bytes {start}-{whole - 1}/{whole}")
                self.send_header("Content-Length", str(len(content) - start))
                for name, value in mine.headers:
                    self.send_header(name, value)
                self.end_headers()
                end, mine.cut = mine.cut, None
                self.wfile.write(content[start:end])

            def log_message(self, *_):
                """Says nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()


@pytest.fixture
def files():
    """A server of files."""
    made = Files()
    yield made
    made.server.shutdown()
    made.server.server_close()


@pytest.fixture
def client():
    """Does not sleep."""
    return Client(sleep=lambda seconds: None)
