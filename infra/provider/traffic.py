"""Moves the traffic of a host between releases, on disk and in the running edge."""

from infra.commands import edge
from infra.connection import HostError
from infra.provider import live
from infra.provider.live import Live
from infra.provider.machine import Machine


def set_live(machine: Machine, now: Live) -> None:
    """Gives a release all the traffic of a host, on disk and in the running edge.

    Raises:
        HostError: the edge does not say that it did.
    """
    live.write(machine, now)
    machine.edge_command(edge.set_live(now.slot))
    found = machine.edge_live()
    if found != now.slot:
        msg = f"{machine.host.name}: the edge did not take the new weights (live is {found})."
        raise HostError(msg)


def is_at(machine: Machine, now: Live) -> bool:
    """Whether record and running edge both give `now` the traffic."""
    return live.read(machine) == now and machine.edge_live() == now.slot


def restore(machine: Machine, was: Live | None) -> bool:
    """Gives the traffic back to what was live before; whether it had been taken away."""
    if was is None:
        had_users = machine.edge_live() is not None
        live.write(machine, None)
        machine.edge_command(edge.set_live(None))
        return had_users
    if is_at(machine, was):
        return False
    set_live(machine, was)
    return True
