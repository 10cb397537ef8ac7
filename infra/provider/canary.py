"""One step of a canary: the candidate gets a share of the users, and is compared with live."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from infra.provider import between, gate, live, observed, promql, shift, traffic
from infra.provider.console import Console
from infra.provider.fill import Fill
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.outcome import StepFailed, Unsure
from infra.provider.plan import Plan
from infra.provider.record import Record
from infra.provider.sides import Sides, Snapshot
from loadtests.analysis import Analysis, Needs, Reading, Shift, Side, Window, judge
from loadtests.filling import demand, users_rps
from loadtests.reasons import Finding, finding
from loadtests.slo import Outcome

POLL_S = 3.0
QUERY_S = 10.0
"""Between two times that the queries are asked before the hold is over."""

OBSERVE_S, RECENT_S = 10.0, 30.0
"""How long users are watched before it is said that they bring too few, and by which last part."""


class Clock:
    """Time that only goes on, and waiting that ends when the walk is stopped."""

    def __init__(self, stopped: threading.Event) -> None:
        self._stopped = stopped

    def now_s(self) -> float:
        """Seconds since some moment."""
        return time.monotonic()

    def wait(self, seconds: float) -> None:
        """Waits so long, less where the walk is stopped."""
        self._stopped.wait(max(0.0, seconds))


def run(
    plan: Plan,
    entries: Sequence[Machine],
    machines: Sequence[Machine],
    slot: str,
    live_slot: str,
    index: int,
    record: Record,
    console: Console,
    go_on: Callable[[], None],
    clock: Clock | None = None,
) -> str:
    """Gives the candidate its share at each entry one after another, and compares it with live.

    The share stays as it is, whatever comes of it: the next step, or putting back, changes it.

    Args:
        go_on: asked all the time; raises where we must stop.
        clock: for tests.

    Returns:
        What it found, in the plan's language.

    Raises:
        StepFailed: the candidate is worse than live.
        Unsure: nothing can be said of it; or whatever `go_on` raises.
        HostError: an entry does not take the share.
    """
    lives = _lives(machines, live_slot)
    unknown = [entry.host.name for entry in entries if entry.host.name not in lives]
    if unknown:
        raise Unsure(finding("canary_no_live", host=unknown[0]).text())
    share = plan.canary[index].weight_percent / 100
    sides = Sides(
        plan=plan,
        entries=entries,
        machines=machines,
        slot=slot,
        live_slot=live_slot,
        lives=lives,
        share=share,
    )
    step = _Step(sides, index, record, console, go_on, clock or Clock(console.stopped))
    return step.run()


def _lives(machines: Sequence[Machine], live_slot: str) -> dict[str, Live]:
    """What is live on each host, where it is in the stack's slot."""
    found = {m.host.name: live.read(m) for m in machines}
    return {name: was for name, was in found.items() if was is not None and was.slot == live_slot}


