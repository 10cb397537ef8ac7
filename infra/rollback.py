"""`make rollback`: the release before has all the traffic again, at once; then it is pinned."""

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import Any

from infra import pin, stack_file
from infra.config import ConfigError, Stack
from infra.connection import HostError
from infra.host import Host
from infra.provider import audit, history, live, lock, rollback, standing
from infra.provider.answering import Answering, reached
from infra.provider.history import History, Kept
from infra.provider.live import Live
from infra.provider.lock import Lock
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.plan import Plan
from infra.provider.resource import Refused
from infra.provider.right import Right
from infra.provider.rollback import NoWayBack, Outcome, Rollback
from infra.resources import release
from infra.terminal import Terminal


def main(argv: Sequence[str] | None = None) -> int:
    """Exit 1 with one line where no way leads back, or where the pin has to be written by hand."""
    parser = argparse.ArgumentParser(prog="python -m infra.rollback", description=__doc__)
    parser.add_argument("--stack", default="demo")
    parser.add_argument("--to", default="", help="a kept release; else the one before")
    args = parser.parse_args(argv)
    console = Terminal()
    try:
        settings, hosts = stack_file.hosts(args.stack)
        machines = reached(hosts, console)
        if not any(machine.host.entry for machine in machines):
            names = ", ".join(host.name for host in hosts if host.entry)
            raise NoWayBack(f"{args.stack}: no entry answers (got {names}). Look why it does not.")
        console.listen()
        with _taken(machines) as held:
            back = Back(args.stack, settings, hosts, machines, console, held)
            back.run(args.to)
    except (ConfigError, HostError, NoWayBack, Refused, ValueError, pin.CannotEdit) as e:
        sys.stderr.write(f"{e}\n")
        return 1
    return 0


def _taken(machines: Sequence[Machine]) -> Lock:
    """The walk's lock is free, or one line says who has it and how to get out now."""
    for machine in machines:
        holder = lock.living_holder(machine)
        if isinstance(holder, lock.Holder):
            msg = (
                f"{lock.held(machine, holder)} To get out at once, end that walk: Ctrl-C where it "
                f"runs, or `kill {holder.pid}` on {holder.machine}. Live has all the traffic "
                f"again within {lock.STALE_S} s."
            )
            raise Refused(msg)
    return Lock(machines)


class Back:
    """One `make rollback`, with the lock held."""

    def __init__(
        self,
        stack: str,
        settings: Stack,
        hosts: Sequence[Host],
        machines: Sequence[Machine],
        console: Terminal,
        held: Lock,
    ) -> None:
        self._stack, self._settings, self._hosts = stack, settings, hosts
        self._console, self._held = console, held
        self._log = audit.Audit(stack, machines, console)
        there = Answering(lambda error: console.warn(f"{error} It goes on without it."))
        there.on(machines, live.mend)
        self._histories: dict[str, History] = {}
        there.on(machines, self._ask)
        self._machines = [m for m in machines if m.host.name in self._histories]

    def _ask(self, machine: Machine) -> None:
        self._histories[machine.host.name] = history.read(machine)

    def run(self, wanted: str) -> None:
        """Swaps where it must, pins, and ends what was live.

        Raises:
            NoWayBack, ValueError: nothing was changed.
            CannotEdit: all was done but the pin.
        """
        told = [self._histories[m.host.name] for m in self._machines]
        entries = {m.host.name for m in self._machines if m.host.entry}
        before = {h.host: h.live for h in told}
        now = standing.of(before, entries)
        pinned = self._settings.rollout.pin
        to = history.named(told, wanted) if wanted else history.before(told, now, pinned)
        kept = dict(history.kept_by(told, to))
        plan = planned(self._stack, self._settings, self._hosts, kept, to, now)
        members = Members.of(plan, self._machines)
        with self._log:
            if now is not None and now.release == to:
                self._console.say(f"{self._stack}: release {to} is live already")
            else:
                self._swap(plan, members, before, next(iter(kept.values())).entry)
            self._pin(to)
            rollback.finish(members, plan.drain_timeout_s, self._console)

    def _swap(
        self, plan: Plan, members: Members, before: dict[str, Live | None], entry: Any
    ) -> None:
        right = Right(self._console, self._held)
        way = Rollback(plan, members, before, entry, self._console, right)
        was = way.live.release if way.live else None
        done = way.run()
        left = {host.name for host in self._hosts} - set(done.moved)
        self._log.note(
            audit.ROLLBACK, release=plan.release, was=was, hosts=done.moved, without=sorted(left)
        )
        self._console.say(told(plan, was, done, sorted(left)))

    def _pin(self, to: str) -> None:
        pin.write(self._stack, to)
        self._log.note(audit.PIN, release=to)
        path, commit = pin.shown_path(self._stack), pin.commit(self._stack, f"Pin {to}")
        self._console.say(
            f"{path}: {pin.line(to)} stays until `make unpin STACK={self._stack}`. "
            f"Commit it: {commit}"
        )


def told(plan: Plan, was: str | None, done: Outcome, left: Sequence[str]) -> str:
    """What a person wants to know first."""
    line = (
        f"{plan.stack}: release {plan.release} has all the traffic on {', '.join(done.moved)} "
        f"({done.swapped_s:.1f} s); {was or 'nothing'} was live before"
    )
    return f"{line}. Not there: {', '.join(left)}" if left else line


def planned(
    stack: str,
    settings: Stack,
    hosts: Sequence[Host],
    kept: dict[str, Kept],
    to: str,
    now: Live | None,
) -> Plan:
    """The way back as a plan: the settings that were stored with the release.

    Replicas are as many as run now: the edges know no more.
    """
    accelerators = {host.name: host.accelerator for host in hosts}
    images = {accelerators[name]: each.stored.image for name, each in kept.items() if each.stored}
    stored = next(each.stored for each in kept.values() if each.stored)
    args = release.ReleaseArgs(
        stack=stack,
        config=settings,
        hosts=[(host, "") for host in hosts],
        out=[],
        release=to,
        images=images,
        bento=stored.bento,
        models=stored.models,
        env=stored.env,
        tokens_key=None,
        memory_mib=stored.memory_mib,
    )
    missing = {accelerators[h.name]: "" for h in hosts if h.accelerator not in images}
    plan = Plan.from_inputs(release.inputs(args))
    count = now.replicas if now else plan.replicas
    return dataclasses.replace(plan, replicas=count, images={**missing, **plan.images})


if __name__ == "__main__":
    sys.exit(main())
