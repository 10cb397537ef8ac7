"""The start script, run for real with a stand-in for the engine that writes down its calls."""

import subprocess
from pathlib import Path

from infra.commands import startup

ENGINE = """\
#!/bin/sh
case "$1" in
    ps) echo demo-live-1; echo demo-candidate-1 ;;
    start) test "$2" != broken || exit 1; echo "start $2" >> "$LOG" ;;
    *) echo "$1 $2" >> "$LOG" ;;
esac
"""


def run_script(tmp_path: Path, live: list[str]) -> tuple[int, list[str]]:
    engine = tmp_path / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    script = tmp_path / "start"
    script.write_text(startup.script(str(engine), "demo-edge", live, ["label=stack=demo"]))
    log = tmp_path / "log"
    done = subprocess.run(["sh", str(script)], env={"LOG": str(log), "PATH": "/usr/bin:/bin"})
    return done.returncode, log.read_text().splitlines()


def test_the_live_release_starts_and_a_candidate_is_stopped(tmp_path: Path) -> None:
    status, calls = run_script(tmp_path, ["demo-live-1"])

    assert status == 0
    assert calls == ["start demo-live-1", "start demo-edge", "stop demo-candidate-1"]


def test_one_container_that_does_not_start_does_not_keep_the_others_down(tmp_path: Path) -> None:
    status, calls = run_script(tmp_path, ["broken", "demo-live-1"])

    assert status == 1
    assert calls[:2] == ["start demo-live-1", "start demo-edge"]


def test_a_rootless_unit_starts_with_the_user() -> None:
    assert "WantedBy=default.target" in startup.unit("demo", "/x/start", rootless=True)
    assert "WantedBy=multi-user.target" in startup.unit("demo", "/x/start", rootless=False)
