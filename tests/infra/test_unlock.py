"""The lock that a killed run leaves on the state: cleared by itself only when it is surely dead."""

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pytest

from infra import unlock
from infra.connection import Local, Unreachable
from infra.host import Host, Paths
from infra.provider.lock import STALE_S, Lock
from infra.provider.machine import Machine
from infra.unlock import Locked, StateLock

HERE = os.uname().nodename
NOBODY = 65534


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def lock(**changes: Any) -> StateLock:
    told = {"pid": dead_pid(), "user": "ana", "host": HERE, "since": "today"}
    return StateLock(**{**told, **changes})


class Folder(Local):
    """This machine, its stack's folder being the test's."""

    def __init__(self, host: Host, root: Path) -> None:
        super().__init__(host)
        self._root = PurePosixPath(str(root))

    def paths(self) -> Paths:
        return Paths(self._root)


def machine(root: Path) -> Machine:
    (root / "edge").mkdir()
    host = Host(
        name="here",
        address="127.0.0.1",
        connection="local",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )
    return Machine(host, Folder(host, root), "podman")


class Cleared:
    def __init__(self) -> None:
        self.times = 0
        self.lines: list[str] = []

    def cancel(self) -> None:
        self.times += 1

    def clear(self, *found: StateLock, on: tuple[Machine, ...] = ()) -> None:
        unlock.clear_dead(found, on, self.cancel, self.lines.append, wait_s=0)


def test_a_run_that_died_on_this_machine_is_cleared() -> None:
    cleared = Cleared()

    cleared.clear(lock())

    assert cleared.times == 1
    assert cleared.lines[0].startswith("state: the lock of a dead run was cleared (ana on ")


@pytest.mark.parametrize(
    ("pid", "host"),
    [(os.getpid(), HERE), (None, "another-machine"), (os.getpid(), "another-machine")],
    ids=["a process that lives", "another machine's, dead here", "another machine's, alive here"],
)
def test_any_other_run_is_named_and_left_alone(pid: int | None, host: str) -> None:
    cleared, other = Cleared(), lock(pid=pid or dead_pid(), host=host)

    with pytest.raises(Locked) as caught:
        cleared.clear(lock(), other)

    assert str(caught.value) == (
        f"state: the stack is locked (got ana on {host}, pid {other.pid}, since today). "
        "Wait for its end, or, if you know that it is dead, run `make unlock`."
    )
    assert (cleared.times, cleared.lines) == (0, [])


def of_another_machine(path: Path, age_s: float = 0) -> None:
    """Makes the lock of a walk that of another machine, whose process nobody here can look up."""
    left = json.loads(path.read_text())
    elsewhere = {"machine": "lab-2", "machine_id": "f" * 32, "pid": dead_pid()}
    path.write_text(json.dumps({**left, **elsewhere}))
    beat = time.time() - age_s
    os.utime(path, (beat, beat))


def test_a_state_lock_stays_while_another_machine_walks_a_host(tmp_path: Path) -> None:
    here, cleared = machine(tmp_path), Cleared()

    with Lock([here]) as walk:
        of_another_machine(Path(here.paths.lock))
        with pytest.raises(Locked) as caught:
            cleared.clear(lock(), on=(here,))
        assert Path(here.paths.lock).exists()

    told = str(caught.value)
    assert re.match(
        rf"here: another release is being walked \(got {re.escape(walk.holder.operator)} "
        r"on lab-2, pid \d+, since 20\S+\)\. Wait for its end",
        told,
    )
    assert cleared.times == 0


def test_a_walk_without_heartbeat_holds_nothing_up(tmp_path: Path) -> None:
    here, cleared = machine(tmp_path), Cleared()

    with Lock([here]):
        of_another_machine(Path(here.paths.lock), age_s=STALE_S + 1)
        cleared.clear(lock(), on=(here,))

    assert cleared.times == 1


def test_a_walk_that_died_on_this_machine_holds_nothing_up(tmp_path: Path) -> None:
    here, cleared = machine(tmp_path), Cleared()

    with Lock([here]):
        path = Path(here.paths.lock)
        path.write_text(json.dumps({**json.loads(path.read_text()), "pid": dead_pid()}))
        cleared.clear(lock(), on=(here,))

    assert cleared.times == 1


def put(state: Path, **changes: Any) -> Path:
    """A lock file as Pulumi writes it."""
    folder = state / ".pulumi/locks/organization/bentofleet/demo"
    folder.mkdir(parents=True, exist_ok=True)
    told = {"pid": 7, "username": "ana", "hostname": "lab", "timestamp": "2026-01-01T00:00:00Z"}
    path = folder / f"{len(list(folder.iterdir()))}.json"
    path.write_text(json.dumps({**told, **changes}))
    return path


def test_the_locks_of_a_local_state_are_read(tmp_path: Path) -> None:
    put(tmp_path).with_name("b.json").write_text("{")

    found = unlock.locks(f"file://{tmp_path}", "demo")

    assert found == [StateLock(7, "ana", "lab", "2026-01-01T00:00:00Z")]
    assert unlock.locks(f"file://{tmp_path}", "other") == []


