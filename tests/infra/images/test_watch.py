"""The watcher beside HAProxy, run for real with a stand-in for HAProxy's socket."""

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.commands import edge
from infra.provider import live
from infra.provider.lock import STALE_S

WATCH = Path(__file__).parents[3] / "infra/images/edge/watch"
SOCAT = """\
#!/bin/sh
read -r command
case "$command" in
    "show map"*) echo "0x55 live $(cat "$DIR/now")"; echo looked >>"$DIR/looks" ;;
    "set map"*) echo "${command##* }" >"$DIR/now"; echo "$command" >>"$DIR/commands" ;;
esac
"""
LIVE = live.Live(release="new", slot="a", replicas=2, since="2026-01-01", image="x:1")


@contextmanager
def watcher(folder: Path) -> Iterator[None]:
    """The script at its work, looking twenty times a second."""
    text = WATCH.read_text().replace(edge.FOLDER, str(folder)).replace("EVERY_S=5", "EVERY_S=0.05")
    assert text.count("EVERY_S=0.05") == 1
    script = folder / "watch"
    script.write_text(text)
    socat = folder / "socat"
    socat.write_text(SOCAT)
    socat.chmod(0o755)
    environ = {"PATH": f"{folder}:/usr/bin:/bin", "DIR": str(folder)}
    process = subprocess.Popen(["sh", str(script)], env=environ, stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_watcher_and_walker_agree_on_when_a_walker_is_dead() -> None:
    assert f"\nSTALE_S={STALE_S}\n" in WATCH.read_text()


def wait_for(path: Path, lines: int) -> list[str]:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if path.exists() and len(found := path.read_text().splitlines()) >= lines:
            return found
        time.sleep(0.02)
    pytest.fail(f"{path.name} never had {lines} lines")


@pytest.mark.parametrize("age_s", [STALE_S + 5, -STALE_S - 5])
def test_after_the_death_of_a_walker_users_go_back_to_what_the_record_says(
    tmp_path: Path, age_s: int
) -> None:
    (tmp_path / "live.map").write_text(live.text(LIVE))
    (tmp_path / "now").write_text("b\n")
    lock = tmp_path / "walk.lock"
    lock.touch()
    os.utime(lock, (time.time() - age_s,) * 2)

    with watcher(tmp_path):
        commands = wait_for(tmp_path / "commands", 1)

    assert commands == [edge.set_live("a").strip().replace(edge.FOLDER, str(tmp_path))]


@pytest.mark.parametrize("walker", ["lives", "ended"])
def test_while_a_walker_lives_and_after_it_ended_nothing_is_touched(
    tmp_path: Path, walker: str
) -> None:
    (tmp_path / "live.map").write_text(live.text(LIVE))
    (tmp_path / "now").write_text("b\n")
    dead_later = tmp_path / "walk.lock"
    if walker == "lives":
        dead_later.touch()

    with watcher(tmp_path):
        time.sleep(0.3)
        assert not (tmp_path / "looks").exists()
        dead_later.touch()
        os.utime(dead_later, (1, 1))
        wait_for(tmp_path / "commands", 1)  # it was at work all the time


@pytest.mark.parametrize("record", ["", live.text(LIVE).replace("live a", "live b")])
def test_a_record_that_is_damaged_or_agrees_moves_nobody(tmp_path: Path, record: str) -> None:
    (tmp_path / "live.map").write_text(record)
    (tmp_path / "now").write_text("b\n")
    lock = tmp_path / "walk.lock"
    lock.touch()
    os.utime(lock, (1, 1))

    with watcher(tmp_path):
        wait_for(tmp_path / "looks", 3)

    assert not (tmp_path / "commands").exists()
