"""The examples of the API's description, sent to the service with the published models."""

import json

import httpx
import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bentos.catalog import MODELS
from bentos.spec import Photo
from service import contract

PHOTOS = {
    f"{spec.name} {photo.name}": (spec, photo)
    for spec in MODELS.values()
    if isinstance(spec.takes, Photo)
    for photo in contract.example_photos(spec)[:3]
}


@pytest.fixture(scope="module")
def client(published, token_for):
    headers = {"authorization": f"Bearer {token_for()}"}
    with httpx.Client(base_url=published.url, headers=headers) as client:
        yield client


@pytest.fixture(scope="module")
def document(client):
    return client.get(contract.OPENAPI).json()


@pytest.fixture(scope="module")
def check(document):
    """Checks an answer against what the document says of it."""
    whole = Resource(contents=document, specification=DRAFT202012)
    registry = Registry().with_resource("urn:api", whole)

    def run(answer, method="post"):
        path = answer.request.url.path
        declared = document["paths"][path][method]["responses"][str(answer.status_code)]
        if "$ref" in declared:
            name = declared["$ref"].rpartition("/")[2]
            declared = document["components"]["responses"][name]
        media = declared["content"][answer.headers["content-type"]]
        schema = json.loads(json.dumps(media["schema"]).replace('"#/', '"urn:api#/'))
        if "json" in answer.headers["content-type"]:
            jsonschema.Draft202012Validator(schema, registry=registry).validate(answer.json())

    return run


def bodies(document):
    for path, item in document["paths"].items():
        for kind, media in item.get("post", {}).get("requestBody", {}).get("content", {}).items():
            if "example" in media:
                yield path, kind, media["example"]


def test_every_example_is_answered_200_as_described(client, document, check):
    ran = set()
    for path, kind, example in bodies(document):
        answer = client.post(path, json=example, headers={"content-type": kind})
        assert answer.status_code == 200, answer.text
        for item in answer.json().get(contract.ITEMS_FIELD, []):
            assert "answer" in item
        check(answer)
        ran.add(path)
    tables = [name for name, spec in MODELS.items() if not isinstance(spec.takes, Photo)]
    paths = (contract.predict_path, contract.predict_batch_path)
    assert ran == {path(name) for name in tables for path in paths}


def test_every_route_without_a_body_answers_200_as_described(client, document, check):
    for path, item in document["paths"].items():
        if "get" in item:
            answer = client.get(path)
            assert answer.status_code == 200
            check(answer, "get")


@pytest.mark.parametrize(("spec", "photo"), PHOTOS.values(), ids=PHOTOS)
def test_the_photos_that_the_description_names_are_answered_as_described(
    client, document, check, spec, photo
):
    path = contract.predict_path(spec.name)
    body = document["paths"][path]["post"]["requestBody"]
    folder = photo.parent.relative_to(photo.parents[3])
    assert f"`{folder}`" in body["description"]
    for asked in (path, contract.explain_path(spec.name)):
        if asked in document["paths"]:
            answer = client.post(
                asked, content=photo.read_bytes(), headers={"content-type": "image/jpeg"}
            )
            assert answer.status_code == 200, answer.text
            check(answer)
    content, kind = contract.multipart([photo.read_bytes(), b"no photo"])
    answer = client.post(
        contract.predict_batch_path(spec.name), content=content, headers={"content-type": kind}
    )
    assert [set(item) for item in answer.json()["items"]] == [{"answer"}, {"error"}]
    check(answer)


@pytest.mark.parametrize("name", MODELS)
def test_a_wrong_body_a_wrong_token_and_a_wrong_method_are_answered_as_described(
    client, document, check, name
):
    for path in (contract.predict_path(name), contract.predict_batch_path(name)):
        (kind, *_) = document["paths"][path]["post"]["requestBody"]["content"]
        for expected, options in (
            ({400, 415, 422}, {"content": b"{", "headers": {"content-type": kind}}),
            ({415}, {"content": b"{}", "headers": {"content-type": "text/plain"}}),
            ({401}, {"content": b"{}", "headers": {"authorization": "Bearer none"}}),
        ):
            answer = client.post(path, **options)
            assert answer.status_code in expected
            check(answer)
        answer = client.get(path)
        assert answer.status_code == 405
        check(answer)
