"""The command as a user runs it: on this machine, and against a real service."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import time

import httpx
import pytest

from cameratraps import __main__ as command
from cameratraps.asking import Stopped

from .conftest import VERSION


@pytest.fixture(autouse=True)
def _home(small_home, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(small_home))
    monkeypatch.delenv("BENTOFLEET_TOKEN", raising=False)


def results(out):
    return json.loads((out / "photos.json").read_text())


def test_photos_are_named_on_this_machine(photos, tmp_path, capsys):
    out = tmp_path / "out"
    assert command.main([str(photos), "--out", str(out)]) == 0
    document = results(out)
    assert [len(photo["predictions"]) for photo in document["photos"]] == [5, 5, 5, 0, 5, 5]
    assert document["summary"]["versions"] == [VERSION]
    told = capsys.readouterr().out
    assert "5 photos, 1 without an answer" in told
    assert str(out / "photos.html") in told


def test_an_earlier_run_is_only_gone_on_with_when_asked(photos, tmp_path, capsys):
    arguments = [str(photos), "--out", str(tmp_path / "out")]
    assert command.main(arguments) == 0
    assert command.main(arguments) == 1
    assert "holds an earlier run" in capsys.readouterr().err
    assert command.main([*arguments, "--resume", "--language", "es"]) == 0
    assert "6 photos are done already" in capsys.readouterr().out
    assert "Fotos" in (tmp_path / "out" / "photos.html").read_text()


@contextlib.contextmanager
def real_service(home):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {
        **os.environ,
        "BENTOML_HOME": str(home),
        "BENTOFLEET_MODELS": "wildlife",
        "BENTOFLEET_AUTH": "off",
        "BENTOFLEET_HOST": "127.0.0.1",
        "BENTOFLEET_PORT": str(port),
        "BENTOFLEET_METRICS_PORT": "0",
        "BENTOFLEET_DRAIN_S": "0",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "service"], env=environ, stdout=subprocess.DEVNULL
    ) as process:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()


def wait_for(url):
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{url}/readyz").status_code == 200:
                return
        time.sleep(0.1)
    raise TimeoutError(url)


def test_a_real_service_names_them_as_this_machine_does(photos, tmp_path, small_home):
    with real_service(small_home) as url:
        wait_for(url)
        assert command.main([str(photos), "--url", url, "--out", str(tmp_path / "stack")]) == 0
    assert command.main([str(photos), "--out", str(tmp_path / "here")]) == 0
    assert results(tmp_path / "stack")["photos"] == results(tmp_path / "here")["photos"]


def test_a_killed_run_loses_only_the_photos_in_flight(stand_in, tmp_path, make_photo):
    for number in range(40):
        make_photo(tmp_path / "card" / f"{number:02d}.jpg", (number, 0, 0))
    stand_in.delay_s = 0.3
    out = tmp_path / "out"
    arguments = [str(tmp_path / "card"), "--url", stand_in.url, "--out", str(out), "--jobs", "1"]
    with subprocess.Popen([sys.executable, "-m", "cameratraps", *arguments]) as process:
        while len(stand_in.batches) < 2:
            time.sleep(0.02)
        process.kill()
    kept = (out / "journal.jsonl").read_bytes().count(b'{"photo":')
    assert kept in (8, 16)
    stand_in.delay_s = 0.0
    assert command.main([*arguments, "--resume"]) == 0
    assert results(out)["summary"]["photos"] == 40
    assert sum(stand_in.batches) <= 40 + 3 * 8


def test_a_run_that_is_stopped_writes_what_it_has_and_fails(
    photos, tmp_path, capsys, monkeypatch, by_hand
):
    def answer(number, photo):
        raise Stopped("stack: gave no answer. Go on.")

    monkeypatch.setattr(command, "_asker", lambda options: by_hand(answer))
    assert command.main([str(photos), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.splitlines()[-1] == "stack: gave no answer. Go on."
    assert (tmp_path / "out" / "photos.html").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "missing: is no folder"),
        (["card", "--url", "nowhere"], "--url: should be http://HOST"),
        (
            ["card", "--url", "http://127.0.0.1", "--token-file", "no"],
            "--token-file: cannot be read",
        ),
        (["card", "--out", "a-file"], "cannot be written"),
    ],
    ids=["folder", "url", "token", "out"],
)
def test_bad_options_are_one_line_each(photos, tmp_path, capsys, monkeypatch, arguments, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a-file").write_text("")
    assert command.main(arguments) == 1
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_model_that_is_not_there_is_one_line(photos, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("BENTOML_HOME", str(tmp_path / "none"))
    assert command.main([str(photos), "--out", str(tmp_path / "out")]) == 1
    assert capsys.readouterr().err.startswith("wildlife: should be in")


@pytest.mark.parametrize("jobs", ["0", "33", "many"])
def test_a_number_of_jobs_that_makes_no_sense_is_refused(photos, capsys, jobs):
    with pytest.raises(SystemExit) as caught:
        command.main([str(photos), "--jobs", jobs])
    assert caught.value.code == 2


def test_the_token_comes_from_the_file_or_the_environment(tmp_path, monkeypatch):
    path = tmp_path / "token"
    path.write_text("abc\n")
    assert command._token(path) == "abc"
    assert command._token(None) is None
    monkeypatch.setenv("BENTOFLEET_TOKEN", "def")
    assert command._token(None) == "def"