class _Step:
    """One weight, from setting it to a verdict on it."""

    def __init__(
        self,
        sides: Sides,
        index: int,
        record: Record,
        console: Console,
        go_on: Callable[[], None],
        clock: Clock,
    ) -> None:
        self._sides, self._plan, self._index = sides, sides.plan, index
        self._record, self._console, self._go_on = record, console, go_on
        self._clock = clock
        plan, step = self._plan, self._plan.canary[index]
        self._weight_percent, self._hold_s = step.weight_percent, min(step.hold_s, plan.max_hold_s)
        self._needs = Needs(samples=plan.min_samples, slo=plan.slo)
        self._fill = Fill(plan, sides.entries, record.folder / f"canary-{index + 1}", console)
        release = sides.lives[sides.entries[0].host.name].release
        self._watch = promql.Watch(plan.prometheus, plan.queries, plan.release, release)
        self._shifts: tuple[Shift, ...] = ()
        self._readings: tuple[Reading, ...] = ()
        self._asked_s = 0.0
        self._looks: list[Snapshot] = []
        self._stopped_fill: tuple[Finding, ...] = ()
        self._window: Window | None = None
        self._analysis: Analysis | None = None
        self._started, self._started_s = datetime.now(UTC), clock.now_s()

    def run(self) -> str:
        """Sets the weight, watches, and keeps what was seen whatever comes of it."""
        result: Outcome = "inconclusive"
        try:
            if fault := self._watch.fault():
                raise Unsure(fault.text())  # before any user is asked to try the candidate
            self._compare_answers()
            self._begin_share()
            window = self._watch_over(self._first_look())
            result = "pass"
            return observed.told(window, self._plan)
        except StepFailed:
            result = "fail"
            raise
        finally:
            self._fill.stop()
            self._keep(result)

    def _compare_answers(self) -> None:
        """Once for all weights, and before any user is asked to try the candidate."""
        if self._index > 0:
            return
        sides, token = self._sides, gate.gate_token(self._plan)
        self._shifts = shift.compare(
            self._plan, sides.machines, sides.slot, sides.live_slot, token, self._go_on
        )
        nobody = Side()
        window = Window(duration_s=0, share=sides.share, offered=0, live=nobody, candidate=nobody)
        self._judge(window, is_over=False)
        self._refuse_settled(is_last=False)

    def _begin_share(self) -> None:
        for entry in self._sides.entries:
            self._go_on()
            traffic.set_canary(entry, self._sides.share)
        self._wait_until(self._clock.now_s() + self._plan.settle_s)

    def _first_look(self) -> Snapshot:
        """What everything is counted from: only a look without a gap will do.

        Raises:
            Unsure: there was none.
        """
        end_s = self._clock.now_s() + self._plan.max_hold_s
        none = Snapshot(0, {})
        while True:
            self._go_on()
            look = self._sides.look(self._clock.now_s())
            if not look.faults:
                return look
            self._judge(between.window(self._sides, look, none, look), is_over=False)
            self._refuse_settled(is_last=look.at_s >= end_s)
            self._clock.wait(POLL_S)

    def _watch_over(self, begin: Snapshot) -> Window:
        """Compares until it is a pass, a fail, or the time is over; the last window."""
        last = begin
        while True:
            self._wait_until(last.at_s + POLL_S)
            now = self._sides.look(self._clock.now_s())
            elapsed_s = now.at_s - begin.at_s
            is_over, is_last = elapsed_s >= self._hold_s, elapsed_s >= self._plan.max_hold_s
            window = between.window(self._sides, begin, last, now)
            self._fill.look()
            self._spare_users(window)
            self._ask_queries(elapsed_s, is_over=is_over)
            analysis = self._judge(window, is_over=is_over)
            self._record.timeline(
                observed.point(
                    between.window(self._sides, last, last, now),
                    t_s=self._record.elapsed_s(),
                    weight_percent=self._weight_percent,
                )
            )
            if is_over and analysis.outcome == "pass" and not self._fill.is_running:
                return window
            self._refuse_settled(is_last=is_last)
            self._fill_up(window, analysis, elapsed_s, self._users_rps(last, now))
            last = now

    def _judge(self, window: Window, *, is_over: bool) -> Analysis:
        """Of what is known now; kept as the step's evidence."""
        window = replace(
            window,
            faults=(*window.faults, *self._fill.findings, *self._stopped_fill),
            shifts=self._shifts,
            readings=self._readings,
        )
        self._window = window
        self._analysis = judge(window, self._plan.analysis, self._needs, is_over=is_over)
        return self._analysis

    def _refuse_settled(self, *, is_last: bool) -> None:
        """Ends the step where no waiting makes it a pass."""
        analysis = self._analysis
        if analysis is None or not (analysis.is_settled or is_last):
            return
        reasons = analysis.reasons
        if analysis.outcome == "fail":
            raise StepFailed(*reasons)
        if not reasons:  # good as far as it goes, and what fills up goes on
            reasons = (finding("canary_fill_failed", why="it did not end in time").text(),)
        raise Unsure(*reasons)

    # -- what is beside the users ---------------------------------------------------------------

    def _users_rps(self, last: Snapshot, now: Snapshot) -> float:
        """What users have asked for lately: those who went away bring nothing more."""
        looks = [look for look in (*self._looks, last) if look.at_s >= now.at_s - RECENT_S]
        self._looks = looks
        return users_rps(between.window(self._sides, (looks or [last])[0], last, now))

    def _fill_up(
        self, window: Window, analysis: Analysis, elapsed_s: float, now_rps: float
    ) -> None:
        """Sends gate traffic where users will not bring the samples."""
        if self._fill.is_running or elapsed_s < min(OBSERVE_S, self._hold_s):
            return
        samples = self._needs.least
        if analysis.needs_more and elapsed_s >= self._hold_s:
            samples = 2 * max(samples, min(window.live.samples, window.candidate.samples))
        wanted = demand(
            window,
            samples,
            self._plan.slo,
            users_rps=now_rps,
            hold_left_s=self._hold_s - elapsed_s,
            left_s=self._plan.max_hold_s - elapsed_s,
        )
        if wanted is not None:
            self._console.say(
                f"{self._plan.release}: canary: users bring too few requests; the gate sends "
                f"{wanted.rate_rps:.3g} a second for {wanted.duration_s} s",
                passing=True,
            )
            self._fill.start(wanted)

    def _spare_users(self, window: Window) -> None:
        """Stops what fills up where live gets too slow for its users beside it."""
        if not self._fill.is_running:
            return
        limit_ms = self._plan.slo.latency_p95_ms
        durations = window.live.all_durations
        surely_ms = 1000 * min(durations.bounds_s(0.95)[0], durations.last_bound_s)
        if surely_ms > limit_ms:
            self._fill.stop()
            got = window.live.p95_ms or surely_ms
            self._stopped_fill = (finding("canary_fill_overload", got=got, limit=limit_ms),)

    def _ask_queries(self, elapsed_s: float, *, is_over: bool) -> None:
        if is_over or elapsed_s >= self._asked_s + QUERY_S:
            self._readings = self._watch.ask(elapsed_s)
            self._asked_s = elapsed_s

    def _wait_until(self, moment_s: float) -> None:
        while (left_s := moment_s - self._clock.now_s()) > 0:
            self._go_on()
            self._clock.wait(min(left_s, POLL_S))
        self._go_on()

    def _keep(self, result: Outcome) -> None:
        """The step's evidence: what was seen last."""
        evidence = observed.evidence(
            self._plan,
            self._window,
            self._analysis,
            weight_percent=self._weight_percent,
            started=self._started,
            duration_s=self._clock.now_s() - self._started_s,
            result=result,
            was_filled=self._fill.times > 0,
        )
        self._record.canary(evidence)
