"""Finding a host's container engine, and what is said when there is none that works."""

from pathlib import Path

import pytest

from infra.connection import HostError, Unreachable
from infra.host import Host
from infra.provider import machine
from infra.provider.machine import Answer, open_machine

HOST = Host(
    name="here",
    address="127.0.0.1",
    connection="local",
    accelerator="cpu",
    stack="demo",
    ports_from=21000,
)


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH, beside the shell's own."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.delenv(machine.ENGINE_VARIABLE, raising=False)
    monkeypatch.setattr(machine, "ENGINE_TIMEOUT_S", 1.0)
    return folder


def program(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_without_an_engine_the_cure_is_told(programs: Path) -> None:
    with pytest.raises(HostError) as caught:
        open_machine(HOST)

    assert str(caught.value) == (
        "here: no container engine (looked for podman and docker). Install Docker or Podman."
    )


def test_an_engine_that_complains_is_unreachable_with_its_words(programs: Path) -> None:
    program(programs, "docker", "echo 'permission denied on the socket' >&2; exit 1")

    with pytest.raises(Unreachable) as caught:
        open_machine(HOST)

    assert str(caught.value) == (
        "here: the container engine does not answer (docker: permission denied on the socket). "
        "Start it."
    )


def test_an_engine_that_hangs_is_unreachable(programs: Path) -> None:
    program(programs, "podman", "while :; do :; done")

    with pytest.raises(Unreachable, match=r"podman: no answer in 1 s"):
        open_machine(HOST)


def test_the_engine_that_answers_is_taken(programs: Path) -> None:
    program(programs, "podman", "exit 1")
    program(programs, "docker", "echo 28.2.2")

    assert open_machine(HOST).engine == "docker"


def test_the_engine_can_be_chosen(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(programs, "podman", "echo 4.3.1")
    program(programs, "docker", "echo 28.2.2")
    monkeypatch.setenv(machine.ENGINE_VARIABLE, "docker")

    assert open_machine(HOST).engine == "docker"


def test_an_answer_that_is_no_json_object_reads_as_empty() -> None:
    assert Answer(200, {}, "[1]").json() == {}
    assert Answer(0, {}, "refused").json() == {}


def test_a_header_is_found_whatever_its_case() -> None:
    assert Answer(200, {"X-A": "1"}, "").header("x-a") == "1"
    assert Answer(200, {}, "").header("x-a") == ""
