"""The walk of a release over a stack's hosts. Any step that fails leaves live at 100 %."""

import dataclasses
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from infra.commands import rates
from infra.connection import HostError
from infra.host import other_slot
from infra.provider import (
    audit,
    canary,
    floor,
    gate,
    keep,
    level,
    live,
    promote,
    ready,
    retire,
    standing,
    words,
)
from infra.provider.console import Console
from infra.provider.lock import Lock
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.outcome import FAILED, UNSURE, StepFailed, Unsure
from infra.provider.plan import Plan
from infra.provider.putback import put_back
from infra.provider.record import Record
from infra.provider.resource import Refused
from infra.provider.right import Right
from infra.provider.states import UNDONE, Course, State
from loadtests.slo import Outcome, judge

_EVENTS = {State.PROMOTE: audit.PROMOTED, State.PUT_BACK: audit.PUT_BACK}
"""Steps that have a name of their own in the audit log, once they are done."""


class Walk:
    """One attempt at one release on all hosts of a stack: promote everywhere or nowhere.

    What is live is in the same slot on all hosts, and the candidate in the other.
    """

    def __init__(
        self,
        plan: Plan,
        machines: Sequence[Machine],
        console: Console,
        lock: Lock,
        record: Record,
    ) -> None:
        self.plan = plan
        self.console = console
        self.record = record
        self.members = Members.of(plan, machines)
        self.right = Right(console, lock)
        self.audit = audit.Audit(plan.stack, machines, console)
        self.course = Course()
        self.before = self.members.records()
        """What is live on each host, and put back where the candidate is refused."""
        self.live = standing.of(self.before, self.members.entry_names)
        self.slot = other_slot(self.live.slot if self.live else None)
        self._measured: dict[str, floor.Measured] = {}

    def run(self) -> None:
        """Walks to the end, or puts back and says why.

        Raises:
            Refused: the release did not become live, or its files could not be written.
        """
        was = self.live.release if self.live else None
        with self.right.guarded(), self.audit:
            self._note(audit.WALK_BEGAN, was=was, attempt=self.record.attempt)
            try:
                self._walk()
            finally:
                outcome, attempt = self.record.outcome, self.record.attempt
                self._note(audit.WALK_ENDED, verdict=outcome, attempt=attempt)

    def _walk(self) -> None:
        try:
            self._step(State.READY, self._ready)
            self._step(State.GATE, self._gate)
            for index in range(len(self.plan.canary) if self.live else 0):
                self._step(State.CANARY, partial(self._canary, index))
            self._step(State.PROMOTE, self._promote)
        except FAILED as e:
            self._refuse("fail", e)
        except UNSURE as e:
            self._refuse("inconclusive", e)
        except BaseException as e:
            if self.right.is_ours():
                self._put_back()
            self.course.enter(State.INCONCLUSIVE)
            self.record.finish("inconclusive", [f"the walk broke off: {type(e).__name__}"])
            raise
        self.record.finish("pass", [])
        # From here on the release is live: what is left to do must not take it back.
        try:
            self._step(State.DRAIN, self._drain)
        finally:
            self.course.enter(State.PASS)
            self.record.write()

    # -- steps ----------------------------------------------------------------------------------

    def _ready(self) -> str:
        promote.weigh_new(self.plan, self.members)
        self.members.on_all(self._level, self.members.entries)
        if self.live:  # what an entry has just moved its users away from
            retire.drain(self.members, self.slot, self.plan.drain_timeout_s)
        first, *others = self.members.machines
        self._ready_on(first)  # the barrier: a release that cannot start troubles one host only
        self.members.on_all(self._ready_on, others)
        ready.await_entries(self.members, self.plan, self.slot, self.console)
        hosts = ", ".join(m.host.name for m in self.members.machines)
        detail = self._text("ready", replicas=self.plan.replicas, hosts=hosts)
        told = {name: m.rates for name, m in sorted(self._measured.items()) if m.rates}
        shown = "; ".join(f"{name}: {rates.shown(found)}" for name, found in told.items())
        return f"{detail} {self._text('rates', rates=shown)}" if shown else detail

    def _level(self, machine: Machine) -> None:
        """A walk that was killed, or an absence, may have left something else there."""
        is_entry = machine in self.members.entries
        self.before[machine.host.name] = level.bring(
            machine, self.live, is_entry=is_entry, drain_s=self.plan.drain_timeout_s
        )

    def _ready_on(self, machine: Machine) -> None:
        if machine not in self.members.entries:
            self._level(machine)
        was = self.before[machine.host.name]
        self._measured[machine.host.name] = ready.measured(
            machine, self.plan, self.slot, was, self.console, self.right.go_on
        )

    def _gate(self) -> str:
        machines = self.members.machines
        ports = [m.connection.local_port(m.host.ports.direct(self.slot)) for m in machines]
        openings = [m.connection.openings() for m in machines]
        saturation = self.plan.saturation or self.live is None
        figures = gate.run(self.plan, ports, saturation, self.record.folder, self.console)
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
        self.right.look()  # asks every host, and so opens what was cut
        for machine, before in zip(self.members.machines, openings, strict=True):
            if machine.connection.openings() != before:
                raise Unsure(
                    f"{machine.host.name}: the line to it was cut during the gate. "
                    "Run `make up` again."
                )

    def _canary(self, index: int) -> str:
        assert self.live is not None  # noqa: S101 - else there is no such step
        return canary.run(
            self.plan,
            self.members.entries,
            self.members.machines,
            self.slot,
            self.live.slot,
            index,
            self.record,
            self.console,
            self.right.go_on,
        )

    def _promote(self) -> str:
        shares = promote.weigh(self.plan, self.members, self._measured)
        ready.await_entries(self.members, self.plan, self.slot, self.console)
        promote.swap(self.plan, self.members, self.slot, promote.moment(), self.right.go_on)
        detail = self._text("promote", release=self.plan.release)
        told = ", ".join(f"{name} {weight}" for name, weight in sorted(shares.items()))
        return f"{detail} {self._text('weights', weights=told)}" if told else detail

    def _drain(self) -> str:
        if self.live is None:
            self.members.on_all(self._end_old)
            return self._text("drain_nothing")
        timeout_s = self.plan.drain_timeout_s
        for name, left in retire.drain(self.members, self.live.slot, timeout_s).items():
            self.console.warn(
                f"{name}: {left} requests of {self.live.release} were still in work after "
                f"{timeout_s} s and were ended."
            )
        self.members.on_all(self._end_old)
        return self._text("drain", gone=self.live.release)

    def _end_old(self, machine: Machine) -> None:
        retire.remove_others(machine, live.read(machine))
        keep.remember(machine, self.plan, self.record)
        floor.record(machine, self._measured.get(machine.host.name))
        keep.prune(machine, self.plan.image_of(machine.host), self.plan.keep)

    # -- what may end it ------------------------------------------------------------------------

    def _refuse(self, verdict: Outcome, cause: Exception) -> None:
        reasons = [str(reason) for reason in cause.args]
        is_ours = self.right.is_ours()
        if not is_ours or self.console.stopped.is_set():
            verdict, reasons = "inconclusive", [self.right.why_lost]
        if is_ours:
            self._put_back()
        self.course.enter(State(verdict))
        self.record.finish(verdict, reasons)
        release, stack = self.plan.release, self.plan.stack
        still = f"Release {self.live.release} stays live" if self.live else "Nothing is live"
        msg = (
            f"release {release} on {stack}: {verdict}: {' '.join(reasons).rstrip('.')}. "
            f"{still}; see {self.record.shown_folder}/verdict.html."
        )
        raise Refused(msg) from cause

    def _put_back(self) -> None:
        """Old weights first, then the candidates away; a host that does not answer is named."""
        with suppress(HostError):
            self._step(State.PUT_BACK, self._undo)

    def _undo(self) -> str:
        if State.PROMOTE in self.course.taken:
            # later than what a host that does not answer now may come back with
            since = promote.moment()
            self.before = {
                name: dataclasses.replace(was, since=since) if was else None
                for name, was in self.before.items()
            }
        had_users = bool({State.CANARY, State.PROMOTE} & set(self.course.taken))
        silent = put_back(
            self.members,
            self.before,
            self.slot,
            had_users=had_users,
            record=self.record,
            console=self.console,
        )
        if silent:
            raise HostError(self._text("silent", hosts=", ".join(silent)))
        kind = "put_back" if self.live else "put_back_nothing"
        return self._text(kind, release=self.live.release if self.live else "")

    # -- helpers --------------------------------------------------------------------------------

    def _detail(self, state: State, error: BaseException) -> str:
        """Why a step did not pass; what the page tells in its own language stands there."""
        if state in (State.GATE, State.CANARY) and isinstance(error, (StepFailed, Unsure)):
            return self._text("missed")
        return " ".join(str(a) for a in error.args) or type(error).__name__

    def _note(self, event: str, **facts: audit.Value) -> None:
        self.audit.note(event, release=self.plan.release, **facts)

    def _text(self, kind: str, **values: object) -> str:
        return words.text(kind, self.plan.language, **values)

    def _step(self, state: State, work: Callable[[], str]) -> None:
        """Does one step; what it says it did, or why it failed, goes to the record."""
        self.course.enter(state)
        self.console.say(f"{self.plan.release}: {state} …", passing=True)
        started, clock = datetime.now(UTC), time.monotonic()
        result: Outcome = "fail"
        detail = ""
        try:
            if state in UNDONE:
                self.right.look()
            detail, result = work(), "pass"
        except UNSURE as e:
            result, detail = "inconclusive", self._detail(state, e)
            raise
        except BaseException as e:
            detail = self._detail(state, e)
            raise
        finally:
            took_s = time.monotonic() - clock
            self.record.step(state.value, started, took_s, result, detail)
            event = _EVENTS.get(state, audit.STEP) if result == "pass" else audit.STEP
            self._note(event, step=state.value, result=result, duration_s=round(took_s, 1))
            self.console.say(f"{self.plan.release}: {state}: {result} ({took_s:.1f} s) {detail}")
