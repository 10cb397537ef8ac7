"""Runs commands on a host. Knows how, not what: command lines come from `infra.commands`."""

from infra.connection.base import (
    COMMAND_TIMEOUT_S,
    MACHINE_ID,
    Connection,
    Done,
    HostError,
    Unreachable,
)
from infra.connection.local import Local
from infra.connection.ssh import Ssh
from infra.host import Host

__all__ = [
    "COMMAND_TIMEOUT_S",
    "MACHINE_ID",
    "Connection",
    "Done",
    "HostError",
    "Local",
    "Ssh",
    "Unreachable",
    "connect",
]


def connect(host: Host) -> Connection:
    """A connection to a host, opened; over SSH one for all that this process does there.

    Raises:
        HostError: `connection: local`, but this is not the machine that was prepared; or the host
            does not let us in.
        Unreachable: it does not answer.
    """
    if host.connection != "local":
        return Ssh(host).opened()
    local = Local(host)
    if host.machine_id and local.machine_id() != host.machine_id:
        msg = (
            f"{host.name}: `connection: local` means the machine that was prepared "
            f"(got another one, id {local.machine_id()[:8]}…). Run pulumi there."
        )
        raise HostError(msg)
    return local
