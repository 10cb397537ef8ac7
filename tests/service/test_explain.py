"""POST /v1/{model}/explain: the photo under its heat map, with the promises of predict."""

import io
import json
import threading
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bentos.catalog import MODELS
from bentos.spec import Field
from service import contract
from service.api import explain

EXPLAIN = "/v1/shade/explain"
JPEG = {"content-type": "image/jpeg"}
GREY = (120, 120, 120)
UPPER_LEFT = [[1.0, 0.0], [0.0, 0.0]]  # of the padded square
HEAT_SCHEMA = {
    "type": "object",
    "properties": {"width": {}, "height": {}, "rows": {"type": "array"}},
}


@pytest.fixture(scope="module")
def spec(catalog):
    """The photo model, with a heat map in its answer."""
    field = Field(name="heat", schema=HEAT_SCHEMA, example=None)
    return replace(catalog["shade"], answer=(*catalog["shade"].answer, field))


@pytest.fixture
def serve(start, spec, code, own_home, seal):
    """Starts a service with that model and a map of one's own."""

    def run(rows=UPPER_LEFT, token=None, before=lambda: None, **changes):
        heat = {"width": 2, "height": 2, "rows": rows}

        def answer(outputs):
            before()
            return [{**given, "heat": heat} for given in code["shade"].answer(outputs)]

        folder = own_home / "models" / "shade" / "0123456789ab"
        golden = json.loads((folder / "golden.json").read_text())
        golden["items"][0]["answer"]["heat"] = heat
        (folder / "golden.json").write_text(json.dumps(golden))
        seal(folder)
        features = SimpleNamespace(encode=code["shade"].encode, answer=answer)
        service = start({"shade": replace(spec, **changes)}, {"shade": features}, own_home)
        service.headers = {"authorization": f"Bearer {token}"} if token else {}
        return service

    return run


@pytest.fixture
def service(serve, token_for):
    """A service whose model sees something in the upper left."""
    return serve(token=token_for())


def drawn(answer):
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == contract.EXPLAIN_TYPE
    assert answer.headers["cache-control"] == "no-store"
    image = Image.open(io.BytesIO(answer.content))
    assert (image.format, image.mode) == ("PNG", "RGB")
    return image


def redness(image, x, y):
    red, green, _ = image.getpixel((x, y))
    return red - green


def test_the_map_lies_over_the_photo_padded_to_a_square(service, picture):
    photo = picture("PNG", size=(80, 40), colour=GREY)
    image = drawn(service.post(EXPLAIN, content=photo, headers={"content-type": "image/png"}))
    assert image.size == (80, 40)
    assert redness(image, 5, 0) > 100
    assert redness(image, 75, 0) == 0  # the map is cold there, and the photo grey
    assert redness(image, 5, 39) < redness(image, 5, 0)


def test_a_large_photo_is_made_smaller(service, picture):
    photo = picture(size=(1200, 400), colour=GREY)
    image = drawn(service.post(EXPLAIN, content=photo, headers=JPEG))
    assert image.size == (explain.SIDE_PIXELS, round(explain.SIDE_PIXELS / 3))


def test_the_photo_is_turned_upright_first(service, picture):
    exif = Image.Exif()
    exif[0x0112] = 6  # the upper edge lies at the right
    photo = picture(size=(80, 40), colour=GREY, exif=exif)
    image = drawn(service.post(EXPLAIN, content=photo, headers=JPEG))
    assert image.size == (40, 80)
    assert redness(image, 0, 5) > 100


def test_where_the_model_sees_nothing_nothing_is_coloured(serve, token_for, picture):
    service = serve([[0.0, 0.0], [0.0, 0.0]], token_for())
    image = drawn(service.post(EXPLAIN, content=picture(colour=GREY), headers=JPEG))
    pixels = np.asarray(image).astype(int)
    assert np.abs(pixels[..., 0] - pixels[..., 1]).max() == 0


def test_one_photo_as_multipart_is_taken_too(service, picture):
    one = [("file", ("a.jpg", picture(), "image/jpeg"))]
    drawn(service.post(EXPLAIN, files=one))
    answer = service.post(EXPLAIN, files=one * 2)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"field": "file", "message": "at most 1 are taken"}]


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"not a photo", "image/jpeg", 415),
        (b"{}", "application/json", 415),
        (b"\xff\xd8\xff\xe0", "image/jpeg", 415),
        (b"x" * 300_000, "image/jpeg", 413),
    ],
    ids=["no picture", "JSON", "only a head", "too large"],
)
def test_what_predict_refuses_it_refuses_alike(service, body, content_type, status):
    answers = [
        service.post(path, content=body, headers={"content-type": content_type})
        for path in (EXPLAIN, "/v1/shade/predict")
    ]
    assert [answer.status_code for answer in answers] == [status, status]
    first, second = (answer.json() for answer in answers)
    assert first.pop("request_id") != second.pop("request_id")
    assert first == second


def test_it_wants_a_token_that_allows_the_model(serve, token_for, picture):
    service = serve()
    assert service.post(EXPLAIN, content=picture(), headers=JPEG).status_code == 401
    service.headers = {"authorization": f"Bearer {token_for('predict:other')}"}
    assert service.post(EXPLAIN, content=picture(), headers=JPEG).status_code == 403
    service.headers = {"authorization": f"Bearer {token_for('predict:shade')}"}
    drawn(service.post(EXPLAIN, content=picture(), headers=JPEG))
    assert service.get(EXPLAIN).status_code == 405


def test_it_keeps_the_models_deadline(serve, token_for, picture):
    may_go_on = threading.Event()
    may_go_on.set()
    service = serve(token=token_for(), before=lambda: may_go_on.wait(20), deadline_ms=100)
    may_go_on.clear()
    answer = service.post(EXPLAIN, content=picture(), headers=JPEG)
    may_go_on.set()
    assert answer.status_code == 504
    assert answer.json()["type"] == "urn:bentofleet:problem:timed-out"


def test_it_is_told_apart_in_metrics(service, picture):
    drawn(service.post(EXPLAIN, content=picture(), headers=JPEG))
    labels = 'code="200",model="shade",route="explain",traffic="user"'
    assert f"bentofleet_requests_total{{{labels}}} 1.0" in service.scrape()


def test_the_apis_description_has_it(service):
    operation = service.get("/openapi.json").json()["paths"][EXPLAIN]["post"]
    predict = service.get("/openapi.json").json()["paths"]["/v1/shade/predict"]["post"]
    assert operation["requestBody"] == predict["requestBody"]
    assert set(operation["responses"]) == set(predict["responses"])
    assert list(operation["responses"]["200"]["content"]) == ["image/png"]


def test_models_without_a_map_have_no_such_route(start, token_for):
    service = start()
    service.headers = {"authorization": f"Bearer {token_for()}"}
    assert not [path for path in service.application.routes if path.endswith("/explain")]
    assert service.post(EXPLAIN, content=b"", headers=JPEG).status_code == 404


def test_of_the_catalog_the_octagon_model_has_it():
    assert [name for name, spec in MODELS.items() if explain.explainer(spec)] == ["octagon"]
    assert explain.explainer(MODELS["octagon"]).field == "heat_map"
