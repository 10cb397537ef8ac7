"""Machines of one's own: the stack's file names them, nothing is provisioned."""

from infra.config import LocalStack
from infra.config_hosts import HostEntry
from infra.host import Host, Jump


def hosts(stack: str, config: LocalStack) -> list[Host]:
    """The hosts of a local stack that take part, in the order of the file."""
    return [host for host in all_hosts(stack, config) if not host.out]


def all_hosts(stack: str, config: LocalStack) -> list[Host]:
    """Every host of a local stack, those that are out too, in the order of the file."""
    return [_host(stack, config, entry) for entry in config.hosts]


def _host(stack: str, config: LocalStack, entry: HostEntry) -> Host:
    given = entry.model_dump(exclude={"jump", "user"})
    jump = Jump(**entry.jump.model_dump()) if entry.jump else None
    return Host(
        **given, user=entry.user or "", jump=jump, stack=stack, ports_from=config.edge.ports_from
    )
