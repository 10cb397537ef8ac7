"""The whole application in this process: routes, answers, problems, limits."""

import asyncio
import io
import json
import re
import threading
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from service import contract, proof
from service.api import bodies, ui
from service.contract import metrics

PREDICT = "/v1/adder/predict"
BATCH = "/v1/adder/predict/batch"
SHADE = "/v1/shade/predict"
SHADE_BATCH = "/v1/shade/predict/batch"
VERSION = "0123456789ab"
ROW = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2}
JPEG = {"content-type": "image/jpeg"}


def problem(answer, status, slug=None):
    """Checks that the answer is a problem of this kind, and gives its document."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json()
    assert document["status"] == status
    assert document["request_id"] == answer.headers["x-request-id"]
    assert set(document) - {"errors"} == {"type", "title", "status", "detail", "request_id"}
    assert slug is None or document["type"] == f"urn:bentofleet:problem:{slug}"
    return document


def fields(answer, status=422):
    return {error["field"]: error["message"] for error in problem(answer, status)["errors"]}


def files(*photos):
    return {"files": [("file", ("../../x.jpg", photo, "text/plain")) for photo in photos]}


def test_a_row_is_answered_with_the_models_fields_and_ours(service):
    answer = service.post(PREDICT, json=ROW)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert document.pop("processing_time_ms") >= 0
    assert document == {
        "sum": 5.5,
        "ratio": 1.75,
        "hour": 14.0,
        "model": "adder",
        "version": VERSION,
        "release": "r1",
    }


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_is_answered_as_raw_body_and_as_multipart(service, picture, kind):
    photo = picture(kind)
    raw = service.post(SHADE, content=photo, headers={"content-type": f"image/{kind.lower()}"})
    multipart = service.post(SHADE, **files(photo))
    for answer in (raw, multipart):
        assert answer.status_code == 200, answer.text
        assert np.abs(np.subtract(answer.json()["colour"], [1, 0, 0])).max() < 0.02
        assert answer.json()["model"] == "shade"


def test_the_content_decides_and_not_the_declared_type(service, picture):
    assert service.post(SHADE, content=picture("PNG"), headers=JPEG).status_code == 200


def test_a_batch_of_rows_has_an_answer_or_an_error_each(service):
    rows = [{**ROW, "a": 1}, {**ROW, "a": "x"}, {**ROW, "a": 3}, "row", {**ROW, "b": 0}]
    answer = service.post(BATCH, json={"items": rows})
    assert answer.status_code == 200
    document = answer.json()
    first, second, third, fourth, fifth = document["items"]
    assert first == {"answer": {"sum": 3.0, "ratio": 0.5, "hour": 14.0}}
    assert third["answer"]["sum"] == 5.0
    assert second["error"]["status"] == 422
    assert second["error"]["field"] == "a"
    assert "should be a number" in second["error"]["detail"]
    assert fourth["error"]["field"] == ""
    assert (fifth["error"]["status"], fifth["error"]["field"]) == (500, None)
    assert set(document) == {"items", *contract.ANSWER_FIELDS}


def test_a_batch_larger_than_a_run_is_answered_in_order(service):
    rows = [{**ROW, "a": number} for number in range(20, 70)]
    answer = service.post(BATCH, json={"items": rows})
    assert [item["answer"]["sum"] for item in answer.json()["items"]] == list(range(22, 72))


def test_a_batch_of_photos_has_an_answer_or_an_error_each(service, picture):
    photos = [picture(), b"no picture", picture("PNG")[:60], picture(colour=(0, 0, 255))]
    items = service.post(SHADE_BATCH, **files(*photos)).json()["items"]
    assert [item.get("error", {}).get("status", 200) for item in items] == [200, 415, 422, 200]
    assert items[1]["error"]["field"] == items[2]["error"]["field"] == "file"
    assert items[3]["answer"]["colour"][2] > 0.9


def test_wrong_fields_are_named_and_told_all_at_once(service):
    told = fields(service.post(PREDICT, json={"when": 1, "b": 1000, "c": 1}))
    assert set(told) == {"when", "a", "b", "c"}
    assert told["b"] == "should be from -100 to 100 m (got 1000)"


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b'{"a": 1e999}'], ids=range(5))
@pytest.mark.parametrize("path", [PREDICT, BATCH])
def test_a_body_that_is_no_json_is_a_bad_request(service, path, body):
    answer = service.post(path, content=body, headers={"content-type": "application/json"})
    problem(answer, 400, "bad-request")


@pytest.mark.parametrize(
    ("path", "content_type"),
    [
        (PREDICT, None),
        (PREDICT, "text/plain"),
        (PREDICT, "application/json; charset=latin-1"),
        (PREDICT, "application/x-www-form-urlencoded"),
        (PREDICT, "application/vnd.bentoml+pickle"),
        (PREDICT, "multipart/form-data; boundary=x"),
        (BATCH, "image/jpeg"),
        (SHADE, None),
        (SHADE, "application/json"),
        (SHADE, "image/gif"),
        (SHADE, "image/svg+xml"),
        (SHADE, "application/octet-stream"),
        (SHADE, "application/vnd.bentoml+pickle"),
        (SHADE_BATCH, "image/jpeg"),
    ],
)
def test_other_content_types_are_not_taken(service, path, content_type):
    headers = {"content-type": content_type} if content_type else {}
    document = problem(service.post(path, content=b"{}", headers=headers), 415, "unsupported-type")
    assert document["detail"].startswith("Content-Type: should be ")


@pytest.mark.parametrize("content_type", ["application/json", "Application/JSON; charset=UTF-8"])
def test_json_is_taken_however_it_is_spelt(service, content_type):
    answer = service.post(PREDICT, content=json.dumps(ROW), headers={"content-type": content_type})
    assert answer.status_code == 200


@pytest.mark.parametrize("encoding", ["gzip", "br", "x"])
def test_compressed_bodies_are_not_taken(service, encoding):
    answer = service.post(PREDICT, json=ROW, headers={"content-encoding": encoding})
    problem(answer, 415, "unsupported-type")


def test_a_url_in_place_of_a_photo_is_never_fetched(service):
    for url in (b"http://169.254.169.254/latest/meta-data", b"http://127.0.0.1:1/x.jpg"):
        problem(service.post(SHADE, content=url, headers=JPEG), 415)
        problem(service.post(SHADE, **files(url)), 415)


@pytest.mark.parametrize(
    ("content_type", "body", "status"),
    [
        ("multipart/form-data", b"--x--", 400),
        ("multipart/form-data; boundary=", b"--x--", 400),
        ("multipart/form-data; boundary=" + "x" * 71, b"--x--", 400),
        ("multipart/form-data; boundary=x", b"", 400),
        ("multipart/form-data; boundary=x", b"nonsense", 400),
        ("multipart/form-data; boundary=x", b"--y\r\n\r\n--y--", 400),
        ("multipart/form-data; boundary=x", b"--x\r\nno header\r\n\r\n--x--\r\n", 400),
        ("multipart/form-data; boundary=x", b"--x--\r\n", 422),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\nabc',
            400,
        ),
        (
            "multipart/form-data; boundary=x",
            b'--x\r\nContent-Disposition: form-data; name="url"\r\n\r\nabc\r\n--x--\r\n',
            422,
        ),
        ("multipart/form-data; boundary=x", b"--x\r\n\r\nabc\r\n--x--\r\n", 422),
    ],
)
@pytest.mark.parametrize("path", [SHADE, SHADE_BATCH])
def test_multipart_that_is_none_is_told(service, path, content_type, body, status):
    problem(service.post(path, content=body, headers={"content-type": content_type}), status)


def test_one_photo_too_many_is_told(service, picture):
    assert fields(service.post(SHADE, **files(picture(), picture()))) == {
        "file": "at most 1 are taken"
    }
    assert "at most 4" in fields(service.post(SHADE_BATCH, **files(*[picture()] * 5)))["file"]


def test_a_photo_with_too_many_pixels_is_told(service, picture):
    photo = picture("PNG", size=(1001, 1000))
    assert "1001 x 1000 pixels" in fields(service.post(SHADE, content=photo, headers=JPEG))["file"]


def noise(size):
    data = np.random.default_rng(1).integers(0, 255, (*size, 3), np.uint8)
    stream = io.BytesIO()
    Image.fromarray(data).save(stream, "PNG")
    return stream.getvalue()


def test_a_photo_with_too_many_bytes_is_too_large(service):
    photo = noise((300, 300))
    assert len(photo) > 201_024
    problem(service.post(SHADE, content=photo, headers=JPEG), 413, "too-large")


def test_in_a_batch_one_photo_too_large_fails_alone(service, picture):
    items = service.post(SHADE_BATCH, **files(noise((300, 300)), picture())).json()["items"]
    assert items[0]["error"]["status"] == 413
    assert "answer" in items[1]


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_over_the_limit_is_too_large_however_it_comes(service, chunked):
    taken = []

    async def chunks():
        for _ in range(100):
            taken.append(1)
            yield b" " * 1000

    headers = {"content-type": "application/json"}
    content = chunks() if chunked else b" " * 100_000
    document = problem(service.post(PREDICT, content=content, headers=headers), 413, "too-large")
    assert document["detail"] == "body: at most 16384 bytes are taken."
    assert len(taken) in ((17,) if chunked else (0,))  # the rest was not waited for


def test_a_slow_body_is_given_up(service, monkeypatch):
    monkeypatch.setattr(contract, "BODY_TIMEOUT_S", 0.05)

    async def slowly():
        yield b"{"
        await asyncio.sleep(5)
        yield b"}"

    headers = {"content-type": "application/json"}
    document = problem(service.post(PREDICT, content=slowly(), headers=headers), 400)
    assert "did not arrive within" in document["detail"]


def test_all_bodies_together_are_bounded(service, monkeypatch):
    monkeypatch.setattr(service.application._bodies, "_total_bytes", 10)
    answer = service.post(PREDICT, json=ROW)
    problem(answer, 503, "busy")
    assert answer.headers["retry-after"] == "1"
    assert service.application._bodies._held_bytes == 0


def test_what_a_request_held_is_given_back(service):
    for path in (PREDICT, BATCH):
        service.post(path, json=ROW)
    assert service.application._bodies._held_bytes == 0


@pytest.mark.parametrize(
    ("path", "allow"),
    [
        (PREDICT, "POST"),
        (BATCH, "POST"),
        ("/v1/models", "GET, HEAD"),
        ("/livez", "GET, HEAD"),
        ("/openapi.json", "GET, HEAD"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_another_method_is_told_which(service, path, allow, method):
    answer = service.request(method, path)
    problem(answer, 405, "method-not-allowed")
    assert answer.headers["allow"] == allow


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/v1",
        "/v1/",
        "/v1/models/",
        "/v1/other/predict",
        "/v1/adder",
        "/v1/adder/predict/",
        "/v1/adder/feedback",
        "/metrics",
        "/healthz",
        "/schema.json",
        "/docs/other.js",
        "/docs/%2e%2e/page.js",
        "/favicon.ico",
    ],
)
def test_there_is_nothing_else(service, path):
    for method in ("GET", "POST"):
        problem(service.request(method, path), 404, "not-found")


def test_head_is_answered_like_get(service):
    assert service.request("HEAD", "/livez").status_code == 200


def test_a_request_id_is_taken_over_or_made(service):
    assert service.get("/livez", headers={"x-request-id": "a.B-7_"}).headers["x-request-id"] == (
        "a.B-7_"
    )
    made = {service.get("/livez").headers["x-request-id"] for _ in range(3)}
    assert len(made) == 3
    for given in ("", "x" * 65, "a b", "a/b", '"', "<script>"):
        got = service.get("/livez", headers={"x-request-id": given}).headers["x-request-id"]
        assert re.fullmatch("[0-9a-f]{32}", got)


def test_health_is_open_and_names_models_and_release(service):
    service.headers, kept = {}, service.headers
    assert service.get("/livez").json() == {"status": "alive"}
    answer = service.get("/readyz")
    service.headers = kept
    assert answer.headers["x-bentofleet-release"] == "r1"
    model = {"version": VERSION, "runtime": "onnx", "device": "cpu"}
    assert answer.json() == {
        "status": "ready",
        "release": "r1",
        "models": {"adder": model, "shade": model},
    }


def test_the_models_describe_themselves(service):
    document = service.get("/v1/models").json()
    assert document["not_ready"] == []
    adder, shade = document["models"]
    assert (adder["name"], adder["version"], adder["device"]) == ("adder", VERSION, "cpu")
    assert adder["data"]["simulated"] is True
    assert adder["bars"][0]["ok"] is True
    assert adder["input"]["schema"]["required"] == ["when", "a", "b"]
    assert shade["input"]["max_pixels"] == 1_000_000
    assert shade["answer"]["required"] == ["colour"]


V1 = [("GET", "/v1/models"), ("POST", PREDICT), ("POST", BATCH), ("POST", SHADE),
      ("POST", SHADE_BATCH), ("GET", "/v1/other"), ("PUT", PREDICT)]  # fmt: skip


@pytest.mark.parametrize(("method", "path"), V1)
def test_all_of_v1_wants_a_token_before_it_reads_a_body(start, method, path):
    service = start()
    taken = []

    async def body():
        taken.append(1)
        yield b"{}"

    for headers in ({}, {"authorization": "Bearer x.y.z"}):
        answer = service.request(method, path, content=body(), headers=headers)
        problem(answer, 401, "unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="bentofleet"'
    assert not taken


def test_every_route_outside_v1_is_open_on_purpose(start):
    service = start()
    opened = {path for path in service.application.routes if not path.startswith("/v1/")}
    assert opened == {
        "/livez",
        "/readyz",
        "/openapi.json",
        "/docs",
        "/docs/page.js",
        "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js",
        *ui.pages(),
    }
    for path in service.application.routes:
        method = "POST" if "predict" in path else "GET"
        expected = 401 if path.startswith("/v1/") else 200
        assert service.request(method, path).status_code == expected, path


def test_a_scope_opens_its_model_alone(start, token_for):
    service = start()
    service.headers = {"authorization": f"Bearer {token_for('predict:adder')}"}
    assert service.post(PREDICT, json=ROW).status_code == 200
    document = problem(service.post(SHADE, content=b"x", headers=JPEG), 403, "forbidden")
    assert "'predict:shade'" in document["detail"]
    assert service.get("/v1/models").status_code == 200


def test_without_a_key_set_it_is_ready_and_v1_is_closed(start, token_for, tmp_path, caplog):
    path = tmp_path / "none" / "jwks.json"
    service = start(BENTOFLEET_JWKS=str(path))
    service.headers = {"authorization": f"Bearer {token_for()}"}
    assert service.get("/readyz").status_code == 200
    problem(service.get("/v1/models"), 401)
    assert f"{path}: no key set, every call of /v1/ is answered 401. Mount one" in caplog.text


def test_a_key_set_that_comes_later_opens_v1_without_a_restart(start, token_for, tmp_path, key_dir):
    path = tmp_path / "jwks.json"
    service = start(BENTOFLEET_JWKS=str(path))
    service.headers = {"authorization": f"Bearer {token_for()}"}
    problem(service.get("/v1/models"), 401)
    path.write_bytes((key_dir / "jwks.json").read_bytes())
    assert service.get("/v1/models").status_code == 200
    path.write_text('{"keys": []}')
    problem(service.get("/v1/models"), 401)


def test_with_authentication_off_anyone_may_call_and_the_log_says_so(start, caplog):
    service = start(BENTOFLEET_AUTH="off")
    assert service.post(PREDICT, json=ROW).status_code == 200
    assert "BENTOFLEET_AUTH=off: whoever reaches this port may call /v1." in caplog.text
    assert service.get("/openapi.json").json()["security"] == []


def test_docs_can_be_closed(start):
    service = start(BENTOFLEET_DOCS="off")
    for path in ("/docs", "/docs/page.js", "/openapi.json"):
        problem(service.get(path), 404)
    assert service.get("/livez").status_code == 200


def test_models_can_be_chosen(start):
    service = start(BENTOFLEET_MODELS="shade", BENTOFLEET_AUTH="off")
    assert set(service.get("/readyz").json()["models"]) == {"shade"}
    problem(service.post(PREDICT, json=ROW), 404)


def test_an_unknown_model_in_the_settings_is_named(start):
    told = r"^BENTOFLEET_MODELS: no such model: zebra\. There are adder, shade\.$"
    with pytest.raises(ValueError, match=told):
        start(BENTOFLEET_MODELS="adder,zebra")


def test_a_failing_model_is_a_500_without_its_cause(service, caplog):
    answer = service.post(PREDICT, json={**ROW, "a": 13})
    document = problem(answer, 500, "internal")
    assert "planted" not in answer.text
    (record,) = [r for r in caplog.records if r.getMessage() == "adder: the model failed"]
    assert record.request_id == document["request_id"]
    assert "planted failure" in str(record.exc_info[1])


def test_a_failing_item_does_not_fail_those_that_run_with_it(service):
    answers = service.together(
        *[("POST", PREDICT, {"json": {**ROW, "a": a}}) for a in (1, 13, 2, 3)]
    )
    assert [answer.status_code for answer in answers] == [200, 500, 200, 200]
    items = service.post(BATCH, json={"items": [{**ROW, "a": a} for a in (1, 13)]}).json()["items"]
    assert [item.get("error", {}).get("status", 200) for item in items] == [200, 500]


def test_an_unexpected_error_is_a_500_and_in_the_log(service, monkeypatch, caplog):
    monkeypatch.setattr(bodies, "_refuse_encoding", lambda request: 1 / 0)
    answer = service.post(PREDICT, json=ROW)
    problem(answer, 500, "internal")
    assert "division" not in answer.text
    (record,) = [r for r in caplog.records if r.getMessage() == "a request failed"]
    assert record.request_id == answer.headers["x-request-id"]
    assert "ZeroDivisionError" in caplog.text


class Held:
    """A model's code that waits until it is let go."""

    def __init__(self, code):
        self.gate = threading.Event()
        self.answer = code.answer
        self._encode = code.encode

    def encode(self, items):
        assert self.gate.wait(10)
        return self._encode(items)


