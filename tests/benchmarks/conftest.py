"""Small graphs in the place of the published ones, and figures as a run leaves them."""

import json
import os

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from benchmarks import hits, plan
from benchmarks.rivals import same
from benchmarks.servers import Bench
from bentos import sums
from bentos.catalog import MODELS
from service import contract, tokens

VERSION = "0123456789ab"
COLUMNS, ZONES, CLASSES = 10, 3, 398


def _save(folder, nodes, weights, shape_in, outputs):
    graph = helper.make_graph(
        nodes,
        "small",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", *shape_in])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["n", outputs])],
        [numpy_helper.from_array(weights.astype(np.float32), "w")],
    )
    folder.mkdir(parents=True)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.save(model, folder / "model.onnx")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A BentoML home with small graphs under the names of the two models that are compared."""
    home = tmp_path_factory.mktemp("home")
    rng = np.random.default_rng(6)
    _save(
        home / "models" / same.TABLE / VERSION,
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        rng.normal(size=(COLUMNS, ZONES)),
        [COLUMNS],
        ZONES,
    )
    _save(
        home / "models" / same.PHOTO / VERSION,
        [
            helper.make_node("GlobalAveragePool", ["x"], ["pooled"]),
            helper.make_node("Flatten", ["pooled"], ["flat"]),
            helper.make_node("MatMul", ["flat", "w"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["y"]),
        ],
        rng.normal(size=(3, CLASSES)),
        [3, 224, 224],
        CLASSES,
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOML_HOME", str(home))
        yield home


@pytest.fixture(scope="module")
def bench(home, tmp_path_factory):
    """What servers of a run share, with the answers that the small graphs give in-process."""
    folder = tmp_path_factory.mktemp("bench")
    pem = tokens.new_key(folder / "keys").read_text()
    jwks = folder / "keys" / tokens.JWKS_FILE
    token = tokens.issue(pem, contract.SCOPE_PREDICT, 600, "tester")
    sent = hits.compared(folder, token)
    rows, photos = same.Rows(), same.Photos()
    row = rows.check(json.loads(sent[plan.TABLES].body.read_bytes()))
    photo = photos.check(sent[plan.PHOTOS].body.read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BENTOFLEET_JWKS", str(jwks))
        yield Bench(
            core=min(os.sched_getaffinity(0)),
            jwks=jwks,
            hits=sent,
            expected={
                plan.TABLES: rows.answers([row])[0],
                plan.PHOTOS: photos.answers([photo])[0],
            },
            logs=folder,
        )


@pytest.fixture(scope="module")
def sealed(home, bench):
    """The same home, with the cards and golden answers that our service asks for."""
    for name, what, example in (
        (same.TABLE, plan.TABLES, None),
        (same.PHOTO, plan.PHOTOS, "golden/photo.jpg"),
    ):
        folder, body = home / "models" / name / VERSION, bench.hits[what].body.read_bytes()
        if example:
            (folder / "golden").mkdir()
            (folder / example).write_bytes(body)
        item = {"input": example or json.loads(body), "answer": bench.expected[what]}
        tolerance = MODELS[name].golden_tolerance
        golden = json.dumps({"tolerance": tolerance, "items": [item]})
        (folder / "golden.json").write_text(golden)
        card = {"name": name, "version": VERSION, "files": sums.of_folder(folder)}
        (folder / "card.json").write_text(json.dumps(card))
    return home


def burst(arrangement, load, number, rps, cpu_us=100.0, failed=0):
    """One burst of a run."""
    return {
        "arrangement": arrangement,
        "what": load.what,
        "users": load.users,
        "round": number,
        "requests": 1000,
        "failed": failed,
        "rps": rps,
        "p50_ms": 1.0,
        "p99_ms": 3.0,
        "cpu_us": cpu_us,
    }


def route(path, p50_ms, p99_ms, failed=0, number=1):
    """One burst at one route."""
    return {
        "method": "GET",
        "path": path,
        "round": number,
        "requests": 100,
        "failed": failed,
        "p50_ms": p50_ms,
        "p99_ms": p99_ms,
    }


@pytest.fixture(name="burst")
def burst_fixture():
    """Makes a burst of a run."""
    return burst


@pytest.fixture(name="route")
def route_fixture():
    """Makes a burst at one route."""
    return route


@pytest.fixture
def document():
    """A run that reached everything."""
    _, at_32, _, at_8 = plan.LOADS
    bursts = []
    for number, times in enumerate((1.0, 2.0, 0.5), 1):  # a busy machine slows all of a round
        bursts += [
            burst("ours", at_32, number, 9000 * times, cpu_us=50),
            burst("fastapi", at_32, number, 2000 * times, cpu_us=400),
            burst("bentoml", at_32, number, 400 * times, cpu_us=2000),
            burst("ours", at_8, number, 45 * times),
            burst(plan.YARDSTICK, at_8, number, 50 * times),
        ]
    return {
        "measured_at": "2026-11-25T08:00:00+00:00",
        "machine": {"processor": "Some CPU", "cores": 2, "system": "Linux 6"},
        "versions": {"Python": "3.11.7", "wrk": "4.1.0"},
        "models": {"energy": "0123456789ab"},
        "load": {"before": [0.1, 0.2, 0.3], "after": [1.1, 1.2, 1.3]},
        "lengths": {"rounds": 3, "tables_s": 1.5, "photos_s": 3.0},
        "faults": [],
        "mosec": [
            {
                "what": plan.TABLES,
                "users": 32,
                "best": "batches of 64, 2 ms",
                "rps": {"no batches": 900.0, "batches of 64, 2 ms": 4000.0},
            }
        ],
        "bursts": bursts,
        "lone": [{"round": n, "before_ms": 0.2, "after_ms": 0.22, "failed": 0} for n in (1, 2, 3)],
        "routes": [route("/livez", 1.0, 3.0), route("/readyz", 1.0, 4.0)],
        "memory_bytes": 240_000_000,
        "fleet": {
            "command_s": 0.05,
            "start_s": 2.0,
            "parallel": 10,
            "hosts": {str(plan.FEW): [4.0, 5.0, 4.0], str(plan.MANY): [8.0, 12.0, 9.0]},
        },
    }
