"""The start script, run for real with a stand-in for the engine that writes down its calls."""

import os
import subprocess
from pathlib import Path

import pytest

from infra.commands import startup
from infra.provider import live

ENGINE = """\
#!/bin/sh
case "$1" in
    ps)
        case "$*" in
            *bentofleet.stack=demo*role=replica*) echo demo-new-1 demo-newer-1 demo-old-1 ;;
            *--all*bentofleet.stack=demo*role=address*) echo $ADDRESS ;;
        esac
        ;;
    start) test "$2" != "$BROKEN" || exit 1; echo "start $2" >> "$LOG" ;;
    *) echo "$1 $2" >> "$LOG" ;;
esac
"""
LIVE = live.Live(release="new", slot="b", replicas=2, since="2026-01-01", image="x:1")


def run_script(
    tmp_path: Path, live_map: str | None, broken: str = "", address: str = ""
) -> tuple[int, list[str]]:
    engine = tmp_path / "engine"
    engine.write_text(ENGINE)
    engine.chmod(0o755)
    if live_map is not None:
        (tmp_path / "live.map").write_text(live_map)
    script = tmp_path / "start"
    script.write_text(
        startup.script(
            engine=str(engine),
            stack="demo",
            edge="demo-edge",
            prefix="demo",
            live_map=str(tmp_path / "live.map"),
        )
    )
    log = tmp_path / "log"
    environ = {"LOG": str(log), "PATH": "/usr/bin:/bin", "BROKEN": broken, "ADDRESS": address}
    done = subprocess.run(["sh", str(script)], env=environ, stderr=subprocess.DEVNULL)
    return done.returncode, log.read_text().splitlines()


def test_the_live_release_starts_and_kept_and_candidate_ones_are_stopped(tmp_path: Path) -> None:
    status, calls = run_script(tmp_path, live.text(LIVE))

    assert status == 0
    assert calls == [
        "start demo-new-1",
        "start demo-new-2",
        "start demo-edge",
        "stop demo-newer-1",
        "stop demo-old-1",
    ]


def test_one_container_that_does_not_start_does_not_keep_the_others_down(tmp_path: Path) -> None:
    status, calls = run_script(tmp_path, live.text(LIVE), broken="demo-new-1")

    assert status == 1
    assert calls[:2] == ["start demo-new-2", "start demo-edge"]


@pytest.mark.parametrize("content", [live.text(None), None, "live c\n", ""])
def test_without_a_live_release_only_the_edge_starts(tmp_path: Path, content: str | None) -> None:
    status, calls = run_script(tmp_path, content)

    assert status == 0
    assert calls[0] == "start demo-edge"
    assert {call.split()[0] for call in calls[1:]} == {"stop"}


def test_what_moves_the_floating_address_starts_after_the_edge(tmp_path: Path) -> None:
    status, calls = run_script(tmp_path, live.text(LIVE), address="demo-address")
    assert status == 0
    assert calls[2:4] == ["start demo-edge", "start demo-address"]

    (tmp_path / "log").unlink()
    status, _ = run_script(tmp_path, live.text(LIVE), "demo-address", address="demo-address")
    assert status == 1


def test_a_rootless_unit_starts_with_the_user() -> None:
    assert "WantedBy=default.target" in startup.unit("demo", "/x/start", rootless=True)
    assert "WantedBy=multi-user.target" in startup.unit("demo", "/x/start", rootless=False)


def test_a_users_own_systemd_is_found_without_a_login(tmp_path: Path) -> None:
    (tmp_path / "systemctl").write_text('#!/bin/sh\necho "$XDG_RUNTIME_DIR $*"\n')
    (tmp_path / "systemctl").chmod(0o755)
    environ = {"PATH": f"{tmp_path}:/usr/bin:/bin"}

    argv = startup.systemctl(False, "enable", "a unit")
    done = subprocess.run(argv, env=environ, capture_output=True, text=True, check=True)

    assert done.stdout == f"/run/user/{os.geteuid()} --user enable a unit\n"
    assert startup.systemctl(True, "enable", "x") == ["systemctl", "enable", "x"]


def test_lingering_is_turned_on_and_off() -> None:
    assert startup.linger(on=True) == ["sh", "-c", 'loginctl enable-linger "$(id -un)"']
    assert startup.linger(on=False) == ["sh", "-c", 'loginctl disable-linger "$(id -un)"']
