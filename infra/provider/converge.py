"""Makes a release live on every host of a stack, from whatever an earlier run has left there."""

from collections.abc import Sequence

from infra.provider import join, keep, live, mend, promote, retire, rolled_back, standing, traffic
from infra.provider.console import Console
from infra.provider.each import on_each
from infra.provider.live import Live
from infra.provider.lock import Lock
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.outcome import UNSURE
from infra.provider.plan import Plan
from infra.provider.record import Record
from infra.provider.resource import Refused
from infra.provider.right import Right
from infra.provider.walk import Walk


def converge(plan: Plan, machines: Sequence[Machine], console: Console, lock: Lock) -> str:
    """Walks the release in where it is not live on the stack; else brings every host to it.

    Returns:
        The path of the verdict; empty where it was live already and nothing was walked.

    Raises:
        Refused: the release did not pass, and what was live before stays; or a host did not join.
    """
    members = Members.of(plan, machines)
    on_each(live.mend, members.machines)
    on_each(_take_share_back, members.entries)
    stack = standing.of(members.records(), members.entry_names)
    if stack is None or stack.release != plan.release:
        rolled_back.refuse(plan.release, plan.stack, machines)
        record = Record(plan, console)
        Walk(plan, machines, console, lock, record).run()
        return f"{record.shown_folder}/verdict.json"
    right = Right(console, lock)
    with right.guarded():
        try:
            _bring_level(plan, members, stack, console, right)
        except UNSURE as e:
            raise Refused(" ".join(str(reason) for reason in e.args)) from e
    return ""


def _take_share_back(machine: Machine) -> None:
    """A walk that was killed may have left the users of an entry with a candidate."""
    if traffic.canary(machine):
        traffic.set_canary(machine, 0)


def _bring_level(plan: Plan, members: Members, stack: Live, console: Console, right: Right) -> None:
    records = members.records()
    level = {
        m: record
        for m in members.machines
        if (record := records[m.host.name]) and standing.is_level(record, stack)
    }
    behind = [m for m in members.machines if m not in level]
    promote.weigh_new(plan, members)
    differ = members.on_all(
        lambda m: mend.traffic_and_missing(m, plan, level[m], console, right.go_on), tuple(level)
    )
    for machine, differs in zip(level, differ, strict=True):
        if differs:
            mend.changed(machine, plan, level[machine], console, right.go_on)
    if behind:
        join.Join(plan, members, stack, console, right).run(behind)
    else:
        promote.weigh(plan, members)
    # Only now: what an entry was behind with, it may have had from the other hosts.
    for name, gone in retire.tidy(members, plan.drain_timeout_s).items():
        for replica in gone:
            console.say(f"{name}: {replica} removed; it is no part of the live release")
    members.on_all(lambda m: keep.prune(m, plan.image_of(m.host), plan.keep))
