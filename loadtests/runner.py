"""Runs a load test under Locust as a library, in a process of its own. Writes no file.

Importing Locust patches the standard library for gevent, so nothing but `loadtests.gate` does it.
"""

import gc
import logging
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import cycle

import gevent
from gevent.event import Event
from locust import User
from locust.env import Environment

from bentos.spec import ModelSpec
from loadtests import payloads, samples, target, users
from loadtests.arrivals import Desk, GateUser, LoadTest, users_per_model
from loadtests.plan import Plan
from loadtests.progress import Progress

PROGRESS_S = 5.0
SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopped(Exception):
    """The load test was told to stop; the message is one line."""


def run(
    plan: Plan, specs: Mapping[str, ModelSpec], say: Callable[[str], None]
) -> dict[str, object]:
    """The figures of one load test, as gate.json holds them.

    Args:
        plan: what to send.
        specs: of the plan's models.
        say: takes a line of progress every few seconds.

    Raises:
        TargetError: the target is not fit to begin with.
        Stopped: by a signal, or because the process that started it is gone.
        ValueError: a model has no photos to send.
    """
    logging.getLogger("locust").setLevel(logging.ERROR)  # it warns of what we measure and report
    stop = _Stop()
    started_at = datetime.now(UTC)
    desk = Desk(plan.models, plan.timeout_s)
    test = LoadTest(plan, desk)
    work = gevent.spawn(_attempt, plan, specs, desk, test)
    _follow(work, stop, Progress(plan, test, desk), say)
    ended_at = datetime.now(UTC)
    return {
        "started_at": started_at.isoformat(timespec="milliseconds"),
        "duration_s": round((ended_at - started_at).total_seconds(), 3),
        **samples.summary(plan, desk.samples, test.windows, test.offered_rps),
    }


def _attempt(
    plan: Plan, specs: Mapping[str, ModelSpec], desk: Desk, test: LoadTest
) -> Exception | None:
    """Runs the load test; the error that kept it from it, which gevent would print if raised."""
    try:
        for base_url in plan.base_urls:
            target.ready_models(base_url, plan.release)
            target.check_token(base_url, plan.token)
        with _users(plan, specs, desk):
            gc.collect()
            gc.freeze()  # what lives as long as the process is not looked at again meanwhile
            test.run()
    except (target.TargetError, ValueError) as error:
        return error
    return None


@contextmanager
def _users(plan: Plan, specs: Mapping[str, ModelSpec], desk: Desk) -> Iterator[None]:
    """All users of the plan, waiting at the desk."""
    classes = _user_classes(plan, specs, desk)
    environment = Environment(user_classes=classes, host=plan.base_urls[0])
    runner = environment.create_local_runner()
    ready = Event()
    environment.events.spawning_complete.add_listener(  # type: ignore[no-untyped-call]
        lambda user_count: ready.set()
    )
    count = users_per_model(plan) * len(plan.models)
    try:
        runner.start(count, spawn_rate=count)
        ready.wait()
        yield
    finally:
        runner.quit()


class _Stop:
    """Whether the load test has to end early, and why."""

    def __init__(self) -> None:
        self._woken = Event()
        self._why = ""
        self._parent = os.getppid()
        for number in SIGNALS:
            gevent.signal_handler(number, self._by, number)

    def wait(self, seconds: float) -> None:
        """Waits so long, less if there is something to look at."""
        self._woken.wait(seconds)

    def wake(self) -> None:
        """Ends the wait."""
        self._woken.set()

    def check(self) -> None:
        """Raises `Stopped` if the load test has to end."""
        if os.getppid() != self._parent:
            self._why = "the process that started it is gone"
        if self._why:
            msg = f"stopped ({self._why}). No figures were written."
            raise Stopped(msg)

    def _by(self, number: signal.Signals) -> None:
        self._why = number.name
        self.wake()


def _follow(
    work: "gevent.Greenlet[..., Exception | None]",  # subscriptable for mypy only
    stop: _Stop,
    progress: Progress,
    say: Callable[[str], None],
) -> None:
    """Waits for the work to end, tells how it goes, and kills it if it has to end early."""
    work.link(lambda _: stop.wake())
    try:
        while not work.ready():
            stop.wait(PROGRESS_S)
            stop.check()
            if not work.ready():
                say(progress.line())
    finally:
        work.kill()
    error = work.get()
    if error is not None:
        raise error


def _user_classes(plan: Plan, specs: Mapping[str, ModelSpec], desk: Desk) -> list[type[User]]:
    connections = users.shared_connections(plan.timeout_s)
    return [
        users.user_class(
            GateUser,
            specs[model],
            requests=payloads.endless(specs[model], plan.seed),
            base_urls=cycle(plan.base_urls),
            token=plan.token,
            release=plan.release,
            client_pool=connections,
            desk=desk,
        )
        for model in plan.models
    ]
