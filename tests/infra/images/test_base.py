"""Where the base image comes from."""

import subprocess
from pathlib import Path

import pytest

from infra import versions
from infra.images import base, engine, logs


class Registry(engine.Engine):
    """An engine whose pulls end as told."""

    there = False
    stderr = ""

    def image_id(self, tag: str) -> str | None:
        return "f" * 64 if self.there else None

    def ask(
        self, *arguments: str, timeout_s: float | None = None
    ) -> subprocess.CompletedProcess[str]:
        assert arguments == ("pull", versions.BASE_IMAGE)
        return subprocess.CompletedProcess(arguments, bool(self.stderr), "", self.stderr)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    commands: list[list[str]] = []
    monkeypatch.setattr(logs, "run", lambda name, command, environ=None: commands.append(command))
    return commands


def offline(monkeypatch: pytest.MonkeyPatch) -> engine.Engine:
    monkeypatch.setattr(Registry, "stderr", "Error: pinging: lookup registry: no such host\n")
    return Registry("podman")


def test_a_base_that_is_there_is_left_alone(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(Registry, "there", True)
    base.ensure(Registry("podman"))
    assert (ran, capsys.readouterr().out) == ([], "")


def test_a_base_that_can_be_pulled_is_not_made(ran: list[list[str]]) -> None:
    base.ensure(Registry("podman"))
    assert ran == []


def test_where_nothing_can_be_pulled_it_is_made_and_imported_under_its_name(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(base.shutil, "which", lambda name: f"/usr/bin/{name}")
    base.ensure(offline(monkeypatch))
    assert [command[0] for command in ran] == ["mmdebstrap", "podman"]
    assert ran[1][-1] == versions.BASE_IMAGE
    said = capsys.readouterr().out
    assert "it cannot be pulled (no such host)" in said
    assert "importing it under the same name" in said


def test_where_it_can_neither_be_pulled_nor_made_set_up_is_told(
    ran: list[list[str]], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silent = offline(monkeypatch)
    monkeypatch.setattr(base.shutil, "which", lambda name: None)
    monkeypatch.setattr(base.engines, "find", lambda: silent)
    assert base.main() == base.MISSING_TOOL
    told = capsys.readouterr()
    assert told.out.endswith(
        "image: it cannot be pulled (no such host), mmdebstrap would make it and is not installed\n"
    )
    assert (told.err, ran) == ("", [])


def test_where_pulling_and_making_both_fail_one_line_has_both_reasons(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(name: str, command: list[str], environ: object = None) -> None:
        raise logs.Failed(f"image {name}: mmdebstrap failed.")

    silent = offline(monkeypatch)
    monkeypatch.setattr(base.shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(base.engines, "find", lambda: silent)
    monkeypatch.setattr(logs, "run", fail)
    assert base.main() == 1
    assert capsys.readouterr().err == (
        f"base image {versions.BASE_IMAGE}: cannot be pulled (no such host), and making it failed "
        "(image base: mmdebstrap failed). Let this machine reach a registry or deb.debian.org "
        "(HTTPS_PROXY, http_proxy), or load the image by hand with `podman load`.\n"
    )


def test_the_made_base_has_no_documents_and_nothing_of_this_machine() -> None:
    command = base.bootstrap_command(Path("base.tar"))
    assert command[:2] == ["mmdebstrap", "--variant=minbase"]
    assert "--dpkgopt=path-exclude=/usr/share/man/*" in command
    assert any("resolv.conf" in word and "hostname" in word for word in command)
    assert [word for word in command if word.startswith("deb ")] == [
        "deb http://deb.debian.org/debian bookworm main",
        "deb http://deb.debian.org/debian bookworm-updates main",
        "deb http://deb.debian.org/debian-security bookworm-security main",
    ]
