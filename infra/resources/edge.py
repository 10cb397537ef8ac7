"""Declares the proxy of a host."""

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi

from infra import config_edge
from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class EdgeArgs:
    """What the edge listens on and what stands behind it.

    Attributes:
        jwks: the public keys that tokens are checked with, as JSON; empty: none.
        peers: the stack's other hosts that take part.
        identity: by what they know this host, PEM; empty where there are none.
        certificate: of one's own, with its chain, PEM; empty: none, or the host makes it.
        certificate_key: its private key, PEM, a secret.
    """

    host: Host
    machine_id: pulumi.Input[str]
    image: pulumi.Input[str]
    image_id: str
    edge: config_edge.Edge
    replicas: int
    jwks: pulumi.Input[str]
    peers: Sequence[Host] = ()
    identity: pulumi.Input[str] = ""
    certificate: str = ""
    certificate_key: pulumi.Input[str] | None = None


class Edge(pulumi.CustomResource):
    """HAProxy on one host, and the key set of the replicas behind it."""

    served_certificate: pulumi.Output[str]

    def __init__(
        self, name: str, args: EdgeArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        floating = args.edge.floating
        inputs = {
            "host": args.host.to_inputs(),
            "machine_id": args.machine_id,
            "image": args.image,
            "image_id": args.image_id,
            "address": args.edge.address,
            "port": args.edge.port,
            "replicas": args.replicas,
            "jwks": args.jwks,
            "tls": args.edge.tls.model_dump(exclude={"certificate_file", "key_file"}),
            "limits": args.edge.limits.model_dump(),
            "rate_limit": args.edge.rate_limit.model_dump(),
            "entry": args.host.entry,
            "peers": [
                {"name": p.name, "address": p.reached_inside, "entry": p.entry} for p in args.peers
            ],
            "inner_ports_from": args.edge.inner_ports_from,
            "identity": args.identity,
            "floating": floating.ip if floating and args.host.entry else None,
            # users come to entries alone
            "certificate": args.certificate if args.host.entry else "",
            "certificate_key": args.certificate_key if args.host.entry else None,
            "served_certificate": None,
        }
        super().__init__("bentofleet:host:Edge", name, inputs, opts)
