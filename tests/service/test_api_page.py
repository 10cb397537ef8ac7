"""docs/api.md: up to date, and every call on it runs and is answered as the page says."""

import ast
import functools
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from bentos.catalog import MODELS
from service import contract, tokens

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "api.md").read_text()
SNIPPETS = [
    (section.partition("\n")[0], language, code)
    for section in re.split(r"^#+ ", PAGE, flags=re.M)
    for language, code in re.findall(r"^```(\w+)\n(.*?)^```", section, flags=re.M | re.S)
]
CALLS = {
    f"{section} {language} {number}": (section, language, code)
    for number, (section, language, code) in enumerate(SNIPPETS)
    if section in MODELS
}
COMMANDS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}
VOLATILE = ("processing_time_ms", "request_id")


def node():
    """Node of this machine, or that of Playwright."""
    found = shutil.which("node")
    if found is None:
        from playwright._impl._driver import compute_driver_executable

        found = str(compute_driver_executable()[0])
    return found


def of(section, language):
    """The codes of a section in one language."""
    return [code for at, kind, code in SNIPPETS if (at, kind) == (section, language)]


@pytest.fixture(scope="module")
def execute(published, token_for, tmp_path_factory):
    """Runs a snippet beside the photos, and gives what it prints; the same one only once."""
    folder = tmp_path_factory.mktemp("api")
    (folder / "bentos").symlink_to(ROOT / "bentos")

    @functools.cache
    def run(language, code, url=published.url):
        if language == "sh" and shutil.which("curl") is None:
            pytest.skip("curl is not installed.")
        command = COMMANDS.get(language) or [node(), "--input-type=module", "--eval"]
        done = subprocess.run(
            [*command, code],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "URL": url, "TOKEN": token_for()},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    run.folder = folder
    return run


def steady(answer):
    """An answer less what differs from one to the next."""
    return {name: value for name, value in answer.items() if name not in VOLATILE}


def test_the_page_is_up_to_date():
    spec = importlib.util.spec_from_file_location("api_page", ROOT / "tools" / "api_page.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.page() == PAGE, "Run `uv run python tools/api_page.py`."


def test_every_model_is_called_in_every_language():
    called = {(section, language) for section, language, _ in CALLS.values()}
    assert called == {(name, language) for name in MODELS for language in ("sh", "python", "js")}
    assert {language for _, language, _ in SNIPPETS} == {"sh", "python", "js", "json"}


@pytest.mark.parametrize(("section", "language", "code"), CALLS.values(), ids=CALLS)
def test_a_call_of_a_model_is_answered(execute, section, language, code):
    printed = execute(language, code)
    if "explain" in code:
        assert (execute.folder / "heat-map.png").read_bytes().startswith(b"\x89PNG")
        return
    one, many = (json.loads(line) for line in printed.splitlines())
    own = [field.name for field in MODELS[section].answer]
    assert list(one) == [*own, *contract.ANSWER_FIELDS]
    assert one["model"] == many["model"] == section
    assert [list(item["answer"]) for item in many[contract.ITEMS_FIELD]] == [own, own]
    assert many[contract.ITEMS_FIELD][0]["answer"] == {name: one[name] for name in own}


@pytest.mark.parametrize("name", MODELS)
def test_all_languages_send_the_same(execute, name):
    printed = [execute(language, of(name, language)[0]) for language in ("sh", "python", "js")]
    answers = [[steady(json.loads(line)) for line in text.splitlines()] for text in printed]
    assert answers[0] == answers[1] == answers[2]


def test_the_first_lines_make_a_token_that_is_good(key_dir, published):
    (code,) = of("Calling the API", "sh")
    if not (ROOT / ".env").exists() or shutil.which("make") is None:
        pytest.skip("the repository is not set up. Run make setup.")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f'{code}\nprintf %s "$TOKEN"'],
        cwd=ROOT,
        env={**os.environ, "KEY": str(key_dir / tokens.KEY_FILE), "URL": published.url},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(r"[\w-]+\.[\w-]+\.[\w-]+", done.stdout)


def test_an_error_looks_as_shown(execute):
    (code,), (shown,) = of("Errors", "sh"), of("Errors", "json")
    assert steady(json.loads(execute("sh", code))) == steady(json.loads(shown))


def test_a_request_id_is_taken_over(execute):
    (code,) = of("Request ids", "sh")
    assert "x-request-id: order-4711" in execute("sh", code).lower()


class Busy(BaseHTTPRequestHandler):
    """Answers 503, 429 and at last 200."""

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked += 1
        status = {1: 503, 2: 429}.get(self.server.asked, 200)
        self.send_response(status)
        self.send_header("Retry-After", "0")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *args):
        pass


def test_the_call_that_waits_gets_its_answer_and_asks_a_busy_service_again(execute):
    (code,) = of("When it is busy", "python")
    assert ast.literal_eval(execute("python", code))["model"] in MODELS

    server = ThreadingHTTPServer(("127.0.0.1", 0), Busy)
    server.asked = 0
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert execute("python", code, f"http://127.0.0.1:{server.server_port}") == "{}\n"
    finally:
        server.shutdown()
        server.server_close()
    assert server.asked == 3
