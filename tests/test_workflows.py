"""GitHub's workflows: valid by its own schema, safe to run, and calling only what is there."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def run(*argv: str) -> "subprocess.CompletedProcess[str]":
    program = shutil.which(argv[0], path=f"{ROOT / '.venv/bin'}:{os.environ['PATH']}")
    assert program, f"{argv[0]} is not there"
    return subprocess.run(
        [program, *argv[1:]], capture_output=True, text=True, cwd=ROOT, timeout=120, check=False
    )


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text())["jobs"]
    return [step for job in jobs.values() for step in job["steps"]]


def test_they_are_what_github_takes() -> None:
    names = [str(path) for path in WORKFLOWS]

    done = run("check-jsonschema", "--builtin-schema", "vendor.github-workflows", *names)

    assert done.returncode == 0, done.stdout + done.stderr


def test_nothing_in_them_can_be_turned_against_whoever_runs_them() -> None:
    done = run("zizmor", "--offline", "--no-progress", "-q", "--min-severity=medium", ".github")

    assert done.returncode == 0, done.stdout + done.stderr


def test_what_could_be_turned_against_somebody_is_found(tmp_path: Path) -> None:
    text = (ROOT / ".github/workflows/rollback.yml").read_text()
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "rollback.yml").write_text(text.replace('TO="$TO"', "TO=${{ inputs.to }}"))

    done = run("zizmor", "--offline", "--no-progress", "-q", "--min-severity=medium", str(tmp_path))

    assert "template-injection" in done.stdout


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.stem)
def test_they_call_only_targets_of_the_makefile(workflow: Path) -> None:
    lines = "\n".join(step.get("run", "") for step in steps(workflow))
    called = {
        word
        for words in re.findall(r"\bmake((?: [a-z]+\b(?!=))+)", lines)
        for word in words.split()
    }

    assert called
    assert called <= TARGETS


def test_a_walk_is_never_cancelled_by_the_next_one() -> None:
    moves = re.compile(r"run: make (up|promote|rollback) ")
    releasing = [w for w in WORKFLOWS if moves.search(w.read_text())]

    assert [w.stem for w in releasing] == ["promote", "release", "rollback"]
    for workflow in releasing:
        assert yaml.safe_load(workflow.read_text())["concurrency"]["cancel-in-progress"] is False


def test_staging_and_production_get_one_image() -> None:
    built = [w.stem for w in WORKFLOWS if "make image" in w.read_text()]
    production = (ROOT / ".github/workflows/promote.yml").read_text()

    assert built == ["check", "release"]
    assert "make unbundle" in production
    assert "make promote" in production
