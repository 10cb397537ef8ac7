"""Which container engine is taken, and what is said where there is none."""

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from infra.images import engine

SILENT = {"podman": "not installed", "docker": "no daemon"}


@pytest.mark.parametrize(
    ("asked", "answering", "chosen"),
    [
        (None, {"podman", "docker"}, "podman"),
        (None, {"docker"}, "docker"),
        (None, {"podman"}, "podman"),
        ("", {"docker"}, "docker"),
        ("docker", {"podman", "docker"}, "docker"),
        ("podman", {"podman", "docker"}, "podman"),
    ],
    ids=["both", "docker", "podman", "empty is not set", "docker asked", "podman asked"],
)
def test_the_engine_that_answers_is_chosen(
    asked: str | None, answering: set[str], chosen: str
) -> None:
    assert engine.choose(asked, lambda name: None if name in answering else "no") == chosen


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (None, "no engine answers (podman: not installed; docker: no daemon). Install podman"),
        ("docker", "no engine answers (docker: no daemon). Install podman or start Docker"),
        ("lxc", "BENTOFLEET_ENGINE: no such container engine (got lxc). Use podman or docker."),
    ],
    ids=["none", "the one asked is silent", "no engine"],
)
def test_where_none_answers_one_line_says_why(asked: str | None, message: str) -> None:
    with pytest.raises(ValueError, match=r"^(containers|BENTOFLEET_ENGINE): ") as caught:
        engine.choose(asked, SILENT.get)
    assert message in str(caught.value)


def test_an_engine_that_may_not_be_used_is_told_with_its_cure() -> None:
    said = {"docker": "permission denied while trying to connect to the docker API at unix:///x"}
    with pytest.raises(ValueError, match=r"Add this user to the group docker .* log in again\.$"):
        engine.choose(None, {"podman": "not installed", **said}.get)


def test_an_engine_that_is_not_on_path_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert engine.why_silent("podman") == "not installed"


def program(folder: Path, text: str) -> None:
    path = folder / "podman"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("exit 0", None),
        ("echo first >&2; echo why >&2; exit 1", "why"),
        ("exit 7", "exit code 7"),
    ],
    ids=["answers", "says why not", "says nothing"],
)
def test_an_engine_is_asked_and_its_last_line_is_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, reason: str | None
) -> None:
    program(tmp_path, text)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert engine.why_silent("podman") == reason


def test_an_engine_that_hangs_does_not_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path, "exec sleep 60")
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(engine, "ANSWER_TIMEOUT_S", 0.2)
    assert engine.why_silent("podman") == "no answer in 0 s"


@pytest.mark.parametrize(
    ("text", "image_id"),
    [("echo sha256:abc", "abc"), ("echo abc", "abc"), ("exit 1", None)],
    ids=["docker's form", "podman's form", "no such image"],
)
def test_an_image_id_has_one_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, image_id: str | None
) -> None:
    program(tmp_path, text)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert engine.Engine("podman").image_id("some:tag") == image_id


def test_the_command_prints_the_name_or_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(engine, "why_silent", {"podman": None}.get)
    monkeypatch.delenv("BENTOFLEET_ENGINE", raising=False)
    assert engine.main() == 0
    assert capsys.readouterr().out == "podman\n"
    monkeypatch.setattr(engine, "why_silent", SILENT.get)
    assert engine.main() == 1
    assert capsys.readouterr().err.count("\n") == 1


def test_it_runs_with_the_standard_library_alone() -> None:
    code = "import infra.images.engine, infra.images.base"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, '.'); {code}"]
    )
    assert done.returncode == 0


def test_a_full_disk_is_told_before_a_build_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, store=str(tmp_path), free_gib=0.5)

    with pytest.raises(ValueError, match=r"too little room .*\(got 0.5 GiB, needs 2\). Make room"):
        engine.refuse_full_disk(engine.Engine("podman"), 2)


@pytest.mark.parametrize("store", ["", "/on/another/machine"])
def test_a_store_that_cannot_be_looked_at_passes(
    store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, store=store, free_gib=0)

    engine.refuse_full_disk(engine.Engine("docker"), 2)


def answers(monkeypatch: pytest.MonkeyPatch, *, store: str, free_gib: float) -> None:
    """The engine names its folder, and that has so much room."""
    done = subprocess.CompletedProcess([], 0, store + "\n", "")
    monkeypatch.setattr(engine.Engine, "ask", lambda *_, **__: done)
    usage = SimpleNamespace(free=int(free_gib * 2**30))
    monkeypatch.setattr(engine.shutil, "disk_usage", lambda _: usage)
