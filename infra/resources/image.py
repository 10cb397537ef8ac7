"""Declares an image that a host has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class ImageArgs:
    """Which image, where.

    Attributes:
        source: the build's tag.
        tag: the stack's own tag on the host.
        image_id: what the build made, without `sha256:`.
        registry: `repository`, `user` and `password` where images go through one.
    """

    host: Host
    machine_id: pulumi.Input[str]
    source: str
    tag: str
    image_id: str
    registry: Mapping[str, pulumi.Input[str]] | None = None


class Image(pulumi.CustomResource):
    """One image on one host, under the stack's tag."""

    tag: pulumi.Output[str]
    found_id: pulumi.Output[str]
    """What the host's engine calls the image."""

    def __init__(
        self, name: str, args: ImageArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        inputs: dict[str, Any] = {
            "host": args.host.to_inputs(),
            "machine_id": args.machine_id,
            "source": args.source,
            "tag": args.tag,
            "image_id": args.image_id,
            "found_id": None,
        }
        if args.registry is not None:
            inputs["registry"] = dict(args.registry)
        super().__init__("bentofleet:host:Image", name, inputs, opts)
