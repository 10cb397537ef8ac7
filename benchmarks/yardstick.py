"""The process that works without HTTP, as the benchmark sees it: asked for seconds of work."""

import json
import sys

from benchmarks import plan, servers
from benchmarks.load import Burst
from benchmarks.processes import Tree
from benchmarks.rivals import same
from benchmarks.servers import Bench


class Yardstick:
    """`benchmarks.inprocess`, on the servers' core."""

    def __init__(self, bench: Bench) -> None:
        """Starts it with the photo that the servers are sent."""
        self._logs = bench.logs
        self._tree = Tree(
            [sys.executable, "-m", "benchmarks.inprocess", str(bench.hits[plan.PHOTOS].body)],
            core=bench.core,
            environ=servers.environ(bench),
            log=bench.logs / f"{plan.YARDSTICK}.log",
            folder=same.ROOT,
            pipes=True,
        )

    def work(self, seconds: float) -> tuple[Burst, float]:
        """What it did in so long, without times of single requests, and the seconds of processor.

        Raises:
            ValueError: it ended; one line.
        """
        asked, answer = self._tree.process.stdin, self._tree.process.stdout
        assert asked is not None  # noqa: S101 - Popen was given pipes
        assert answer is not None  # noqa: S101
        asked.write(f"{seconds}\n".encode())
        asked.flush()
        line = answer.readline()
        if not line:
            raise ValueError(f"{plan.YARDSTICK}: ended. See {self._logs}.")
        told = json.loads(line)
        burst = Burst(
            requests=told["requests"],
            duration_s=told["duration_s"],
            p50_ms=0.0,
            p99_ms=0.0,
            failed=0,
        )
        return burst, told["cpu_s"]

    def stop(self) -> None:
        """Ends it."""
        self._tree.stop()
