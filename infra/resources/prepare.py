"""Declares a host that is made ready."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class PrepareArgs:
    """The host to make ready.

    Attributes:
        address: what its edge will listen on.
        ports: key in the stack's file -> port that has to be free there.
    """

    host: Host
    address: str
    ports: Mapping[str, int]


class Prepare(pulumi.CustomResource):
    """Container engine, clock, groups, folders and start unit of one host."""

    machine_id: pulumi.Output[str]
    engine: pulumi.Output[str]
    folder: pulumi.Output[str]

    def __init__(
        self, name: str, args: PrepareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "host": args.host.to_inputs(),
            "address": args.address,
            "ports": dict(args.ports),
            "machine_id": None,
            "engine": None,
            "folder": None,
        }
        super().__init__("bentofleet:host:Prepare", name, inputs, opts)
