"""The lock of a walk, on real files."""

import json
import os
import subprocess
import threading
import time
from pathlib import Path, PurePosixPath

import pytest

from infra.connection import Local, Unreachable
from infra.host import Host, Paths
from infra.provider.lock import STALE_S, Lock
from infra.provider.machine import Machine
from infra.provider.resource import Refused


class Folder(Local):
    """This machine, its stack's folder being the test's."""

    def __init__(self, host: Host, root: Path) -> None:
        super().__init__(host)
        self._root = PurePosixPath(str(root))

    def paths(self) -> Paths:
        return Paths(self._root)


def machine(root: Path, name: str = "here") -> Machine:
    (root / "edge").mkdir(parents=True, exist_ok=True)
    host = Host(
        name=name,
        address="127.0.0.1",
        connection="local",
        accelerator="cpu",
        stack="demo",
        ports_from=21000,
    )
    return Machine(host, Folder(host, root), "podman")


def test_a_lock_is_held_until_the_walk_ends_and_leaves_nothing(tmp_path: Path) -> None:
    with Lock([machine(tmp_path)]) as lock:
        assert lock.is_held()
        assert [p.name for p in (tmp_path / "edge").iterdir()] == ["walk.lock"]

    assert list((tmp_path / "edge").iterdir()) == []


def test_a_second_walker_is_told_who_has_it(tmp_path: Path) -> None:
    with Lock([machine(tmp_path)]) as first:
        with pytest.raises(Refused) as caught, Lock([machine(tmp_path)]):
            pass
        assert first.is_held()

    assert f"here: another release is being walked (got {first.holder.operator}" in str(
        caught.value
    )
    assert f"pid {os.getpid()}" in str(caught.value)


def test_a_walker_without_heartbeat_loses_its_lock_and_notices(tmp_path: Path) -> None:
    with Lock([machine(tmp_path)]) as dead:
        long_ago = time.time() - STALE_S - 1
        os.utime(tmp_path / "edge" / "walk.lock", (long_ago, long_ago))

        with Lock([machine(tmp_path)]) as second:
            assert second.is_held()
            assert not dead.is_held()

    assert list((tmp_path / "edge").iterdir()) == []


def dead_pid() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen(["true"])
    process.wait()
    return process.pid


def test_a_lock_from_the_future_of_a_clock_that_was_set_back_counts_no_longer(
    tmp_path: Path,
) -> None:
    with Lock([machine(tmp_path)]) as dead:
        ahead = time.time() + STALE_S + 5
        os.utime(tmp_path / "edge" / "walk.lock", (ahead, ahead))

        with Lock([machine(tmp_path)]) as second:
            assert second.is_held()
            assert not dead.is_held()


def test_a_walker_of_this_machine_whose_process_is_gone_loses_its_lock_at_once(
    tmp_path: Path,
) -> None:
    with Lock([machine(tmp_path)]) as killed:
        left = json.loads((tmp_path / "edge" / "walk.lock").read_text())
        (tmp_path / "edge" / "walk.lock").write_text(json.dumps({**left, "pid": dead_pid()}))

        with Lock([machine(tmp_path)]) as second:
            assert second.is_held()
            assert not killed.is_held()


def test_a_walker_of_another_machine_is_never_looked_up_by_its_process(tmp_path: Path) -> None:
    with Lock([machine(tmp_path)]):
        left = json.loads((tmp_path / "edge" / "walk.lock").read_text())
        elsewhere = {**left, "pid": dead_pid(), "machine_id": "f" * 32}
        (tmp_path / "edge" / "walk.lock").write_text(json.dumps(elsewhere))

        with pytest.raises(Refused, match="here: another release"), Lock([machine(tmp_path)]):
            pass


def test_a_lock_that_is_refused_on_one_host_is_given_back_on_the_others(tmp_path: Path) -> None:
    one, two = machine(tmp_path / "one", "one"), machine(tmp_path / "two", "two")

    with Lock([two]), pytest.raises(Refused, match="two: another release"), Lock([one, two]):
        pass

    assert list((tmp_path / "one" / "edge").iterdir()) == []


def test_a_damaged_lock_is_not_ours_and_is_not_overwritten_while_young(tmp_path: Path) -> None:
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "walk.lock").write_text("{")

    with pytest.raises(Refused, match="nobody that could be read"), Lock([machine(tmp_path)]):
        pass

    assert (tmp_path / "edge" / "walk.lock").read_text() == "{"


def test_of_two_that_walk_at_once_one_has_every_host_and_the_other_none(tmp_path: Path) -> None:
    names = [f"host-{number}" for number in range(8)]
    machines = [machine(tmp_path / name, name) for name in names]
    outcomes: list[str] = []
    both = threading.Barrier(2)

    def walk() -> None:
        both.wait()
        try:
            with Lock(machines) as lock:
                outcomes.append("held" if lock.is_held() else "lost")
                both.wait(10)
        except Refused:
            outcomes.append("refused")
            both.wait(10)

    threads = [threading.Thread(target=walk) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["held", "refused"]
    assert [list((tmp_path / name / "edge").iterdir()) for name in names] == [[]] * 8


def test_a_silent_host_does_not_hide_that_another_was_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machines = [machine(tmp_path / name, name) for name in ("one", "two")]
    with Lock(machines) as lock:
        read = Machine.read

        def silent(self: Machine, path: PurePosixPath) -> str | None:
            if self.host.name == "one":
                raise Unreachable("one: does not answer.")
            return read(self, path)

        with monkeypatch.context() as patch:
            patch.setattr(Machine, "read", silent)
            with pytest.raises(Unreachable, match="one: does not answer"):
                lock.is_held()
            (tmp_path / "two" / "edge" / "walk.lock").write_text("{}")
            assert not lock.is_held()
