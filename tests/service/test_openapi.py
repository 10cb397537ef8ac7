"""The API's own description is true: its schemas hold, its examples run."""

import json
import re
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bentos.catalog import MODELS
from bentos.spec import Choice, Table
from service import contract
from service.api import docs, schemas, ui

STATUSES_OF_PREDICT = {
    "200", "400", "401", "403", "405", "413", "415", "422", "500", "503", "504"
}  # fmt: skip


@pytest.fixture(scope="module")
def document(service):
    return service.get(contract.OPENAPI).json()


@pytest.fixture(scope="module")
def check(document):
    """Checks a value against a schema of the document."""
    registry = Registry().with_resource(
        "urn:api", Resource(contents=document, specification=DRAFT202012)
    )

    def run(value, schema):
        wrapped = json.loads(json.dumps(schema).replace('"#/', '"urn:api#/'))
        jsonschema.Draft202012Validator(wrapped, registry=registry).validate(value)

    return run


def refs(node):
    if isinstance(node, dict):
        if "$ref" in node:
            yield node["$ref"]
        for value in node.values():
            yield from refs(value)
    elif isinstance(node, list):
        for value in node:
            yield from refs(value)


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path, method, operation


def test_it_is_openapi_3_1_and_names_every_route(service, document):
    assert document["openapi"] == "3.1.0"
    described = {path for path, _, _ in operations(document)}
    served = set(service.application.routes)
    assert served - described == {
        contract.OPENAPI, "/docs", "/docs/page.js", "/docs/swagger-ui.css",
        "/docs/swagger-ui-bundle.js", *ui.pages(),
    }  # fmt: skip
    assert described <= served


def test_every_reference_leads_somewhere(document):
    found = set(refs(document))
    assert found
    for ref in found:
        node = document
        for part in ref.removeprefix("#/").split("/"):
            node = node[part]


def test_every_schema_is_one(document):
    for schema in document["components"]["schemas"].values():
        jsonschema.Draft202012Validator.check_schema(schema)


def test_operations_have_names_of_their_own(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_every_predict_route_declares_all_its_problems(document):
    for path, _, operation in operations(document):
        if "predict" in path:
            assert set(operation["responses"]) == STATUSES_OF_PREDICT
        assert "405" in operation["responses"]


def test_health_is_open_and_the_rest_wants_a_token(document):
    assert document["security"] == [{"token": []}]
    for path, _, operation in operations(document):
        assert operation.get("security") == ([] if path in ("/livez", "/readyz") else None)


def examples(document):
    for path, method, operation in operations(document):
        for kind, media in operation.get("requestBody", {}).get("content", {}).items():
            if "example" in media:
                yield path, method, kind, media


def test_every_example_is_valid_runs_and_is_answered_as_described(service, document, check):
    ran = 0
    for path, method, kind, media in examples(document):
        check(media["example"], media["schema"])
        answer = service.request(
            method, path, content=json.dumps(media["example"]), headers={"content-type": kind}
        )
        assert answer.status_code == 200, answer.text
        operation = document["paths"][path][method]
        check(answer.json(), operation["responses"]["200"]["content"][kind]["schema"])
        ran += 1
    assert ran == 2  # one and many, of the table model


def test_the_examples_of_answers_are_valid(document, check):
    checked = 0
    for _, _, operation in operations(document):
        for answer in operation["responses"].values():
            for media in answer.get("content", {}).values():
                if "example" in media:
                    check(media["example"], media["schema"])
                    checked += 1
    assert checked == 2
    for answer in document["components"]["responses"].values():
        media = answer["content"]["application/problem+json"]
        check(media["example"], media["schema"])


def test_photos_are_answered_as_described(service, document, check, picture):
    path = contract.predict_path("shade")
    content = document["paths"][path]["post"]["requestBody"]["content"]
    assert set(content) == {"image/jpeg", "image/png", "image/webp", "multipart/form-data"}
    answer = service.post(path, content=picture(), headers={"content-type": "image/jpeg"})
    check(answer.json(), {"$ref": "#/components/schemas/shade_answer"})
    body, kind = contract.multipart([picture(), b"none"])
    answer = service.post(
        contract.predict_batch_path("shade"), content=body, headers={"content-type": kind}
    )
    assert [set(item) for item in answer.json()["items"]] == [{"answer"}, {"error"}]
    check(answer.json(), {"$ref": "#/components/schemas/shade_batch_answer"})


def test_real_problems_are_as_described(service, check):
    for body in ("{", '{"a": "x"}'):
        answer = service.post(
            contract.predict_path("adder"),
            content=body,
            headers={"content-type": "application/json"},
        )
        check(answer.json(), {"$ref": "#/components/schemas/Problem"})


@pytest.mark.parametrize(
    ("row", "valid"),
    [
        ({}, True),
        ({"a": True}, False),
        ({"a": "3"}, False),
        ({"a": 101}, False),
        ({"when": "2017-07-14"}, False),
        ({"when": "2017-07-14 14:30"}, True),
        ({"when": "2017-07-14T14:30:00.5+02:00"}, True),
        ({"c": 1}, False),
    ],
)
def test_the_schema_of_a_row_says_what_the_service_does(service, check, row, valid):
    row = {"when": "2017-07-14T14:30:00", "a": 3.5, "b": 2, **row}
    answer = service.post(contract.predict_path("adder"), json=row)
    assert (answer.status_code == 200) == valid
    if valid:
        check(row, {"$ref": "#/components/schemas/adder_row"})
    else:
        with pytest.raises(jsonschema.ValidationError):
            check(row, {"$ref": "#/components/schemas/adder_row"})


@pytest.mark.parametrize(
    ("row", "valid"), [({"city": "Boston"}, True), ({"city": "boston"}, False), ({}, False)]
)
def test_a_choice_is_an_enum(row, valid):
    city = Choice(name="city", values=("Boston", "New York"), description="W.", example="Boston")
    takes = Table(columns=(city,))
    schema = schemas.row(takes)
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["properties"]["city"]["enum"] == ["Boston", "New York"]
    assert jsonschema.Draft202012Validator(schema).is_valid(row) == valid


def test_every_row_of_the_catalog_is_valid_by_its_own_schema():
    for spec in MODELS.values():
        if isinstance(spec.takes, Table):
            row = contract.example_row(spec.takes.columns)
            jsonschema.Draft202012Validator(schemas.row(spec.takes)).validate(row)


def test_the_page_and_all_it_loads_come_from_here(service):
    page = service.get("/docs")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    loaded = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert loaded
    for address in loaded:
        if address != "data:,":
            asset = service.get(address)
            assert asset.status_code == 200, address
            assert len(asset.content) > 50
    assert "default-src 'self'" in page.headers["content-security-policy"]
    assert not re.search(r"https?://", page.text)
    assert contract.OPENAPI in service.get("/docs/page.js").text


def test_without_swagger_uis_files_the_log_says_so_and_nothing_breaks(monkeypatch, caplog):
    monkeypatch.setattr(docs, "_assets_folder", lambda: Path("/nowhere"))
    pages = docs.pages()
    assert set(pages) == {"/docs", "/docs/page.js"}
    assert "missing in /nowhere" in caplog.text