@pytest.fixture
def threaded(monkeypatch):
    """Every model counts as one whose runs are too long for the loop."""
    monkeypatch.setattr(proof, "_QUICK_S", -1.0)


def test_a_model_that_hangs_is_a_504_and_does_not_hold_up_the_other(
    threaded, start, catalog, code, picture
):
    held = Held(code["adder"])
    held.gate.set()  # golden answers first
    service = start(code={"adder": held}, BENTOFLEET_AUTH="off")
    held.gate.clear()
    hung, other = service.together(
        ("POST", PREDICT, {"json": ROW}), ("POST", SHADE, files(picture()))
    )
    document = problem(hung, 504, "timed-out")
    assert document["detail"] == "The model did not answer within 400 ms. Try again."
    assert other.status_code == 200
    held.gate.set()
    assert service.post(PREDICT, json=ROW).status_code == 200


def test_many_timeouts_leave_no_thread_and_no_place_behind(threaded, start, code):
    held = Held(code["adder"])
    held.gate.set()
    service = start(code={"adder": held}, BENTOFLEET_AUTH="off")
    service.post(PREDICT, json=ROW)
    threads = threading.active_count()
    held.gate.clear()
    for _ in range(2):
        answers = service.together(*[("POST", PREDICT, {"json": ROW})] * 12)
        assert {answer.status_code for answer in answers} == {504}
    assert threading.active_count() == threads
    held.gate.set()
    batcher = service.process._fleet.served["adder"].batcher
    assert (batcher._admitted, len(batcher._jobs)) == (0, 0)
    assert service.post(PREDICT, json=ROW).status_code == 200


