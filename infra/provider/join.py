"""Hosts that are behind a release which is live on their stack already: made ready, then let in.

New ones, those that missed a promotion, and what a walk that was killed in the middle of its
promotion had not come to. The release has passed its verdict: no gate, no canary.
"""

from collections.abc import Sequence

from infra.connection import HostError
from infra.provider import (
    floor,
    keep,
    level,
    live,
    promote,
    putback,
    ready,
    replicas,
    standing,
    traffic,
)
from infra.provider.console import Console
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.outcome import FAILED, UNSURE
from infra.provider.plan import Plan
from infra.provider.resource import Refused
from infra.provider.right import Right
from infra.provider.states import Course, State


class Join:
    """One attempt to bring hosts to what is live; each joins or not, whatever the others do."""

    def __init__(
        self, plan: Plan, members: Members, stack: Live, console: Console, right: Right
    ) -> None:
        self._plan = plan
        self._members = members
        self._stack = stack
        self._console = console
        self._right = right

    def run(self, behind: Sequence[Machine]) -> None:
        """Lets them in, and gives each its part of the users' requests.

        Raises:
            Refused: a host did not get ready; those that did have joined.
        """
        try:
            self._members.on_all(self._join, behind)
        except (*FAILED, *UNSURE) as e:
            if self._console.stopped.is_set():
                e.args = (self._right.why_lost,)
            else:
                promote.weigh(self._plan, self._members)
            reasons = " ".join(str(reason) for reason in e.args).rstrip(".")
            msg = (
                f"release {self._plan.release} on {self._plan.stack} is live, and a host did not "
                f"join: {reasons}. Run `make up` again, or take the host out with `out: true`."
            )
            raise Refused(msg) from e
        promote.weigh(self._plan, self._members)
        ready.await_entries(self._members, self._plan, self._stack.slot, self._console)

    def _join(self, machine: Machine) -> None:
        course, name, slot = Course(), machine.host.name, self._stack.slot
        self._console.say(f"{self._plan.release}: {name} joins …", passing=True)
        course.enter(State.READY)
        self._right.go_on()
        was = self._make_room(machine)
        try:
            measured = ready.measured(
                machine, self._plan, slot, was, self._console, self._right.go_on
            )
            course.enter(State.PROMOTE)
            now = promote.record(self._plan, machine, slot, self._stack.since)
            traffic.set_live(machine, now)
        except Exception:
            course.enter(State.PUT_BACK)
            self._undo(machine, was)
            raise
        floor.record(machine, measured)
        keep.copy(machine, self._plan, self._members.machines)
        self._console.say(f"{self._plan.release}: {name} joined")

    def _make_room(self, machine: Machine) -> Live | None:
        """Frees the slot of what is live; what is live on the host until it has joined."""
        record = live.read(machine)
        if record is None or record.slot != self._stack.slot:
            traffic.restore(machine, record)
            return record
        drain_s = self._plan.drain_timeout_s
        is_entry = machine in self._members.entries
        return level.bring(machine, self._stack, is_entry=is_entry, drain_s=drain_s)

    def _undo(self, machine: Machine, was: Live | None) -> None:
        """A host that did not join serves what it served; it may be silent."""
        try:
            traffic.restore(machine, was)
            if standing.is_level(was, self._stack):  # an entry whose users have the other hosts
                replicas.remove(machine, replicas.in_slot(self._stack.slot))
            else:
                putback.remove(machine, self._stack.slot, replicas.CANDIDATE_STOP_TIMEOUT_S)
        except HostError as e:
            self._console.warn(putback.told(e))
