"""A release that is ready on every host gets the users: hosts' weights, records, then entries."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime

from infra.commands import rates, weights
from infra.commands.rates import Rates
from infra.provider import floor, traffic
from infra.provider.floor import Measured
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.members import Members
from infra.provider.plan import Plan


def moment() -> str:
    """Now, as records hold it: of two on a stack, the later one counts."""
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def record(plan: Plan, machine: Machine, slot: str, since: str) -> Live:
    """What a host says is live once the plan's release is."""
    return Live(
        release=plan.release,
        slot=slot,
        replicas=plan.replicas,
        since=since,
        image=plan.image_of(machine.host),
    )


def swap(plan: Plan, members: Members, slot: str, since: str, go_on: Callable[[], None]) -> None:
    """Gives `slot`, where the release is ready on every host, all the users' traffic.

    First the records of the hosts behind the entries, side by side: until an entry has moved, all
    its requests go where they went. Then the entries, one after another: each has either moved,
    also for a restart, or not at all.

    Raises:
        HostError: a host did not take it; those before it have.
    """
    go_on()
    members.on_all(lambda m: traffic.set_live(m, record(plan, m, slot, since)), members.inner)
    for machine in members.entries:
        go_on()
        traffic.set_live(machine, record(plan, machine, slot, since))


def weigh(
    plan: Plan, members: Members, measured: Mapping[str, Measured] | None = None
) -> dict[str, int]:
    """Shares users' requests out among the hosts by what they can do; the weights.

    Args:
        measured: of hosts that have just been measured, by their names; else what is recorded.
    """
    given = dict(measured or {})
    if len(plan.hosts) == 1:
        return {}
    found = members.on_all(lambda m: _rates(m, given.get(m.host.name), plan))
    by_host = {
        m.host.name: {model: rate.per_s for model, rate in told.items()}
        for m, told in zip(members.machines, found, strict=True)
    }
    shares = weights.shares(by_host)
    members.on_all(lambda m: _set(m, shares), members.entries)
    return shares


def weigh_new(plan: Plan, members: Members) -> None:
    """The same on entries that have no weights yet: their users get every host that serves."""
    new = tuple(m for m in members.entries if not traffic.weights(m))
    if new:
        weigh(plan, Members(members.machines, new, members.parallel))


def _set(machine: Machine, shares: Mapping[str, int]) -> None:
    if not traffic.has_weights(machine, shares):
        traffic.set_weights(machine, shares)


def _rates(machine: Machine, measured: Measured | None, plan: Plan) -> Rates:
    """What counts for a host, of the models that are served."""
    before = floor.recorded(machine)
    found: Rates = before
    if measured is not None and measured.rates:
        found = rates.to_record(measured.rates, before, was_busy=measured.was_busy)
    return {model: rate for model, rate in found.items() if model in plan.models}