def test_a_full_queue_is_a_503_and_the_rest_is_answered(threaded, loop, start, catalog, code):
    held = Held(code["adder"])
    held.gate.set()  # golden answers first
    spec = replace(catalog["adder"], queue_items=2, max_batch=1, deadline_ms=9000)
    service = start(
        catalog={"adder": spec, "shade": catalog["shade"]},
        code={"adder": held},
        BENTOFLEET_AUTH="off",
    )
    held.gate.clear()

    async def flood():
        calls = [asyncio.ensure_future(service._client.post(PREDICT, json=ROW)) for _ in range(10)]
        while sum(call.done() for call in calls) < 7:
            await asyncio.sleep(0.01)
        health = await service._client.get("/readyz")
        depth = re.search(r'queue_depth\{model="adder"\} (\S+)', service.scrape())[1]
        held.gate.set()
        return health, depth, await asyncio.gather(*calls)

    health, depth, answers = loop.run(flood())
    assert health.status_code == 200
    assert float(depth) == 2
    assert sorted(answer.status_code for answer in answers) == [200] * 3 + [503] * 7
    refused = next(answer for answer in answers if answer.status_code == 503)
    problem(refused, 503, "busy")
    assert refused.headers["retry-after"] == "1"


def test_a_golden_answer_that_differs_keeps_it_from_being_ready(start, own_home, seal):
    path = own_home / "models" / "adder" / VERSION / "golden.json"
    golden = json.loads(path.read_text())
    golden["items"][3]["answer"]["sum"] += 0.2
    path.write_text(json.dumps(golden))
    seal(path.parent)
    service = start(home=own_home, BENTOFLEET_AUTH="off", BENTOFLEET_RELEASE="r9")
    answer = service.get("/readyz")
    assert answer.status_code == 503
    assert answer.headers["x-bentofleet-release"] == "r9"
    assert answer.json() == {
        "status": "not ready",
        "release": "r9",
        "reasons": [
            "adder: golden answer 3 differs by 0.2 (tolerance 0.001). Build the model again."
        ],
    }
    assert service.get("/livez").status_code == 200


