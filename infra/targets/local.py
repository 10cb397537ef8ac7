"""Machines of one's own: the stack's file names them, nothing is provisioned."""

from infra.config import LocalStack
from infra.host import Host


def hosts(stack: str, config: LocalStack) -> list[Host]:
    """The hosts of a local stack, in the order of the file."""
    return [
        Host(
            name=entry.name,
            address=entry.address,
            connection=entry.connection,
            accelerator=entry.accelerator,
            stack=stack,
            ports_from=config.edge.ports_from,
        )
        for entry in config.hosts
    ]
