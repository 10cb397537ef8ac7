"""Machines of one's own: the stack's file names them, nothing is provisioned."""

from infra import config_hosts
from infra.config import LocalStack
from infra.config_hosts import HostEntry
from infra.host import Host, Jump


def hosts(stack: str, config: LocalStack) -> list[Host]:
    """The hosts of a local stack that take part, in the order of the file."""
    return [host for host in all_hosts(stack, config) if not host.out]


def all_hosts(stack: str, config: LocalStack) -> list[Host]:
    """Every host of a local stack, those that are out too, in the order of the file.

    From here on `entry` is what holds, and not only what the file says.
    """
    entries = {entry.name for entry in config_hosts.entries(config.hosts)}
    return [_host(stack, config, given, given.name in entries) for given in config.hosts]


def _host(stack: str, config: LocalStack, entry: HostEntry, is_entry: bool) -> Host:
    given = entry.model_dump(exclude={"jump", "user", "entry"})
    jump = Jump(**entry.jump.model_dump()) if entry.jump else None
    return Host(
        **given,
        entry=is_entry or (entry.entry and entry.out),
        user=entry.user or "",
        jump=jump,
        stack=stack,
        ports_from=config.edge.ports_from,
    )