def test_one_models_failure_to_load_leaves_the_other_serving(start, own_home, picture):
    (own_home / "models" / "adder" / VERSION / "model.onnx").write_bytes(b"broken")
    service = start(home=own_home, BENTOFLEET_AUTH="off")
    problem(service.post(PREDICT, json=ROW), 503, "busy")
    (reason,) = service.get("/readyz").json()["reasons"]
    assert reason.endswith("model.onnx was cut off or altered after it was published. "
                           "Build the model again.")  # fmt: skip
    assert service.post(SHADE, **files(picture())).status_code == 200
    document = service.get("/v1/models").json()
    assert [model["name"] for model in document["models"]] == ["shade"]
    assert document["not_ready"] == ["adder"]


def test_an_empty_store_keeps_it_from_being_ready_with_a_reason_per_model(start, tmp_path):
    service = start(home=tmp_path, BENTOFLEET_AUTH="off")
    answer = service.get("/readyz")
    assert answer.status_code == 503
    store = tmp_path / "models"
    assert answer.json()["reasons"] == [
        f"{name}: should be in {store} (got none). Run `make models`."
        for name in ("adder", "shade")
    ]
    assert service.get("/livez").status_code == 200


def test_a_models_code_that_does_not_work_is_told(start):
    service = start(code={"adder": object()}, BENTOFLEET_AUTH="off", BENTOFLEET_MODELS="adder")
    (reason,) = service.get("/readyz").json()["reasons"]
    assert reason.startswith("adder: AttributeError: 'object' object has no attribute 'encode'")


