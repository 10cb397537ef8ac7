"""A replica of the service: the container it runs in, and its environment."""

from collections.abc import Mapping
from pathlib import PurePosixPath

from infra.commands import gpu
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
    access: gpu.Access = gpu.NONE,
) -> Container:
    """Replica `number` (from 1) of a release in a slot: reached only through loopback ports.

    Its environment also names the host's accelerator: the service refuses to do without it.
    """
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
        env={**env, **_declared(host)},
        ports={
            host.ports.replica(slot, number): contract.PORT,
            host.ports.metrics(slot, number): contract.METRICS_PORT,
        },
        mounts={str(paths.keys): KEYS_FOLDER},
        tmpfs={"/tmp": 64},  # noqa: S108 - a mount point inside the container
        devices=access.of_replica(number),
        groups=access.groups,
    )


def _declared(host: Host) -> dict[str, str]:
    if host.accelerator == contract.CPU:
        return {}
    software = {contract.ENV_SOFTWARE_DEVICE: "on"} if host.software_device else {}
    return {contract.ENV_ACCELERATOR: host.accelerator, **software}
