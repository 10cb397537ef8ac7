"""Declares the release of a stack."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pulumi

from infra import config
from infra.host import Host


@dataclass(frozen=True, kw_only=True)
class ReleaseArgs:
    """One image with the settings that reach the service, on all hosts of the stack.

    Attributes:
        hosts: those that take part, each with the id of the machine that was prepared.
        out: names of those that do not, and are left as they are.
        release: the id (`infra.release.release_id`).
        images: accelerator -> the stack's own tag of its image.
        models: model name -> version.
        env: environment of the service process.
        memory_mib: limit of one replica.
        tokens_key: signs the gate's token; None where the service asks for no token.
    """

    stack: str
    config: config.Stack
    hosts: Sequence[tuple[Host, pulumi.Input[str]]]
    out: Sequence[str]
    release: str
    images: Mapping[str, str]
    bento: str
    models: Mapping[str, str]
    env: Mapping[str, str]
    memory_mib: int
    tokens_key: pulumi.Input[str] | None


def inputs(args: ReleaseArgs) -> dict[str, Any]:
    """What the provider reads as a plan."""
    stack = args.config
    return {
        "stack": args.stack,
        "target": stack.kind,
        "hosts": [{**h.to_inputs(), "machine_id": m} for h, m in args.hosts],
        "out": list(args.out),
        "release": args.release,
        "images": dict(args.images),
        "bento": args.bento,
        "models": dict(args.models),
        "env": dict(args.env),
        "replicas": stack.service.replicas,
        "memory_mib": args.memory_mib,
        "port": stack.edge.port,
        "gate": stack.gate.model_dump(),
        "rollout": stack.rollout.model_dump(),
        "analysis": stack.analysis.model_dump(),
        "slo": stack.slo.model_dump(),
        "language": stack.language,
        "tokens_key": args.tokens_key,
        "live_since": None,
        "verdict": None,
    }


class Release(pulumi.CustomResource):
    """What serves: walked in by ready, gate, canary and promote, or refused and live stays."""

    release: pulumi.Output[str]
    live_since: pulumi.Output[str]
    verdict: pulumi.Output[str]

    def __init__(
        self, name: str, args: ReleaseArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        super().__init__("bentofleet:stack:Release", name, inputs(args), opts)
