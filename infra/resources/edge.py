"""Declares the proxy of a host."""

from dataclasses import dataclass

import pulumi

from infra import config
from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """What the edge listens on and what stands behind it.

    Attributes:
        jwks: the public keys that tokens are checked with, as JSON; empty: none.
    """

    host: Host
    machine_id: pulumi.Input[str]
    image: pulumi.Input[str]
    image_id: str
    edge: config.Edge
    replicas: int
    jwks: pulumi.Input[str]


class Edge(pulumi.CustomResource):
    """HAProxy on one host, and the key set of the replicas behind it."""

    def __init__(
        self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "host": args.host.to_inputs(),
            "machine_id": args.machine_id,
            "image": args.image,
            "image_id": args.image_id,
            "address": args.edge.address,
            "port": args.edge.port,
            "replicas": args.replicas,
            "jwks": args.jwks,
        }
        super().__init__("bentofleet:host:Edge", name, inputs, opts)
