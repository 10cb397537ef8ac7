"""Declares a host that is made ready."""

from dataclasses import dataclass

import pulumi

from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class PrepareArgs:
    """The host to make ready."""

    host: Host


class Prepare(pulumi.CustomResource):
    """Folders, container engine and start unit of one host."""

    machine_id: pulumi.Output[str]
    engine: pulumi.Output[str]
    folder: pulumi.Output[str]

    def __init__(
        self, name: str, args: PrepareArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "host": args.host.to_inputs(),
            "machine_id": None,
            "engine": None,
            "folder": None,
        }
        super().__init__("bentofleet:host:Prepare", name, inputs, opts)