def test_another_backend_is_left_to_pulumi() -> None:
    assert unlock.locks("s3://bucket", "demo") == []
    unlock.refuse_unwritable("s3://bucket")


@pytest.fixture
def pulumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `pulumi` that writes down what it is asked; its state is the test's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "pulumi"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}")
    return program


def test_make_up_names_who_has_the_stack_in_one_line_and_asks_pulumi_nothing(
    pulumi: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    left = put(tmp_path, pid=dead_pid(), hostname="lab-2")
    monkeypatch.setattr(sys, "argv", ["unlock", "--if-dead"])
    monkeypatch.setattr(unlock.stack_file, "hosts", lambda stack: (None, []))

    assert unlock.main() == 1

    pid = json.loads(left.read_text())["pid"]
    told = capsys.readouterr()
    assert (told.out, told.err) == (
        "",
        f"state: the stack is locked (got ana on lab-2, pid {pid}, since 2026-01-01T00:00:00Z). "
        "Wait for its end, or, if you know that it is dead, run `make unlock`.\n",
    )
    assert not (tmp_path / "asked").exists()
    assert left.exists()


def test_a_dead_host_shows_no_heartbeat_and_is_named(
    pulumi: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def open_machine(host: Host) -> Machine:
        raise Unreachable(f"{host.name}: does not answer.")

    put(tmp_path, pid=dead_pid(), hostname=HERE)
    dead = Host(
        name="lab-1",
        address="192.0.2.11",
        connection="ssh",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )
    monkeypatch.setattr(sys, "argv", ["unlock", "--if-dead"])
    monkeypatch.setattr(unlock.stack_file, "hosts", lambda stack: (None, [dead]))
    monkeypatch.setattr(unlock, "open_machine", open_machine)

    assert unlock.main() == 0

    told = capsys.readouterr().out
    assert told.startswith("lab-1: does not answer. Nobody looked whether it is being walked.\n")
    assert "the lock of a dead run was cleared" in told
    assert (tmp_path / "asked").exists()


def test_make_unlock_takes_any_lock_away_and_names_whose_it_was(
    pulumi: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    put(tmp_path)
    monkeypatch.setattr(sys, "argv", ["unlock"])

    assert unlock.main() == 0

    assert capsys.readouterr().out.startswith("state: unlocked (ana on lab, pid 7, since 2026-")
    assert (tmp_path / "asked").read_text() == "cancel --yes --stack demo --non-interactive\n"


@pytest.mark.parametrize(
    ("script", "reason"),
    [("echo oh >&2; echo no >&2; exit 1", "no"), ("sleep 60", "no answer in 0.2 s")],
    ids=["refuses", "hangs"],
)
def test_a_cancel_that_fails_is_told_with_its_cure(
    pulumi: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    script: str,
    reason: str,
) -> None:
    pulumi.write_text(f"#!/bin/sh\nexec sh -c '{script}'\n")
    monkeypatch.setattr(sys, "argv", ["unlock"])
    monkeypatch.setattr(unlock, "CANCEL_TIMEOUT_S", 0.2 if "sleep" in script else 30)

    assert unlock.main() == 1

    assert capsys.readouterr().err == (
        f"state: `pulumi cancel` failed ({reason}). Check that PULUMI_BACKEND_URL in .env "
        "answers, then run `make unlock`.\n"
    )


def test_without_pulumi_the_cure_is_told(
    pulumi: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pulumi.unlink()
    monkeypatch.setenv("PATH", str(pulumi.parent))
    monkeypatch.setattr(sys, "argv", ["unlock"])

    assert unlock.main() == 1

    assert capsys.readouterr().err == "pulumi: is not on PATH. Run `make setup`.\n"


@pytest.fixture
def another_user() -> Iterator[None]:
    """Root may write everywhere: the test goes on as nobody."""
    root = os.geteuid() == 0
    if root:
        os.seteuid(NOBODY)
    yield
    if root:
        os.seteuid(0)


def test_a_state_that_may_not_be_written_to_is_told_with_its_cure(
    request: pytest.FixtureRequest,
) -> None:
    with tempfile.TemporaryDirectory() as name:
        state = Path(name)
        state.chmod(0o777)
        inner = state / ".pulumi/stacks"
        inner.mkdir(parents=True)
        inner.parent.chmod(0o777)
        inner.chmod(0o555)
        unlock.refuse_unwritable(f"file://{state}/not-made-yet")
        request.getfixturevalue("another_user")

        with pytest.raises(Locked) as caught:
            unlock.refuse_unwritable(f"file://{state}")

        assert str(caught.value) == (
            f"state: {inner} cannot be written to (Permission denied). "
            f"Give it to the user who runs this: sudo chown -R $USER {state}"
        )
        if os.getuid() == 0:
            os.seteuid(0)
