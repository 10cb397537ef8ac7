"""A server's processes: all of them are counted, and all of them end."""

import os
import sys
import time

import pytest

from benchmarks.processes import Tree, _alive

PARENT = """
import signal, subprocess, sys
signal.signal(signal.SIGTERM, {deaf})
child = "import os, time; os.setsid(); sum(range(3_000_000)); print('up'); time.sleep(60)"
subprocess.run([sys.executable, "-u", "-c", child])
"""


@pytest.fixture
def tree(tmp_path, request):
    """A process that starts another, in a session of the other's own."""
    tree = Tree(
        [sys.executable, "-u", "-c", PARENT.format(deaf=request.param)],
        core=min(os.sched_getaffinity(0)),
        environ=os.environ,
        log=tmp_path / "log",
        folder=tmp_path,
    )
    end = time.monotonic() + 30
    while "up" not in tree.log.read_text() and time.monotonic() < end:
        time.sleep(0.02)
    yield tree
    tree.stop()


@pytest.mark.parametrize("tree", ["signal.SIG_DFL"], indirect=True)
def test_time_memory_and_core_are_those_of_all_processes(tree):
    found = tree._below()
    assert len(found) == 2
    assert tree.memory_bytes() > 5_000_000
    assert tree.cpu_s() > 0
    assert {tuple(os.sched_getaffinity(pid)) for pid in found} == {(min(os.sched_getaffinity(0)),)}


@pytest.mark.parametrize("tree", ["signal.SIG_DFL"], indirect=True)
def test_stop_ends_the_children_too(tree):
    found = tree._below()
    assert len(found) == 2
    tree.stop()
    assert _alive(found) == {}


@pytest.mark.parametrize("tree", ["signal.SIG_IGN"], indirect=True)
def test_one_that_hears_no_signal_is_killed(tree, monkeypatch):
    monkeypatch.setattr("benchmarks.processes._TERM_S", 0.3)
    found = tree._below()
    assert len(found) == 2
    tree.stop()
    assert _alive(found) == {}


@pytest.mark.parametrize("tree", ["signal.SIG_DFL"], indirect=True)
def test_a_log_that_has_grown_is_emptied(tree, monkeypatch):
    assert tree.last_line() == "up"
    monkeypatch.setattr("benchmarks.processes._LOG_BYTES", 1)
    tree.trim()
    assert tree.last_line() == "it said nothing"
