"""The whole API tried by its own description: schemathesis, all checks, published models, tokens.

The cases are the same each time; `make soak` runs more of them.
"""

import json
import logging
import os
import shutil
import subprocess
from collections import Counter
from pathlib import Path

import pytest

from service import contract

ROOT = Path(__file__).parents[2]
PROJECT = ROOT / "tools" / "schemathesis"
COMMAND = ROOT / "build" / "tools" / "schemathesis" / "bin" / "schemathesis"
LIMIT_S = 3600

pytestmark = pytest.mark.skipif(
    not COMMAND.exists(), reason="schemathesis is not installed. Run make test."
)
log = logging.getLogger("fuzz")


@pytest.fixture
def fuzz(published, token_for, tmp_path):
    """Runs schemathesis, and gives its report and how often each status was answered."""

    def run(most_per_operation):
        report = tmp_path / "report.json"
        for name in ("schemathesis.toml", "hooks.py"):  # are looked for where it runs
            shutil.copy(PROJECT / name, tmp_path)
        done = subprocess.run(
            [
                *(COMMAND, "--no-color", "run", f"{published.url}{contract.OPENAPI}"),
                *("--continue-on-failure", "--seed", "1"),
                *("--max-examples", str(most_per_operation), "--generation-database", "none"),
                *("--report", "json", "--report-json-path", report),
            ],
            cwd=tmp_path,
            env={**os.environ, "TOKEN": token_for(lifetime_s=LIMIT_S)},
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(report.read_text()), statuses(published.log())

    return run


def statuses(lines):
    """How often each was answered, by the service's own log."""
    told = [json.loads(line) for line in lines.splitlines()]
    return Counter(line["status"] for line in told if line["message"] == "request")


def hold(report, answered, at_least):
    cases = report["test_cases"]
    log.info("%d cases, answered %s", cases["generated"], dict(sorted(answered.items())))
    assert report["complete"]
    assert report["operations"]["tested"] == report["operations"]["total"] > 0
    assert cases["generated"] >= at_least
    assert cases["with_failures"] == cases["errored"] == 0
    assert {200, 400, 401, 405, 415, 422} <= set(answered)
    assert answered[200] > answered[401]  # the token held, so that what is behind it was tried
    assert {status for status in answered if status >= 500} <= {503, 504}


def test_500_cases_are_answered_as_described(fuzz):
    hold(*fuzz(5), at_least=500)


@pytest.mark.soak
def test_10_000_cases_are_answered_as_described(fuzz):
    hold(*fuzz(800), at_least=10_000)
