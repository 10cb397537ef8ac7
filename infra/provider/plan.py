"""What a Release asks for, read from its inputs once."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from infra.commands import gpu, replica
from infra.commands.containers import Container
from infra.config_analysis import Prometheus, Query
from infra.host import Host, Paths
from infra.provider.words import Language
from loadtests.analysis import Limits
from loadtests.slo import Slo


@dataclass(frozen=True, kw_only=True)
class CanaryStep:
    """A share of the users' requests that a candidate gets.

    Attributes:
        weight_percent: of all requests, above 0 and below 100.
        hold_s: how long it is compared with live at least.
    """

    weight_percent: float
    hold_s: float


@dataclass(frozen=True, kw_only=True)
class Plan:
    """One release on the hosts of one stack.

    Attributes:
        release: the id, a hash of the build's inputs and the settings that reach the service.
        images: the stack's own tag of each accelerator's image.
        models: model name -> version.
        env: environment of the service process.
        port: where the edge takes users' requests.
        floor: least share of a host's recorded rate that a candidate must reach; 0: any.
        canary: the shares between the gate and all the traffic, rising; empty: none.
        min_samples: requests that the candidate must have had in each of them.
        max_hold_s: longest time of each; too few requests by then: inconclusive.
        settle_s: after each change of the share, before anything is compared.
        analysis: what makes a candidate worse than live.
        prometheus: where `queries` are asked; None: nowhere.
        tokens_key: PEM of the key that signs the gate's token; None where authentication is off.
    """

    stack: str
    target: str
    release: str
    images: dict[str, str]
    bento: str
    models: dict[str, str]
    env: dict[str, str]
    hosts: tuple[Host, ...]
    replicas: int
    memory_mib: int
    port: int
    profile: str
    runner: str
    saturation: bool
    slo: Slo
    keep: int
    parallel: int
    ready_timeout_s: int
    drain_timeout_s: int
    language: Language
    tokens_key: str | None = field(repr=False)
    floor: float = 0.0
    canary: tuple[CanaryStep, ...] = ()
    min_samples: int = 0
    max_hold_s: float = 0.0
    settle_s: float = 0.0
    analysis: Limits = field(default_factory=Limits)
    prometheus: Prometheus | None = None
    queries: tuple[Query, ...] = ()

    @staticmethod
    def from_inputs(inputs: dict[str, Any]) -> "Plan":
        """The plan that `infra.resources.release` wrote as inputs."""
        rollout, gate, slo = inputs["rollout"], inputs["gate"], inputs["slo"]
        analysis = inputs.get("analysis") or {}
        return Plan(
            stack=str(inputs["stack"]),
            target=str(inputs["target"]),
            release=str(inputs["release"]),
            images={k: str(v) for k, v in _images(inputs).items()},
            bento=str(inputs["bento"]),
            models={k: str(v) for k, v in inputs["models"].items()},
            env={k: str(v) for k, v in inputs["env"].items()},
            hosts=tuple(Host.from_inputs(h) for h in inputs["hosts"]),
            replicas=int(inputs["replicas"]),
            memory_mib=int(inputs["memory_mib"]),
            port=int(inputs["port"]),
            profile=str(gate["profile"]),
            runner=str(gate["runner"]),
            saturation=bool(gate["saturation"]),
            slo=Slo(
                latency_p95_ms=float(slo["latency_p95_ms"]),
                success_ratio=float(slo["success_ratio"]),
                min_rps=float(slo["min_rps"]),
            ),
            keep=int(rollout["keep"]),
            parallel=int(rollout["parallel"]),
            ready_timeout_s=int(rollout["ready_timeout_s"]),
            drain_timeout_s=int(rollout["drain_timeout_s"]),
            language="es" if inputs["language"] == "es" else "en",
            tokens_key=inputs.get("tokens_key"),
            floor=float(rollout.get("floor") or 0),
            canary=_canary(rollout),
            min_samples=int(rollout.get("min_samples") or 0),
            max_hold_s=float(rollout.get("max_hold_s") or 0),
            settle_s=float(rollout.get("settle_s") or 0),
            analysis=_limits(analysis),
            prometheus=_prometheus(analysis),
            queries=tuple(Query(**_given(query)) for query in analysis.get("queries") or ()),
        )

    @property
    def entries(self) -> tuple[Host, ...]:
        """The hosts that take the users' traffic, in the order of the stack's file."""
        return tuple(host for host in self.hosts if host.entry) or self.hosts[:1]

    @property
    def accelerator(self) -> str:
        """What does the work in this stack, in words: each accelerator once."""
        return ", ".join(sorted({host.accelerator for host in self.hosts}))

    @property
    def image(self) -> str:
        """The tags of all images, in words."""
        return ", ".join(self.images[name] for name in sorted(self.images))

    def image_of(self, host: Host) -> str:
        """The tag of the image that a host runs."""
        return self.images[host.accelerator]

    def container(
        self, host: Host, paths: Paths, slot: str, number: int, access: gpu.Access = gpu.NONE
    ) -> Container:
        """Replica `number` of this release in `slot`.

        Args:
            access: to the host's cards (`provider.devices`).
        """
        return replica.container(
            host,
            paths,
            release=self.release,
            slot=slot,
            number=number,
            image=self.image_of(host),
            env=self.env,
            memory_mib=self.memory_mib,
            access=access,
        )


def _images(inputs: dict[str, Any]) -> dict[str, Any]:
    """A state from before a stack could have more than one image names that one."""
    given = inputs.get("images")
    return dict(given) if given else {str(inputs["accelerator"]): inputs["image"]}


def _canary(rollout: Mapping[str, Any]) -> tuple[CanaryStep, ...]:
    """The steps; none in a state from before there were any."""
    return tuple(
        CanaryStep(weight_percent=float(step["weight"]), hold_s=float(step["hold_s"]))
        for step in rollout.get("canary") or ()
    )


def _limits(analysis: Mapping[str, Any]) -> Limits:
    names = ("error_ratio_above_live", "p95_ratio", "answer_shift")
    return Limits(**{name: float(analysis[name]) for name in names if name in analysis})


def _prometheus(analysis: Mapping[str, Any]) -> Prometheus | None:
    given = analysis.get("prometheus")
    return Prometheus(**_given(given)) if given else None


def _given(values: Mapping[str, Any]) -> dict[str, Any]:
    """Without what was left out: a state holds that as null, or not at all."""
    return {key: value for key, value in values.items() if value is not None}
