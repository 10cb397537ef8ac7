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
    "show map"*) sed 's/^/0x55 /' "$DIR/now"; echo looked >>"$DIR/looks" ;;
    "show stat"*) cat "$DIR/stat" 2>/dev/null ;;
    "show servers state "*) cat "$DIR/servers" 2>/dev/null ;;
    *) echo "$command" >>"$DIR/commands" ;;
esac
echo
"""
GETENT = """\
#!/bin/sh
[ "$2" = lab-2.example ] && echo "192.0.2.2      STREAM lab-2.example"
"""
LIVE = live.Live(release="new", slot="a", replicas=2, since="2026-01-01", image="x:1")


CANARY = """\
live b
canary 500
release_a old
release_b new
"""
"""What a running edge goes by that is on its way, and not as the record says."""


@contextmanager
def watcher(folder: Path) -> Iterator[None]:
    """The script at its work, looking twenty times a second."""
    text = WATCH.read_text().replace(edge.FOLDER, str(folder))
    for line in ("EVERY_S=2\n", "NAMES_S=20\n"):
        assert text.count(f"\n{line}") == 1
        text = text.replace(line, f"{line.partition('=')[0]}=0.05\n")
    script = folder / "watch"
    script.write_text(text)
    for name, content in (("socat", SOCAT), ("getent", GETENT)):
        (folder / name).write_text(content)
        (folder / name).chmod(0o755)
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
    (tmp_path / "now").write_text(CANARY)
    lock = tmp_path / "walk.lock"
    lock.touch()
    os.utime(lock, (time.time() - age_s,) * 2)

    with watcher(tmp_path):
        (commands, *_) = wait_for(tmp_path / "commands", 1)

    wanted = edge.together(edge.set_canary(0), edge.set_release("a", "new"), edge.set_live("a"))
    assert commands == wanted.strip().replace(edge.FOLDER, str(tmp_path))


@pytest.mark.parametrize("gone", ["live", "canary", "release_a"])
def test_only_what_differs_from_the_record_is_set(tmp_path: Path, gone: str) -> None:
    text = live.text(LIVE)
    (tmp_path / "live.map").write_text(text)
    now = [line for line in text.splitlines() if not line.startswith("#")]
    changed = [f"{gone} other" if line.startswith(f"{gone} ") else line for line in now]
    (tmp_path / "now").write_text("\n".join(changed) + "\n")
    lock = tmp_path / "walk.lock"
    lock.touch()
    os.utime(lock, (1, 1))

    with watcher(tmp_path):
        (command, *_) = wait_for(tmp_path / "commands", 1)

    assert command.startswith(f"set map {tmp_path}/live.map {gone} ")
    assert ";" not in command


@pytest.mark.parametrize("walker", ["lives", "ended"])
def test_while_a_walker_lives_and_after_it_ended_nothing_is_touched(
    tmp_path: Path, walker: str
) -> None:
    (tmp_path / "live.map").write_text(live.text(LIVE))
    (tmp_path / "now").write_text(CANARY)
    dead_later = tmp_path / "walk.lock"
    if walker == "lives":
        dead_later.touch()

    with watcher(tmp_path):
        time.sleep(0.3)
        assert not (tmp_path / "looks").exists()
        dead_later.touch()
        os.utime(dead_later, (1, 1))
        wait_for(tmp_path / "commands", 1)  # it was at work all the time


@pytest.mark.parametrize("record", ["", "live b\n", CANARY], ids=["empty", "older", "equal"])
def test_a_record_that_is_damaged_or_agrees_moves_nobody(tmp_path: Path, record: str) -> None:
    (tmp_path / "live.map").write_text(record)
    (tmp_path / "now").write_text(CANARY)
    lock = tmp_path / "walk.lock"
    lock.touch()
    os.utime(lock, (1, 1))

    with watcher(tmp_path):
        wait_for(tmp_path / "looks", 3)

    assert not (tmp_path / "commands").exists()


STAT = """\
# pxname,svname,qcur,scur,status,lastchg,
users,FRONTEND,,3,OPEN,,
users_a,r1,0,3,UP,9,
users_a,r2,0,2,DOWN,9,
users_a,host:lab-2,0,1,DOWN 1/2,3,
users_a,host:lab-3,0,4,DOWN,2,
users_b,r1,0,0,DOWN,900,
slot_a,r2,0,7,DOWN,9,
users_a,BACKEND,0,10,UP,9,

"""


def test_what_waits_on_a_server_that_is_down_for_a_while_is_sent_to_another(
    tmp_path: Path,
) -> None:
    (tmp_path / "stat").write_text(STAT)

    with watcher(tmp_path):
        commands = wait_for(tmp_path / "commands", 2)

    assert commands[:2] == [f"shutdown sessions server users_a/{s}" for s in ("r2", "host:lab-2")]
    assert set(commands) == set(commands[:2])


CONFIG = """\
backend slot_a
    server r1 127.0.0.1:21000 check
backend users_a
    server r1 127.0.0.1:21000 weight 120 check
    server host:lab-2 lab-2.example:8444 ssl weight 0 check
    server host:lab-3 192.0.2.3:8444 ssl weight 0 check
    server host:lab-4 [2001:db8::a]:8444 ssl weight 0 check
    server host:lab-5 lab-5.example:8444 ssl weight 0 check
"""


@pytest.mark.parametrize("was", ["127.0.0.1", "192.0.2.9", "192.0.2.2"])
def test_a_host_with_a_name_gets_the_address_that_the_name_has(tmp_path: Path, was: str) -> None:
    (tmp_path / "haproxy.cfg").write_text(CONFIG)
    (tmp_path / "servers").write_text(
        "1\n# be_id be_name srv_id srv_name srv_addr\n"
        f"7 users_a 2 host:lab-2 {was} 2\n7 users_a 5 host:lab-5 192.0.2.5 2\n"
    )

    with watcher(tmp_path):
        if was == "192.0.2.2":
            time.sleep(0.5)
            assert not (tmp_path / "commands").exists()
            return
        (command, *_) = wait_for(tmp_path / "commands", 1)

    assert command == "set server users_a/host:lab-2 addr 192.0.2.2"
