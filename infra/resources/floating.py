"""Declares the address that moves between a stack's entries."""

from collections.abc import Sequence

import pulumi

from infra.config_edge import Floating as Settings
from infra.host import Host


class Floating(pulumi.CustomResource):
    """keepalived on one entry: the address is there while that is the one to have it."""

    def __init__(
        self,
        name: str,
        host: Host,
        machine_id: pulumi.Input[str],
        image: pulumi.Input[str],
        settings: Settings,
        entries: Sequence[Host],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: `entries` has all that take part, the one that gets the address first at first."""
        inputs = {
            "host": host.to_inputs(),
            "machine_id": machine_id,
            "image": image,
            **settings.model_dump(),
            "entries": [{"name": e.name, "address": e.reached_inside} for e in entries],
        }
        super().__init__("bentofleet:host:Floating", name, inputs, opts)
