"""Declares a host that is made ready."""

from collections.abc import Mapping
from typing import Any

import pulumi

from infra.config_edge import Edge
from infra.host import Host


def wanted_at(host: Host, edge: Edge, has_peers: bool) -> dict[str, Any]:
    """What a host must have for its edge, as inputs.

    `address` is what that listens on, `ports` has those that must be free by their keys in the
    stack's file, `card` the network card for a floating address where there is one.
    """
    ports = edge.ports_of(is_entry=host.entry, has_peers=has_peers)
    floating = {"card": edge.floating.interface} if edge.floating and host.entry else {}
    return {"address": edge.address, "ports": ports, **floating}


class Prepare(pulumi.CustomResource):
    """Container engine, clock, groups, folders and start unit of one host."""

    machine_id: pulumi.Output[str]
    engine: pulumi.Output[str]
    folder: pulumi.Output[str]

    def __init__(
        self,
        name: str,
        host: Host,
        wanted: Mapping[str, Any],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: `wanted` is what `wanted_at` gave."""
        inputs = {
            "host": host.to_inputs(),
            **wanted,
            "machine_id": None,
            "engine": None,
            "folder": None,
        }
        super().__init__("bentofleet:host:Prepare", name, inputs, opts)
