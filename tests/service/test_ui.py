"""The page at /ui: what is served, with which headers, and that its files hold together."""

import json
import re
from pathlib import Path

import pytest

from bentos.catalog import MODELS
from infra.images import inputs
from service import contract
from service.api import openapi, problems, static, ui

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "service" / "ui"
FILES = sorted(path.name for path in FOLDER.iterdir())
MODULES = sorted(FOLDER.glob("*.js"))
LANGUAGES = ("en", "es")


def words(language):
    return json.loads((FOLDER / f"{language}.json").read_text())


def test_every_file_is_served_under_its_name_and_the_index_as_the_page(service):
    expected = {"/ui", *(f"/ui/{name}" for name in FILES if name != "index.html")}
    assert {path for path in service.application.routes if path.startswith("/ui")} == expected
    assert service.get("/ui").content == (FOLDER / "index.html").read_bytes()
    for path in expected - {"/ui"}:
        assert service.get(path).content == (FOLDER / Path(path).name).read_bytes()


@pytest.mark.parametrize("name", FILES)
def test_a_file_says_what_it_is_and_what_it_may_do(service, name):
    answer = service.get("/ui" if name == "index.html" else f"/ui/{name}")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == static.TYPES[Path(name).suffix].decode()
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cross-origin-resource-policy"] == "same-origin"
    assert answer.headers["cache-control"] == "no-cache"
    policy = dict(
        part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; ")
    )
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == "'self' blob: data:"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert "unsafe" not in answer.headers["content-security-policy"]


def test_the_page_is_open_and_asks_for_no_token(start):
    service = start()
    assert service.get("/ui").status_code == 200
    assert service.request("HEAD", "/ui/app.js").status_code == 200
    assert service.post("/ui").status_code == 405


@pytest.mark.parametrize(
    "path", ["/ui/", "/ui/index.html", "/ui/other.js", "/ui/%2e%2e/app.py", "/ui/../settings.py"]
)
def test_there_is_nothing_else_below_it(service, path):
    answer = service.get(path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


def test_it_is_closed_together_with_the_docs(start):
    service = start(BENTOFLEET_DOCS="off")
    for path in ("/ui", "/ui/app.js", "/docs", "/openapi.json"):
        assert service.get(path).status_code == 404
    assert not [path for path in service.application.routes if path.startswith("/ui")]


def test_its_requests_have_a_route_of_their_own_in_metrics(service):
    service.get("/ui")
    labels = f'code="200",model="",route="{contract.ROUTE_UI}",traffic="user"'
    assert f"bentofleet_requests_total{{{labels}}}" in service.scrape()


def test_nothing_in_the_files_leads_elsewhere_or_is_inline():
    for path in FOLDER.iterdir():
        text = path.read_text()
        found = set(re.findall(r"https?://[^\s\"'`]+", text))
        assert found <= {"http://www.w3.org/2000/svg"}, path.name  # a name, not an address
        for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
            assert way not in text, path.name
    index = (FOLDER / "index.html").read_text()
    assert not re.search(r"\son\w+=|\sstyle=|<style", index)
    assert re.findall(r"<script([^>]*)>", index) == [' type="module" src="/ui/app.js"']


def test_every_module_that_is_imported_is_there_and_used():
    imported = {
        name for path in MODULES for name in re.findall(r'from "/ui/([\w.-]+)"', path.read_text())
    }
    assert imported | {"app.js"} == {path.name for path in MODULES}
    for path in MODULES:
        assert len(re.findall(r'from "', path.read_text())) == len(
            re.findall(r'from "/ui/', path.read_text())
        )


def test_both_languages_have_the_same_words_and_the_same_holes():
    english, spanish = map(words, LANGUAGES)
    assert list(english) == sorted(english)
    assert list(english) == list(spanish)
    for key, text in english.items():
        assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", spanish[key])), key
        assert text
        assert spanish[key]


def test_every_word_is_used_and_every_used_word_is_there():
    code = "\n".join(path.read_text() for path in MODULES)
    known = set(words("en"))
    assert set(re.findall(r'\bt\("([\w.-]+)"', code)) <= known
    families = {"health", "alarm", "problem", "takes"}  # picked by a state, a kind, a slug
    for key in known:
        family = key.partition(".")[0]
        assert f'"{key}"' in code or (family in families and f"`{family}." in code), key


def test_every_kind_of_problem_has_words():
    assert {f"problem.{kind.slug}" for kind in problems.KINDS} <= set(words("en"))


def test_translations_are_of_texts_that_the_models_have():
    document = openapi.document(MODELS.values(), "r1", auth=True)
    texts = set(strings(document))
    unknown = set(json.loads((FOLDER / "models-es.json").read_text())) - texts
    assert unknown == set()


def strings(node):
    """All keys and texts of a document."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key
            yield from strings(value)
    elif isinstance(node, list):
        for value in node:
            yield from strings(value)
    elif isinstance(node, str):
        yield node


def test_the_page_and_the_contract_agree_on_its_paths():
    assert set(ui.pages()) >= {contract.UI, f"{contract.UI}/app.js"}
    code = "\n".join(path.read_text() for path in MODULES)
    for path in (contract.LIVEZ, contract.READYZ, contract.OPENAPI, contract.MODELS):
        assert f'"{path}"' in code


def test_the_image_carries_all_files_and_a_change_of_one_makes_a_new_bento():
    named = inputs.of_service(ROOT)
    assert {f"service/ui/{name}" for name in FILES} <= set(named)
    changed = {**named, "service/ui/app.js": "0" * 64}
    assert inputs.tag_of(changed) != inputs.tag_of(named)
