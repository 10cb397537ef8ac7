"""A running edge made to take in what lies in its files, and asked what it took in."""

from collections.abc import Callable

from infra.commands import certificate, containers, edge, haproxy
from infra.connection import HostError
from infra.provider.console import Console
from infra.provider.machine import Machine, wait_until
from infra.provider.resource import Refused

START_TIMEOUT_S = 30.0


def reload(machine: Machine, put_back: Callable[[], None], console: Console) -> None:
    """Lets new workers take over; where they cannot, the old ones stay, and so does what they read.

    Args:
        put_back: writes the files as they were: what a restart would come back with.

    Raises:
        HostError: HAProxy refuses the configuration.
        Refused: its workers did not start.
    """
    try:
        machine.run([machine.engine, "exec", machine.edge_name, *haproxy.check()])
    except HostError:
        put_back()
        raise
    old = _workers(machine)
    machine.run(containers.kill(machine.engine, machine.edge_name, "USR2"))
    is_new = wait_until(lambda: bool(_workers(machine) - old), START_TIMEOUT_S, console.stopped)
    if not is_new:
        said = machine.last_words(machine.edge_name) or "empty"
        put_back()
        msg = (
            f"{machine.host.name}: the edge did not take its new configuration "
            f"(its log ends: {said}). The old one serves; see `make logs`."
        )
        raise Refused(msg)


def has_taken(machine: Machine, config: str) -> bool:
    """Whether the running edge goes by that configuration: the file may be newer after a kill."""
    running = haproxy.parse_mark(_told(machine, haproxy.show_mark()))
    return running == haproxy.mark_of(config)


def key_pair(machine: Machine) -> set[str]:
    """Fingerprint of the certificate between hosts that the running edge shows; none: it has none.

    It may be another than the file's: HAProxy reads that when it starts, and at a reload.
    """
    told = _told(machine, certificate.show_key_pair(edge.INNER_CERTIFICATE))
    return certificate.parse_loaded(told)


def trusted(machine: Machine) -> set[str]:
    """Fingerprints of the other hosts' certificates that the running edge lets in."""
    return certificate.parse_loaded(_told(machine, certificate.show_trusted(edge.PEERS)))


def _told(machine: Machine, command: str) -> str:
    """What the running edge answers; nothing where there is none."""
    argv = [machine.engine, "exec", "--interactive", machine.edge_name, *edge.CONTROL]
    done = machine.connection.run(argv, command)
    return done.out if done.status == 0 else ""


def _workers(machine: Machine) -> set[int]:
    """Process ids of HAProxy's workers; none while its master starts itself anew."""
    argv = [machine.engine, "exec", "--interactive", machine.edge_name, *edge.WORKERS]
    done = machine.connection.run(argv, edge.show_workers())
    return edge.parse_workers(done.out) if done.status == 0 else set()
