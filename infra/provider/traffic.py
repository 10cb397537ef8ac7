"""Moves users' traffic between releases and hosts, on disk and in the running edge."""

from collections.abc import Mapping

from infra.commands import edge, haproxy
from infra.commands import weights as shares
from infra.connection import HostError
from infra.provider import live
from infra.provider.live import Live
from infra.provider.machine import Machine


def set_live(machine: Machine, now: Live) -> None:
    """Gives a release all the traffic of a host, on disk and in the running edge.

    The other slot keeps its release in the running edge: its requests are still in work, and
    whoever has drained it takes it away with `offer`.

    Raises:
        HostError: the edge does not say that it did.
    """
    live.write(machine, now)
    machine.edge_command(
        edge.together(
            edge.set_canary(0),
            edge.set_release(now.slot, now.release),
            edge.set_live(now.slot),
        )
    )
    found = machine.edge_map()
    if not _is_in(found, now):
        told = found.get(edge.LIVE)
        msg = f"{machine.host.name}: the edge did not take the new weights (live is {told})."
        raise HostError(msg)


def set_none(machine: Machine) -> None:
    """Takes the traffic of a host from every release, on disk and in the running edge."""
    live.write(machine, None)
    machine.edge_command(edge.together(edge.set_canary(0), edge.set_live(None)))


def offer(machine: Machine, slot: str, release: str | None) -> None:
    """Lets the running edge ask `slot` for that release and no other; None: not at all.

    Only in the running edge: a restart knows what is live, and no candidate. What is in work in a
    slot that is taken away so is cut: drain it before.

    Raises:
        HostError: the edge does not say that it did.
    """
    machine.edge_command(edge.set_release(slot, release))
    wanted, found = release or edge.NOBODY, machine.edge_map().get(edge.release_key(slot))
    if found != wanted:
        msg = f"{machine.host.name}: the edge did not take release {wanted} (slot {slot}: {found})."
        raise HostError(msg)


def set_canary(machine: Machine, share: float) -> None:
    """Gives the slot that is not live a share of users' requests, in the running edge alone.

    Args:
        share: 0 to 1, kept to a hundredth of a percent.

    Raises:
        HostError: the edge does not say that it did.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share: must be 0 to 1 (got {share}).")
    points = round(share * edge.BASIS_POINTS)
    machine.edge_command(edge.set_canary(points))
    if (found := machine.edge_map().get(edge.CANARY)) != str(points):
        msg = f"{machine.host.name}: the edge did not take the candidate's share (it has {found})."
        raise HostError(msg)


def canary(machine: Machine) -> float:
    """The share of users' requests that the slot which is not live gets now."""
    return _share(machine.edge_map())


def is_at(machine: Machine, now: Live) -> bool:
    """Whether record and running edge both give `now` all the traffic."""
    return live.read(machine) == now and _is_in(machine.edge_map(), now)


def restore(machine: Machine, was: Live | None) -> bool:
    """Gives all traffic back to what was live before; whether some had been taken away.

    A candidate stays offered, so that what it has in work is answered: `offer` takes it away.
    """
    if was is None:
        found = machine.edge_map()
        set_none(machine)
        return found.get(edge.LIVE, edge.NOBODY) != edge.NOBODY
    if is_at(machine, was):
        return False
    set_live(machine, was)
    return True


def weights(machine: Machine) -> dict[str, int]:
    """How much each host gets from this entry, by its file; empty where there is none."""
    return shares.from_json(machine.read(machine.paths.weights))


def set_weights(machine: Machine, given: Mapping[str, int]) -> None:
    """Gives each host its part of what comes to this entry: in both files, and at once.

    The file of the weights is first: whatever is killed between, `Edge` makes the configuration
    from it, and a second run sets what is left.

    Raises:
        HostError: the edge does not say that it did.
    """
    machine.write(machine.paths.weights, shares.to_json(given))
    before = machine.read(machine.paths.config) or ""
    text = haproxy.with_weights(before, machine.host.name, given)
    if text != before:
        machine.write(machine.paths.config, text)
    wanted = haproxy.weights_of(text)
    commands = [edge.set_weight(*server, weight) for server, weight in wanted.items()]
    if commands:
        machine.edge_command(edge.together(*commands))
    if missing := sorted(_other_weights(machine, wanted)):
        msg = f"{machine.host.name}: the edge did not take the weights of {', '.join(missing)}."
        raise HostError(msg)


def has_weights(machine: Machine, given: Mapping[str, int]) -> bool:
    """Whether both files and the running edge share users' requests out so."""
    text = machine.read(machine.paths.config) or ""
    return (
        weights(machine) == dict(given)
        and text == haproxy.with_weights(text, machine.host.name, given)
        and not _other_weights(machine, haproxy.weights_of(text))
    )


def _other_weights(machine: Machine, wanted: Mapping[tuple[str, str], int]) -> set[str]:
    """The servers of the users' backends that have another weight in the running edge."""
    found = {
        (s.slot, s.name if s.is_own else f"{edge.PEER_PREFIX}{s.name}"): s.weight
        for s in machine.edge_servers()
        if s.group == "users"
    }
    return {
        name.removeprefix(edge.PEER_PREFIX)
        for (slot, name), weight in wanted.items()
        if found.get((slot, name)) != weight
    }


def _is_in(found: Mapping[str, str], now: Live) -> bool:
    """Whether what a running edge goes by gives `now` everything."""
    return (
        found.get(edge.LIVE) == now.slot
        and found.get(edge.release_key(now.slot)) == now.release
        and _share(found) == 0
    )


def _share(found: Mapping[str, str]) -> float:
    points = found.get(edge.CANARY, "0")
    return int(points) / edge.BASIS_POINTS if points.isdigit() else 0.0
