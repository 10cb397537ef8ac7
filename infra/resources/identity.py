"""Declares by what a host and the stack's other hosts know each other."""

from collections.abc import Mapping

import pulumi

from infra.host import Host


class Identity(pulumi.CustomResource):
    """The host's own key and certificate for the traffic between hosts; the key stays there."""

    certificates: pulumi.Output[str]
    """What the other hosts have to let in (PEM)."""

    def __init__(
        self,
        name: str,
        host: Host,
        machine_id: pulumi.Input[str],
        image: pulumi.Input[str],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        inputs = {
            "host": host.to_inputs(),
            "machine_id": machine_id,
            "image": image,
            "certificates": None,
        }
        super().__init__("bentofleet:host:Identity", name, inputs, opts)


class Trust(pulumi.CustomResource):
    """The certificates of the hosts that one host lets in."""

    def __init__(
        self,
        name: str,
        host: Host,
        machine_id: pulumi.Input[str],
        peers: Mapping[str, pulumi.Input[str]],
        opts: pulumi.ResourceOptions | None = None,
    ) -> None:
        """Args: `peers` has each host's certificates by its name."""
        inputs = {
            "host": host.to_inputs(),
            "machine_id": machine_id,
            "peers": [{"name": n, "certificates": given} for n, given in peers.items()],
        }
        super().__init__("bentofleet:host:Trust", name, inputs, opts)
