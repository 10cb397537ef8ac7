"""Sends requests when they are due and records what became of them. Judges nothing.

An open model: requests fall due at a constant rate whether the target answers or not. A due request
waits until a user is free, and that wait is part of its latency.
"""

import math
import time
from collections.abc import Callable, Sequence
from itertools import cycle
from typing import ClassVar, NamedTuple

import gevent
from gevent.event import Event
from gevent.queue import SimpleQueue
from locust import task

from loadtests.answers import short
from loadtests.plan import Plan
from loadtests.samples import NO_ANSWER, Fault, Phase, Sample, Window
from loadtests.users import ModelUser

MAX_USERS = 500
"""Most requests of one model that wait for their answers at a time."""

SHORTEST_S = 0.5
"""A phase that took less did not take place: nothing was asked for, or nothing left to drain."""


class Arrival(NamedTuple):
    """A request that falls due, in seconds since the load test began."""

    phase: Phase
    model: str
    due_s: float


class Desk:
    """Where due requests wait for a free user, and where their samples are kept.

    Attributes:
        timeout_s: a request without an answer so long after it was due has failed.
        samples: every request that has ended.
    """

    def __init__(self, models: Sequence[str], timeout_s: float) -> None:
        self.timeout_s = timeout_s
        self.samples: list[Sample] = []
        self._queues: dict[str, SimpleQueue[Arrival]] = {m: SimpleQueue() for m in models}
        self._zero_s = time.perf_counter()
        self._open = 0
        self._idle = Event()
        self._on_end: Callable[[], None] | None = None

    def begin(self) -> None:
        """Starts the clock."""
        self._zero_s = time.perf_counter()

    def now_s(self) -> float:
        """Seconds since the load test began."""
        return time.perf_counter() - self._zero_s

    def put(self, arrival: Arrival) -> None:
        """Lets the next free user of the model send a request."""
        self._open += 1
        self._idle.clear()
        self._queues[arrival.model].put(arrival)

    def take(self, model: str) -> Arrival:
        """The next due request of a model; waits for one."""
        return self._queues[model].get()

    def record(self, sample: Sample) -> None:
        """Keeps the sample of a request that has ended."""
        self.samples.append(sample)
        self._open -= 1
        if self._on_end:
            self._on_end()
        if not self._open:
            self._idle.set()

    def on_end(self, call: Callable[[], None] | None) -> None:
        """What to call after each request, None for nothing."""
        self._on_end = call

    def wait_until_idle(self) -> None:
        """Waits for the requests that are open; each ends within the timeout."""
        if self._open:
            self._idle.wait()


class GateUser(ModelUser):
    """Sends what falls due at its desk."""

    abstract = True
    desk: ClassVar[Desk]

    @task
    def serve(self) -> None:
        """Takes one request from the desk, sends it and records it."""
        desk, model = self.desk, self.spec.name
        free_s = desk.now_s()
        arrival = desk.take(model)
        sent_s = desk.now_s()
        fault = self._ask_within(arrival.due_s + desk.timeout_s - sent_s)
        desk.record(
            Sample(
                phase=arrival.phase,
                model=model,
                due_s=arrival.due_s,
                done_s=desk.now_s(),
                lag_s=sent_s - max(free_s, arrival.due_s),
                fault=fault,
            )
        )

    def _ask_within(self, left_s: float) -> Fault | None:
        if left_s <= 0:
            return Fault(NO_ANSWER, "not sent: every user still waited for an answer")
        try:
            return self.ask(left_s)
        except (Exception, gevent.Timeout) as error:
            # A request must never be lost from the record, whatever the client stumbles over.
            return Fault(NO_ANSWER, short(f"load generator: {type(error).__name__}: {error}"))


def users_per_model(plan: Plan) -> int:
    """Users that are never all busy at the asked rate, up to `MAX_USERS`."""
    busy = math.ceil(plan.rate_rps / len(plan.models) * plan.timeout_s) + 1
    return max(min(busy, MAX_USERS), plan.saturation_users)


class LoadTest:
    """One run through the phases of a plan.

    Attributes:
        windows: the phases that have taken place.
        phase: the one that takes place.
        offered_rps: arrivals of the steady phase that were handed over in time, per second.
    """

    def __init__(self, plan: Plan, desk: Desk) -> None:
        self.windows: list[Window] = []
        self.phase: Phase = "warmup"
        self.offered_rps = 0.0
        self._plan = plan
        self._desk = desk
        self._models = cycle(plan.models)

    def run(self) -> None:
        """Sends everything that the plan asks for and waits for the answers."""
        plan, desk = self._plan, self._desk
        desk.begin()
        self._measured("warmup", lambda: self._pace(0, plan.warmup_s))
        self._measured("steady", lambda: self._pace(plan.warmup_s, plan.steady_s))
        self._measured("drain", desk.wait_until_idle)
        if plan.saturation_s:
            self._sleep_until(math.ceil(desk.now_s()))  # seconds of the series belong to one phase
            self._measured("saturation", self._saturate)
            desk.wait_until_idle()

    def _measured(self, phase: Phase, work: Callable[[], None]) -> None:
        self.phase = phase
        start_s, cpu_s = self._desk.now_s(), time.process_time()
        work()
        end_s, used_s = self._desk.now_s(), time.process_time() - cpu_s
        if end_s - start_s > SHORTEST_S:
            self.windows.append(Window(phase, start_s, end_s, used_s / (end_s - start_s)))

    def _pace(self, start_s: float, duration_s: float) -> None:
        """Hands over arrivals at even distances; the models take turns."""
        rate_rps, end_s, in_time = self._plan.rate_rps, start_s + duration_s, 0
        for i in range(math.floor(duration_s * rate_rps + 1e-6)):
            due_s = start_s + i / rate_rps
            self._sleep_until(due_s)
            in_time += self._desk.now_s() < end_s
            self._desk.put(Arrival(self.phase, next(self._models), due_s))
        self._sleep_until(end_s)
        if self.phase == "steady":
            self.offered_rps = in_time / duration_s

    def _saturate(self) -> None:
        """Keeps a number of requests open: each that ends lets the next one start."""
        end_s = self._desk.now_s() + self._plan.saturation_s

        def ask() -> None:
            self._desk.put(Arrival("saturation", next(self._models), self._desk.now_s()))

        def again() -> None:
            if self._desk.now_s() < end_s:
                ask()

        self._desk.on_end(again)
        for _ in range(self._plan.saturation_users):
            ask()
        self._sleep_until(end_s)
        self._desk.on_end(None)

    def _sleep_until(self, moment_s: float) -> None:
        while (left_s := moment_s - self._desk.now_s()) > 0:
            gevent.sleep(left_s)