def test_a_stopping_service_is_not_ready_but_answers_and_closes_connections(start):
    service = start(BENTOFLEET_AUTH="off")
    service.application.stop_soon()
    answer = service.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["reasons"] == ["the process is stopping"]
    answer = service.post(PREDICT, json=ROW)
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"


def test_requests_are_counted_by_model_route_code_and_traffic(start, token_for):
    service = start()
    service.headers = {"authorization": f"Bearer {token_for()}"}
    service.post(PREDICT, json=ROW)
    service.post(PREDICT, json={})
    service.headers = {"authorization": f"Bearer {token_for('gate')}"}
    service.post(PREDICT, json=ROW)
    service.post(BATCH, json={"items": [ROW, ROW, ROW]})
    service.headers = {}
    service.post(PREDICT, json=ROW)
    service.get("/nowhere")
    lines = set(service.scrape().splitlines())
    for labels, count in (
        ('code="200",model="adder",route="predict",traffic="user"', 1),
        ('code="422",model="adder",route="predict",traffic="user"', 1),
        ('code="200",model="adder",route="predict",traffic="gate"', 1),
        ('code="200",model="adder",route="predict_batch",traffic="gate"', 1),
        ('code="401",model="adder",route="predict",traffic="user"', 1),
        ('code="404",model="",route="other",traffic="user"', 1),
    ):
        assert f"bentofleet_requests_total{{{labels}}} {count}.0" in lines
    gate = 'model="adder",route="predict",traffic="gate"'
    assert f"bentofleet_request_duration_seconds_count{{{gate}}} 1.0" in lines
    assert 'bentofleet_batch_size_count{model="adder"} 3.0' in lines
    assert 'bentofleet_batch_size_sum{model="adder"} 5.0' in lines
    model = 'device="cpu",model="adder",runtime="onnx"'
    assert f"bentofleet_inference_duration_seconds_count{{{model}}} 3.0" in lines


