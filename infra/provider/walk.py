"""The walk of a release: ready, gate, promote, drain. Any step that fails leaves live at 100 %."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial

from infra.connection import HostError
from infra.host import other_slot
from infra.provider import gate, keep, live, replicas, traffic, words
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.lock import HEARTBEAT_S, Lock
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from infra.provider.record import Record
from infra.provider.resource import Refused
from loadtests.slo import Outcome, judge

KEPT_LOG_LINES = 200
"""Of each candidate that was refused, beside the verdict."""


class StepFailed(Exception):
    """The candidate is not good enough: its arguments are the reasons, a line each."""


class Unsure(Exception):
    """Nothing can be said of the candidate: its arguments are the reasons, a line each."""


_UNSURE = (Unsure, gate.GateDidNotRun, HostError)
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
        except (StepFailed, replicas.NotReady) as e:
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
        return self._text("ready", replicas=self.plan.replicas, hosts=hosts)

    def _ready_on(self, machine: Machine) -> None:
        slot = self._slot(machine)
        # a walk that was killed may have left the traffic elsewhere
        traffic.restore(machine, self.before[machine.host.name])
        replicas.start(machine, self.plan, slot)
        replicas.await_ready(machine, self.plan, slot, self.console, self._may_go_on)

    def _gate(self) -> str:
        first = self.machines[0]
        figures = gate.run(
            self.plan,
            first.connection.local_port(first.host.ports.direct(self._slot(first))),
            self.plan.saturation or self.before[first.host.name] is None,
            self.record.folder,
            self.console,
        )
        judgement = judge(figures, self.plan.slo)
        self.record.take(figures, judgement)
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

    def _promote(self) -> str:
        since = datetime.now(UTC).isoformat(timespec="seconds")
        for machine in self.machines:
            self._may_go_on()
            slot = self._slot(machine)
            replicas.await_edge(machine, self.plan.replicas, slot, self.console)
            now = Live(
                release=self.plan.release,
                slot=slot,
                replicas=self.plan.replicas,
                since=since,
                image=self.plan.image,
            )
            traffic.set_live(machine, now)
        return self._text("promote", release=self.plan.release)

    def _drain(self) -> str:
        for machine in self.machines:
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
            keep.prune(machine, self.plan.image, self.plan.keep)
        gone = sorted({was.release for was in self.before.values() if was})
        return self._text("drain", gone=", ".join(gone)) if gone else self._text("drain_nothing")

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
        if not self._still_ours():
            return
        for machine in self.machines:
            was, slot = self.before[machine.host.name], self._slot(machine)
            had_users = self._try(partial(traffic.restore, machine, was)) is not False
            timeout_s = replicas.STOP_TIMEOUT_S if had_users else replicas.CANDIDATE_STOP_TIMEOUT_S
            self._try(partial(self._keep_logs, machine, slot))
            self._try(partial(replicas.remove, machine, replicas.in_slot(slot), timeout_s))

    def _keep_logs(self, machine: Machine, slot: str) -> None:
        """What a refused candidate printed last: its containers are about to go."""
        for candidate in filter(replicas.in_slot(slot), replicas.of_role(machine.containers())):
            lines = machine.log_end(candidate.name, KEPT_LOG_LINES)
            self.record.keep_log(machine.host.name, candidate.name, lines)

    def _try(self, work: Callable[[], object]) -> object:
        """Goes on with the other hosts when one cannot be put back, and names it."""
        try:
            return work()
        except HostError as e:
            self.console.warn(f"could not put back: {e}")
            return None

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
        if machines:
            with ThreadPoolExecutor(self.plan.parallel) as pool:
                list(pool.map(work, machines))

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
