"""Declares an image that a host has."""

from dataclasses import dataclass

import pulumi

from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """Which image, where.

    Attributes:
        source: the build's tag.
        tag: the stack's own tag on the host.
        image_id: what the build made, without `sha256:`.
    """

    host: Host
    machine_id: pulumi.Input[str]
    source: str
    tag: str
    image_id: str


class Image(pulumi.CustomResource):
    """One image on one host, under the stack's tag."""

    tag: pulumi.Output[str]

    def __init__(
        self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs = {
            "host": args.host.to_inputs(),
            "machine_id": args.machine_id,
            "source": args.source,
            "tag": args.tag,
            "image_id": args.image_id,
        }
        super().__init__("bentofleet:host:Image", name, inputs, opts)
