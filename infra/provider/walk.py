"""The walk of a release: ready, gate, promote, drain. Any step that fails leaves live at 100 %."""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime

from infra.commands import rates
from infra.connection import HostError
from infra.host import other_slot
from infra.provider import floor, gate, keep, live, replicas, traffic, words
from infra.provider.console import Console
from infra.provider.each import on_each
from infra.provider.live import Live
from infra.provider.lock import HEARTBEAT_S, Lock
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.putback import put_back
from infra.provider.record import Record
from infra.provider.resource import Refused
from loadtests.slo import Outcome, judge


class StepFailed(Exception):
    """The candidate is not good enough: its arguments are the reasons, a line each."""


class Unsure(Exception):
    """Nothing can be said of the candidate: its arguments are the reasons, a line each."""


_FAILED = (StepFailed, replicas.NotReady, floor.TooSlow)
"""What says that the candidate is not good enough."""

_UNSURE = (Unsure, gate.GateDidNotRun, floor.TooBusy, HostError)
"""What says nothing of the candidate: the verdict is inconclusive, and it is not promoted."""


class Walk:
    """One attempt at one release on all hosts of a stack: promote everywhere or nowhere."""

    def __init__(
        self,
        plan: Plan,
        machines: Sequence[Machine],
        console: Console,
        lock: Lock,
        record: Record,
    ) -> None:
        self.plan = plan
        self.machines = machines
        self.console = console
        self.lock = lock
        self.record = record
        self.before = {m.host.name: live.read(m) for m in machines}
        self._measured: dict[str, floor.Measured] = {}
        self._ended = threading.Event()
        self._why_stopped = "interrupted"

    def run(self) -> None:
        """Walks to the end, or puts back and says why.

        Raises:
            Refused: the release did not become live, or its files could not be written.
        """
        guard = threading.Thread(target=self._guard, name="guard", daemon=True)
        guard.start()
        try:
            self._walk()
        finally:
            self._ended.set()
            guard.join()

    def _walk(self) -> None:
        try:
            self._step("ready", self._ready)
            self._step("gate", self._gate)
            self._step("promote", self._promote)
        except _FAILED as e:
            self._refuse("fail", e)
        except _UNSURE as e:
            self._refuse("inconclusive", e)
        except BaseException as e:
            self._put_back()
            self.record.finish("inconclusive", [f"the walk broke off: {type(e).__name__}"])
            raise
        self.record.finish("pass", [])
        # From here on the release is live: what is left to do must not take it back.
        self._step("drain", self._drain)
        self.record.write()

    # -- steps ----------------------------------------------------------------------------------

    def _ready(self) -> str:
        first, *others = self.machines
        self._ready_on(first)  # the barrier: a release that cannot start troubles one host only
        self._on_all(self._ready_on, others)
        hosts = ", ".join(m.host.name for m in self.machines)
        detail = self._text("ready", replicas=self.plan.replicas, hosts=hosts)
        told = {name: m.rates for name, m in sorted(self._measured.items()) if m.rates}
        shown = "; ".join(f"{name}: {rates.shown(found)}" for name, found in told.items())
        return f"{detail} {self._text('rates', rates=shown)}" if shown else detail

    def _ready_on(self, machine: Machine) -> None:
        slot = self._slot(machine)
        was = self.before[machine.host.name]
        # a walk that was killed may have left the traffic elsewhere
        traffic.restore(machine, was)
        try:
            self._measure(machine, slot, was)
        except floor.TooSlow:
            # Once more before it is condemned: something may have been in its way.
            replicas.remove(
                machine, replicas.in_slot(slot), timeout_s=replicas.CANDIDATE_STOP_TIMEOUT_S
            )
            self._measure(machine, slot, was)

    def _measure(self, machine: Machine, slot: str, was: Live | None) -> None:
        """Starts the candidate on a host, and sees that it is ready and as fast as it has to be."""
        watch = floor.Watch(machine, was)
        replicas.start(machine, self.plan, slot)
        replicas.await_ready(machine, self.plan, slot, self.console, self._may_go_on)
        self._measured[machine.host.name] = floor.check(machine, self.plan, slot, watch)

    def _gate(self) -> str:
        ports = [m.connection.local_port(m.host.ports.direct(self._slot(m))) for m in self.machines]
        openings = [m.connection.openings() for m in self.machines]
        figures = gate.run(
            self.plan,
            ports,
            self.plan.saturation or not any(self.before.values()),
            self.record.folder,
            self.console,
        )
        judgement = judge(figures, self.plan.slo)
        self.record.take(figures, judgement)
        if judgement.verdict != "pass":
            self._refuse_cut_lines(openings)
        if judgement.verdict == "fail":
            raise StepFailed(*judgement.reasons)
        if judgement.verdict == "inconclusive":
            raise Unsure(*judgement.reasons)
        shown = self.record.figures
        return self._text(
            "gate",
            requests=shown.requests,
            rps=shown.rps,
            p95=shown.latency_ms.p95,
            errors=shown.error_ratio,
        )

    def _refuse_cut_lines(self, openings: Sequence[int]) -> None:
        """A gate whose requests had no way for a while says nothing of the candidate."""
        self._may_go_on()  # asks every host, and so opens what was cut
        for machine, before in zip(self.machines, openings, strict=True):
            if machine.connection.openings() != before:
                raise Unsure(
                    f"{machine.host.name}: the line to it was cut during the gate. "
                    "Run `make up` again."
                )

    def _promote(self) -> str:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        self._on_all(self._await_edge, self.machines)  # all of them, before the first is promoted
        for machine in self.machines:
            self._may_go_on()
            now = Live(
                release=self.plan.release,
                slot=self._slot(machine),
                replicas=self.plan.replicas,
                since=since,
                image=self.plan.image_of(machine.host),
            )
            traffic.set_live(machine, now)
        return self._text("promote", release=self.plan.release)

    def _await_edge(self, machine: Machine) -> None:
        replicas.await_edge(machine, self.plan.replicas, self._slot(machine), self.console)

    def _drain(self) -> str:
        self._on_all(self._drain_on, self.machines)
        gone = sorted({was.release for was in self.before.values() if was})
        return self._text("drain", gone=", ".join(gone)) if gone else self._text("drain_nothing")

    def _drain_on(self, machine: Machine) -> None:
        old = self.before[machine.host.name]
        if old is not None:
            left = replicas.drain(machine, old.slot, self.plan.drain_timeout_s, self.console)
            if left:
                self.console.warn(
                    f"{machine.host.name}: {left} requests of {old.release} were still in work "
                    f"after {self.plan.drain_timeout_s} s and were ended."
                )
        replicas.remove(machine, replicas.not_of(live.read(machine)))
        keep.remember(machine, self.plan, self.record)
        floor.record(machine, self._measured.get(machine.host.name))
        keep.prune(machine, self.plan.image_of(machine.host), self.plan.keep)

    # -- what may end it ------------------------------------------------------------------------

    def _may_go_on(self) -> None:
        """Asked before each step and while waiting: a walker that lost its right must stop."""
        lost = None if self.console.stopped.is_set() else self._lost()
        if lost is not None:
            self._why_stopped = lost
            self.console.stopped.set()
        if self.console.stopped.is_set():
            raise Unsure(self._why_stopped)

    def _lost(self) -> str | None:
        """Why this walk may not go on; None: it may."""
        if not self.console.engine_answers():
            return "the Pulumi engine is gone"
        return None if self.lock.is_held() else "another walk has taken the lock"

    def _guard(self) -> None:
        """Ends what takes long, such as the gate, within a heartbeat of losing the right to it."""
        while not self._ended.wait(HEARTBEAT_S):
            with suppress(Unsure, HostError):
                self._may_go_on()

    def _refuse(self, verdict: Outcome, cause: Exception) -> None:
        reasons = [str(reason) for reason in cause.args]
        if self.console.stopped.is_set():
            verdict, reasons = "inconclusive", [self._why_stopped]
        self._put_back()
        self.record.finish(verdict, reasons)
        release, stack = self.plan.release, self.plan.stack
        kept = sorted({was.release for was in self.before.values() if was})
        still = f"Release {', '.join(kept)} stays live" if kept else "Nothing is live"
        msg = (
            f"release {release} on {stack}: {verdict}: {' '.join(reasons).rstrip('.')}. "
            f"{still}; see {self.record.shown_folder}/verdict.html."
        )
        raise Refused(msg) from cause

    def _still_ours(self) -> bool:
        """Whether nobody else walks now: what another walk put there is not ours to change."""
        try:
            return self.lock.is_held()
        except HostError:
            return True

    def _put_back(self) -> None:
        """Old weights first, then the candidates away; a host that does not answer is named."""
        if self._still_ours():
            self._on_all(self._put_back_on, self.machines)

    def _put_back_on(self, machine: Machine) -> None:
        was = self.before[machine.host.name]
        put_back(machine, was, self._slot(machine), self.record, self.console)

    # -- helpers --------------------------------------------------------------------------------

    def _detail(self, name: str, error: BaseException) -> str:
        """Why a step did not pass; the gate's reasons are told by the page, in its language."""
        if name == "gate" and isinstance(error, (StepFailed, Unsure)):
            return self._text("missed")
        return " ".join(str(a) for a in error.args) or type(error).__name__

    def _text(self, kind: str, **values: object) -> str:
        return words.text(kind, self.plan.language, **values)

    def _slot(self, machine: Machine) -> str:
        was = self.before[machine.host.name]
        return other_slot(was.slot if was else None)

    def _on_all(self, work: Callable[[Machine], None], machines: Sequence[Machine]) -> None:
        on_each(work, machines, self.plan.parallel)

    def _step(self, name: str, work: Callable[[], str]) -> None:
        """Does one step; what it says it did, or why it failed, goes to the record."""
        self.console.say(f"{self.plan.release}: {name} …", passing=True)
        started, clock = datetime.now(UTC), time.monotonic()
        result: Outcome = "fail"
        detail = ""
        try:
            if name != "drain":
                self._may_go_on()
            detail, result = work(), "pass"
        except _UNSURE as e:
            result, detail = "inconclusive", self._detail(name, e)
            raise
        except BaseException as e:
            detail = self._detail(name, e)
            raise
        finally:
            took_s = time.monotonic() - clock
            self.record.step(name, started, took_s, result, detail)
            self.console.say(f"{self.plan.release}: {name}: {result} ({took_s:.1f} s) {detail}")
