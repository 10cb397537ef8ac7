"""What a stack asks of one of its hosts: what the checks hold against the facts."""

from collections.abc import Mapping
from dataclasses import dataclass

EDGE_MIB = 256
"""Memory that the edge and the engine need beside the replicas."""


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A host's share of its stack.

    Attributes:
        folder: where the stack's things lie there.
        is_root: commands act as root there.
        replicas: containers of a release; while a candidate is tried, twice as many run.
        registry: where its images come from; empty: from the machine that runs Pulumi.
        engine: `docker`, `podman` or `auto`.
        listens_at: address that the edge listens at; `listens_on`: its ports by their key in the
            stack's file.
        ports_from: first of the loopback ports.
        ports: how many of them.
    """

    name: str
    stack: str
    accelerator: str
    software_device: bool
    folder: str
    is_root: bool
    user: str
    replicas: int
    memory_mib: int
    registry: str
    engine: str
    listens_at: str
    listens_on: Mapping[str, int]
    ports_from: int
    ports: int

    @property
    def needs_card(self) -> bool:
        """Whether a graphics card has to do the work."""
        return self.accelerator == "vulkan" and not self.software_device

    @property
    def release_mib(self) -> int:
        """Memory that one release may take."""
        return self.replicas * self.memory_mib
