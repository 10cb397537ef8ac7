"""The lock that a killed run leaves on the state: cleared by itself only when it is surely dead."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import unlock
from infra.unlock import Locked, StateLock


def dead_pid() -> int:
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def lock(**changes: Any) -> StateLock:
    told = {"pid": dead_pid(), "user": "ana", "host": os.uname().nodename, "since": "today"}
    return StateLock(**{**told, **changes})


class Cleared:
    def __init__(self) -> None:
        self.times = 0
        self.lines: list[str] = []

    def cancel(self) -> None:
        self.times += 1

    def clear(self, *found: StateLock) -> None:
        unlock.clear_dead(found, [], self.cancel, self.lines.append)


def test_a_run_that_died_on_this_machine_is_cleared() -> None:
    cleared = Cleared()

    cleared.clear(lock())

    assert cleared.times == 1
    assert cleared.lines[0].startswith("state: the lock of a dead run was cleared (ana on ")


@pytest.mark.parametrize(
    "living",
    [{"pid": os.getpid()}, {"host": "another-machine"}],
    ids=["a process that lives", "another machine's"],
)
def test_any_other_run_is_named_and_left_alone(living: dict[str, Any]) -> None:
    cleared = Cleared()

    with pytest.raises(Locked, match=r"state: the stack is locked \(got ana on .*make unlock"):
        cleared.clear(lock(), lock(**living))

    assert cleared.times == 0


def test_the_locks_of_a_local_state_are_read(tmp_path: Path) -> None:
    folder = tmp_path / ".pulumi/locks/organization/bentofleet/demo"
    folder.mkdir(parents=True)
    told = {"pid": 7, "username": "ana", "hostname": "lab", "timestamp": "2026-01-01T00:00:00Z"}
    (folder / "a.json").write_text(json.dumps(told))
    (folder / "b.json").write_text("{")

    found = unlock.locks(f"file://{tmp_path}", "demo")

    assert found == [StateLock(7, "ana", "lab", "2026-01-01T00:00:00Z")]
    assert unlock.locks(f"file://{tmp_path}", "other") == []


def test_another_backend_is_left_to_pulumi() -> None:
    assert unlock.locks("s3://bucket", "demo") == []
