"""MLflow: what is recorded of a training, and that a broken store loses no model."""

import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bentos import build, store
from bentos.tracking import journal, page, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def tracked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tracking as a user has it."""
    monkeypatch.delenv("BENTOFLEET_TRACKING")


@pytest.fixture
def toy(kitchen: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A build of the toy alone."""
    monkeypatch.setattr(build, "load", lambda name, *, small: kitchen.recipe(small=small))
    return kitchen


def rows(query: str) -> list[tuple[Any, ...]]:
    """What the store answers."""
    with sqlite3.connect(journal.database()) as connection:
        found = connection.execute(query).fetchall()
    connection.close()
    return found


@pytest.mark.train
@pytest.mark.usefixtures("tracked")
def test_a_training_is_a_run_with_all_that_was_measured(toy: Any, home: Path) -> None:
    version = build.build("toy", small=True)
    assert journal.database() == home.parent / "mlflow" / "mlflow.db"
    assert rows("select name, status from runs") == [(version, "FINISHED")]
    assert dict(rows("select key, value from params")) == {
        "rounds": "1",
        "small": "true",
        "data_sha256": "0" * 64,
    }
    measured = dict(rows("select key, value from metrics"))
    assert measured.keys() == {"score", "build_duration_s"}
    assert measured["score"] == 0.95
    tags = dict(rows("select key, value from tags"))
    assert tags["version"] == version
    assert (tags["result"], tags["small"], tags["simulated"]) == ("published", "true", "false")
    assert tags["framework.numpy"]
    kept = {path.name for path in (home.parent / "mlflow" / "artifacts").rglob("*.json")}
    assert kept == {"card.json", "data.json"}
    assert dict(rows("select name, artifact_location from experiments"))["toy"].startswith("file:")


def not_a_database() -> None:
    """As a full disk or a broken copy leaves it."""
    journal.folder().mkdir(parents=True)
    journal.database().write_bytes(b"no database" * 100)


def a_folder_in_its_place() -> None:
    """Somebody made a folder of that name."""
    journal.database().mkdir(parents=True)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        pytest.param(not_a_database, "file is not a database", id="damaged"),
        pytest.param(a_folder_in_its_place, "unable to open database file", id="a folder"),
    ],
)
@pytest.mark.usefixtures("tracked")
def test_a_broken_store_is_one_warning_and_loses_no_model(
    toy: Any, caplog: pytest.LogCaptureFixture, damage: Any, words: str
) -> None:
    damage()
    version = build.build("toy", small=False)
    assert store.find("toy", version)
    (line,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    message = line.getMessage()
    assert message.startswith(f"toy: the run was not recorded in {journal.database()} (")
    assert words in message
    assert "\n" not in message


@pytest.mark.usefixtures("tracked")
def test_a_locked_store_is_one_warning(
    kitchen: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    journal.folder().mkdir(parents=True)
    holder = sqlite3.connect(journal.database())
    holder.execute("BEGIN EXCLUSIVE")
    made = kitchen.cooked(tmp_path / "made")
    journal.record(made, tmp_path / "made", 1.0, [])
    holder.close()
    assert "database is locked" in caplog.messages[-1]


@pytest.mark.usefixtures("tracked")
def test_a_recording_that_hangs_is_ended(
    kitchen: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal, "_PATIENCE_S", 0.01)
    journal.record(kitchen.cooked(tmp_path / "made"), tmp_path / "made", 1.0, [])
    assert "no answer in 0.01 s" in caplog.messages[-1]


def test_tracking_that_is_switched_off_starts_nothing(
    kitchen: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *given, **options: pytest.fail("started"))
    journal.record(kitchen.cooked(tmp_path / "made"), tmp_path / "made", 1.0, [])


def test_nothing_of_mlflow_is_imported_by_the_build() -> None:
    code = "import sys, bentos.build, bentos.tracking.page; sys.exit('mlflow' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


def test_mlflow_is_told_to_send_nothing() -> None:
    environment = journal.environment()
    assert environment["MLFLOW_DISABLE_TELEMETRY"] == environment["DO_NOT_TRACK"] == "true"


def test_a_fault_of_the_library_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(run: dict[str, Any]) -> None:
        raise RuntimeError("no\nsuch table")

    monkeypatch.setattr(run, "_check", lambda database: None)
    monkeypatch.setattr(run, "_record", fail)
    monkeypatch.setattr(run.json, "load", lambda stream: {"database": "x"})
    assert run.main() == 1
    assert capsys.readouterr().err == "RuntimeError: no such table\n"


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_page_needs_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    assert page.main([]) == 1
    line = f"mlflow: {journal.database()}: no run was recorded yet. Run make models.\n"
    assert capsys.readouterr().err == line


def test_the_page_needs_a_port_of_its_own(taken: int, capsys: pytest.CaptureFixture[str]) -> None:
    journal.folder().mkdir(parents=True)
    journal.database().touch()
    assert page.main(["--port", str(taken)]) == 1
    assert f"mlflow: port {taken} cannot be used" in capsys.readouterr().err
    assert page.main(["--port", "80"]) == 1
    assert "should be from 1024 to 65535 (got 80)" in capsys.readouterr().err


@pytest.mark.train
@pytest.mark.usefixtures("tracked")
def test_the_page_shows_the_runs_on_loopback(toy: Any, taken: int) -> None:
    version = build.build("toy", small=True)
    port = taken + 1 if taken < 60_000 else taken - 1
    command = [sys.executable, "-m", "bentos.tracking.page", "--port", str(port)]
    server = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        assert server.stdout
        assert (
            server.stdout.readline()
            == f"mlflow: http://127.0.0.1:{port} (Ctrl-C ends it)\n".encode()
        )
        wait(f"http://127.0.0.1:{port}/health")
        body = b'{"experiment_ids": ["1"]}'
        search = urllib.request.Request(
            f"http://127.0.0.1:{port}/api/2.0/mlflow/runs/search",
            body,
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(search) as answer:  # noqa: S310
            assert version in answer.read().decode()
    finally:
        server.send_signal(signal.SIGINT)
        server.communicate(timeout=60)
    assert not is_open(port)


def wait(url: str) -> None:
    """Until it answers."""
    end = time.monotonic() + 300
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url):  # noqa: S310
                return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"{url} did not answer; cores: {os.cpu_count()}")


def is_open(port: int) -> bool:
    """Whether somebody listens."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