def test_a_scrape_shows_every_metric_of_the_contract_with_its_labels(service):
    service.post(PREDICT, json=ROW)
    scrape = service.scrape()
    for metric in metrics.SERVED_METRICS:
        suffix = "_count" if metric.kind == "histogram" else ""
        name = metric.name.removesuffix("_total") if metric.kind == "counter" else metric.name
        assert f"# TYPE {metric.name} {metric.kind}" in scrape or f"# TYPE {name}" in scrape
        series = re.search(rf"^{metric.name}{suffix}(?:\{{(.*)\}})? ", scrape, re.MULTILINE)
        labels = re.findall(r'(\w+)="', series[1] or "")
        assert set(labels) == set(metric.labels), metric.name


def test_unknown_paths_and_models_make_no_series_of_their_own(service):
    before = service.scrape().count("bentofleet_requests_total{")
    for number in range(20):
        service.get(f"/v1/model{number}/predict")
        service.get(f"/path{number}")
    assert service.scrape().count("bentofleet_requests_total{") <= before + 2


class Lines:
    """Catches what the request log writes."""

    def __init__(self, service, monkeypatch):
        self._stream = io.BytesIO()
        self._log = service.application._request_log
        self._log.flush()
        monkeypatch.setattr(self._log, "_stream", self._stream)

    def read(self):
        self._log.flush()
        return self._stream.getvalue().decode()


