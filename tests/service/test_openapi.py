"""The API's own description is true: its schemas hold, its examples run."""

import itertools
import json
import re
from datetime import date
from pathlib import Path

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bentos.catalog import MODELS
from bentos.spec import Choice, Table
from service import contract
from service.api import docs, schemas, ui

JSON = {"content-type": "application/json"}
STATUSES_OF_PREDICT = {
    "200", "400", "401", "403", "405", "413", "415", "422", "429", "500", "503", "504"
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
            if method != "parameters":
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


def test_every_operation_declares_all_that_it_may_answer(document):
    always = {"200", "400", "405", "500"}
    more = {contract.LIVEZ: set(), contract.READYZ: {"503"}, contract.MODELS: {"401"}}
    for path, _, operation in operations(document):
        statuses = always | more[path] if path in more else STATUSES_OF_PREDICT
        assert set(operation["responses"]) == statuses


def test_every_operation_says_what_it_is_for_and_carries_examples(document):
    for path, method, operation in operations(document):
        assert operation["summary"], path
        assert len(operation["description"]) > 20, path
        assert operation["responses"]["200"]["description"], path
        told = [operation["responses"]["200"].get("content", {})]
        told.append(operation.get("requestBody", {}).get("content", {}))
        for kind, media in ((kind, media) for content in told for kind, media in content.items()):
            if kind == contract.JSON_TYPE:
                assert "example" in media, (path, kind)
            else:
                assert kind in (*contract.PHOTO_TYPES, contract.MULTIPART_TYPE)
        assert (method == "head") == ("content" not in operation["responses"]["200"])
    assert document["components"]["parameters"]["RequestId"]["example"]
    for parameters in (item["parameters"] for item in document["paths"].values()):
        assert parameters == [{"$ref": "#/components/parameters/RequestId"}]


def test_head_answers_as_get_without_a_body(service, document):
    for path, method, operation in operations(document):
        if method == "head":
            head, get = service.request("HEAD", path), service.get(path)
            assert head.status_code == get.status_code == 200
            assert head.headers["content-type"] == get.headers["content-type"]
            assert head.headers["content-length"] == get.headers["content-length"]
            assert head.content == b""
            assert operation["tags"] == document["paths"][path]["get"]["tags"]


def test_where_anyone_may_call_no_token_is_spoken_of(start):
    document = start(BENTOFLEET_AUTH="off").get(contract.OPENAPI).json()
    assert document["security"] == []
    assert document["components"]["securitySchemes"] == {}
    for _, _, operation in operations(document):
        assert not {"401", "403"} & set(operation["responses"])
    assert not {"unauthorized", "forbidden"} & set(document["components"]["responses"])


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
    assert checked == 3 + 1 + 4  # health and models, not ready, and two of each model
    for answer in document["components"]["responses"].values():
        for media in answer["content"].values():
            check(media["example"], media["schema"])


def test_headers_and_problems_are_sent_as_declared(service, document, check):
    asked = {
        "400": ("POST", "/v1/adder/predict", {"content": "{", "headers": JSON}),
        "401": ("GET", "/v1/models", {"headers": {"authorization": ""}}),
        "405": ("DELETE", "/v1/adder/predict", {}),
        "413": ("POST", "/v1/adder/predict", {"content": b"0" * 20_000, "headers": JSON}),
        "415": ("POST", "/v1/adder/predict", {"content": b"x"}),
        "422": ("POST", "/v1/adder/predict", {"json": {}}),
    }
    declared = document["paths"]["/v1/adder/predict"]["post"]["responses"]
    for status, (method, path, options) in asked.items():
        answer = service.request(method, path, **options)
        assert str(answer.status_code) == status
        described = document["components"]["responses"][declared[status]["$ref"].rpartition("/")[2]]
        for name, header in described["headers"].items():
            value = answer.headers[name]
            check(int(value) if header["schema"]["type"] == "integer" else value, header["schema"])
        check(answer.json(), described["content"]["application/problem+json"]["schema"])
        assert (
            answer.json()["type"]
            == (described["content"]["application/problem+json"]["example"]["type"])
        )


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


def test_the_pattern_of_timestamps_has_every_day_that_there_is_and_no_other():
    pattern = re.compile(schemas.TIMESTAMP_PATTERN)
    years = range(contract.FIRST_YEAR - 1, contract.LAST_YEAR + 2)
    for year, month, day in itertools.product(years, range(14), range(33)):
        text = f"{year:04}-{month:02}-{day:02}T00:00"
        try:
            date(year, month, day)
            taken = contract.FIRST_YEAR <= year <= contract.LAST_YEAR
        except ValueError:
            taken = False
        assert bool(pattern.match(text)) == taken, text


TIMES = ["00:00", "23:59", "24:00", "12:60", "12:30:59", "12:30:60", "1:30", "12:30:00.123456"]
ZONES = ["", "Z", "z", "+02:00", "-23:59", "+24:00", "+05:99", "+0200", " Z"]


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("time", TIMES)
def test_the_pattern_of_timestamps_has_the_times_and_zones_that_are_taken(service, time, zone):
    when = f"2017-07-14T{time}{zone}"
    answer = service.post(contract.predict_path("adder"), json={"when": when, "a": 3.5, "b": 2})
    assert bool(re.match(schemas.TIMESTAMP_PATTERN, when)) == (answer.status_code == 200)


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
