"""A server's processes: started on one core, their time and memory read, all of them ended."""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

_TICKS = os.sysconf("SC_CLK_TCK")
_TERM_S = 5.0
_LOG_BYTES = 1_000_000


@dataclass(frozen=True)
class _Stat:
    """One line of /proc/<pid>/stat."""

    parent: int
    cpu_s: float  # with that of its children that have ended
    started: int


class Tree:
    """A process that we started, and all below it."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        core: int,
        environ: Mapping[str, str],
        log: Path,
        folder: Path,
        pipes: bool = False,
    ) -> None:
        """Starts it in a session of its own, so that Ctrl-C reaches the benchmark alone.

        Args:
            command: is pinned to `core`, and so is what it starts.
            core: number of the processor.
            environ: all of its environment.
            log: takes what it says; is emptied by `trim`.
            folder: it works in.
            pipes: stdin and stdout are for the caller; else stdout goes into the log.
        """
        self.log = log
        self._stream: BinaryIO = log.open("ab")
        self._stream.truncate(0)
        self.process = subprocess.Popen(
            ["taskset", "-c", str(core), *command],
            cwd=folder,
            env=dict(environ),
            stdin=subprocess.PIPE if pipes else subprocess.DEVNULL,
            stdout=subprocess.PIPE if pipes else self._stream,
            stderr=self._stream,
            start_new_session=True,
        )

    def cpu_s(self) -> float:
        """Processor seconds of all its processes so far, in user and kernel."""
        return sum(stat.cpu_s for stat in self._below().values())

    def memory_bytes(self) -> int:
        """Resident memory of all its processes together."""
        return sum(_resident(pid) for pid in self._below())

    def last_line(self) -> str:
        """The last thing that it said."""
        lines = self.log.read_text(errors="replace").strip().splitlines()
        return lines[-1][:200] if lines else "it said nothing"

    def trim(self) -> None:
        """Empties a log that has grown; the processes append to it."""
        if self.log.stat().st_size > _LOG_BYTES:
            self._stream.truncate(0)

    def stop(self) -> None:
        """Ends all of it: asked first, killed after some seconds."""
        mine = self._below()
        for process in mine:
            _signal(process, mine[process], signal.SIGTERM)
        for process, stat in self._wait(mine).items():
            _signal(process, stat, signal.SIGKILL)
        self._wait(mine)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)  # what was started meanwhile
        self.process.wait()
        self._stream.close()

    def _wait(self, processes: Mapping[int, _Stat]) -> Mapping[int, _Stat]:
        """Waits until they have ended; gives those that have not after some seconds."""
        end = time.monotonic() + _TERM_S
        while (left := _alive(processes)) and time.monotonic() < end:
            self.process.poll()  # else it stays a zombie, and seems to live
            time.sleep(0.05)
        return left

    def _below(self) -> dict[int, _Stat]:
        everything = {pid: stat for pid in _pids() if (stat := _stat(pid))}
        found = {pid: everything[pid] for pid in (self.process.pid,) if pid in everything}
        size = 0
        while len(found) > size:
            size = len(found)
            found |= {pid: stat for pid, stat in everything.items() if stat.parent in found}
        return found


def _pids() -> list[int]:
    return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit()]


def _stat(pid: int) -> _Stat | None:
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    if fields[0] == "Z":
        return None
    times = sum(map(int, fields[11:15]))
    return _Stat(parent=int(fields[1]), cpu_s=times / _TICKS, started=int(fields[19]))


def _resident(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmRSS:"))


def _alive(processes: Mapping[int, _Stat]) -> dict[int, _Stat]:
    """Those that still run, and are the same: numbers are given again."""
    now = {pid: _stat(pid) for pid in processes}
    return {pid: s for pid, s in now.items() if s and s.started == processes[pid].started}


def _signal(pid: int, stat: _Stat, number: int) -> None:
    now = _stat(pid)
    if now and now.started == stat.started:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
