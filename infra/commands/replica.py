"""A replica of the service: the container it runs in, and its environment."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from infra.commands.containers import (
    NUMBER_LABEL,
    RELEASE_LABEL,
    ROLE_LABEL,
    SLOT_LABEL,
    STACK_LABEL,
    Container,
)
from infra.host import Host, Paths
from service import contract

KEYS_FOLDER = str(PurePosixPath(contract.JWKS_PATH).parent)
ROLE = "replica"


def prefix(stack: str) -> str:
    """What the names of a stack's replicas begin with; the release follows."""
    return f"bentofleet-{stack}"


def name(stack: str, release: str, number: int) -> str:
    """A replica's container name."""
    return f"{prefix(stack)}-{release}-{number}"


def container(
    host: Host,
    paths: Paths,
    *,
    release: str,
    slot: str,
    number: int,
    image: str,
    env: Mapping[str, str],
    memory_mib: int,
) -> Container:
    """Replica `number` (from 1) of a release in a slot: reached only through loopback ports."""
    return Container(
        name=name(host.stack, release, number),
        image=image,
        labels={
            STACK_LABEL: host.stack,
            ROLE_LABEL: ROLE,
            RELEASE_LABEL: release,
            SLOT_LABEL: slot,
            NUMBER_LABEL: str(number),
        },
        memory_mib=memory_mib,
        env=env,
        ports={
            host.ports.replica(slot, number): contract.PORT,
            host.ports.metrics(slot, number): contract.METRICS_PORT,
        },
        mounts={str(paths.keys): KEYS_FOLDER},
        tmpfs={"/tmp": 64},  # noqa: S108 - a mount point inside the container
    )