def test_a_line_per_request_says_who_and_what_and_no_secret(service, monkeypatch):
    lines = Lines(service, monkeypatch)
    answer = service.post(PREDICT + "?token=hidden", json={**ROW, "a": 77.125})
    (line,) = lines.read().splitlines()
    told = json.loads(line)
    assert told["request_id"] == answer.headers["x-request-id"]
    assert told["duration_ms"] > 0
    assert {
        name: told[name]
        for name in ("method", "path", "route", "model", "status", "traffic", "subject", "client")
    } == {
        "method": "POST",
        "path": PREDICT,
        "route": "predict",
        "model": "adder",
        "status": 200,
        "traffic": "user",
        "subject": "tester",
        "client": "192.0.2.7",
    }
    token = service.headers["authorization"].split()[1]
    for secret in (token, *token.split("."), "hidden", "77.125"):
        assert secret not in line


def test_a_refused_token_is_in_the_log_with_the_reason_alone(service, monkeypatch):
    lines = Lines(service, monkeypatch)
    token = service.headers["authorization"].split()[1]
    cut = token[:-10]
    service.post(PREDICT, json=ROW, headers={"authorization": f"Bearer {cut}"})
    service.post(PREDICT, json=ROW, headers={"authorization": "Basic c2VjcmV0"})
    text = lines.read()
    reasons = [json.loads(line)["reason"] for line in text.splitlines()]
    assert reasons == ["InvalidSignatureError", "no bearer token"]
    for secret in (cut, *cut.split("."), "c2VjcmV0"):
        assert secret not in text


def test_health_checks_that_pass_are_not_logged(service, monkeypatch):
    lines = Lines(service, monkeypatch)
    service.get("/livez")
    service.get("/readyz")
    assert lines.read() == ""


def test_a_line_cannot_be_forged_by_a_path(service, monkeypatch):
    lines = Lines(service, monkeypatch)
    service.get("/a%0A%7B%22status%22:200%7D" + "x" * 500)
    (line,) = lines.read().splitlines()
    assert len(json.loads(line)["path"]) == 200


def test_a_client_that_goes_away_is_counted_and_nothing_else(loop, service):
    sent = []

    async def call():
        async def receive():
            return {"type": "http.disconnect"}

        async def send(message):
            sent.append(message)

        headers = [(name.encode(), value.encode()) for name, value in service.headers.items()]
        scope = {
            "type": "http",
            "method": "POST",
            "path": PREDICT,
            "headers": [*headers, (b"content-type", b"application/json")],
            "client": None,
        }
        await service.application(scope, receive, send)

    loop.run(call())
    assert sent == []
    assert 'code="499",model="adder",route="predict"' in service.scrape()


def test_a_websocket_is_closed(loop, service):
    sent = []

    async def call():
        async def receive():
            return {"type": "websocket.connect"}

        async def send(message):
            sent.append(message)

        await service.application({"type": "websocket", "path": "/livez"}, receive, send)

    loop.run(call())
    assert sent == [{"type": "websocket.close", "code": 1000}]
