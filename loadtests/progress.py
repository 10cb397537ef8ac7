"""One line about a load test that is under way. Reads what there is, measures nothing."""

import time

from loadtests.arrivals import Desk, LoadTest
from loadtests.plan import Plan
from loadtests.samples import percentiles


class Progress:
    """Tells what happened since the last line."""

    def __init__(self, plan: Plan, test: LoadTest, desk: Desk) -> None:
        self._total_s = plan.warmup_s + plan.steady_s + plan.saturation_s
        self._test, self._desk = test, desk
        self._seen = 0
        self._since_s = 0.0
        self._cpu_s = time.process_time()

    def line(self) -> str:
        """Phase, time, answers per second, latency, errors and the generator's CPU."""
        now_s, cpu_s = self._desk.now_s(), time.process_time()
        fresh = self._desk.samples[self._seen :]
        good = [s.latency_ms for s in fresh if s.fault is None]
        p95_ms = percentiles(good, 0.95)["p95"]
        span_s = max(now_s - self._since_s, 1e-3)
        line = (
            f"{self._test.phase} {min(now_s, self._total_s):.0f} of {self._total_s:.0f} s: "
            f"{len(good) / span_s:.1f} answers/s, "
            f"p95 {'-' if p95_ms is None else f'{p95_ms:.0f}'} ms, "
            f"{len(fresh) - len(good)} errors, client CPU {(cpu_s - self._cpu_s) / span_s:.0%}"
        )
        self._seen, self._since_s, self._cpu_s = len(self._desk.samples), now_s, cpu_s
        return line
