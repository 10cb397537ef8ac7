"""What a stack's file may say: every key, bound and default, once. Knows no secret value."""

from collections import Counter
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import ErrorDetails

from bentos.catalog import MODELS

KEY = "bentofleet:stack"
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,29}$")]

MAX_REPLICAS = 16
"""Replicas that one host can carry: the width of a slot's port range (`infra.host.Ports`)."""


class Section(BaseModel):
    """A part of the stack's file: unknown keys are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class HostEntry(Section):
    """One machine of the stack."""

    name: Name = Field(description="short name, used in resource names, messages and reports")
    address: str = Field(
        min_length=1, max_length=253, description="IP address or DNS name that clients reach it by"
    )
    connection: Literal["local"] = Field(
        description="`local`: this machine, without SSH; another machine is refused"
    )
    accelerator: Literal["cpu"] = Field(
        default="cpu", description="what does the work on this host"
    )


class Service(Section):
    """The service process and how many of it."""

    models: list[str] = Field(
        default_factory=lambda: list(MODELS),
        min_length=1,
        description="models that are served, by their names in the catalog",
    )
    replicas: int = Field(
        default=2, ge=1, le=MAX_REPLICAS, description="containers per host, one worker each"
    )
    threads: int = Field(
        default=1, ge=1, le=64, description="ONNX Runtime threads per model and replica"
    )
    memory_mib: int = Field(
        default=1024, ge=512, le=262144, description="memory limit of one replica, in MiB"
    )
    auth: Literal["jwt", "off"] = Field(
        default="jwt", description="`off` opens /v1 to anyone who reaches the edge"
    )
    docs: bool = Field(default=True, description="serve /docs and /openapi.json")


class Edge(Section):
    """The proxy in front of the replicas."""

    address: str = Field(default="0.0.0.0", description="address the edge listens on")  # noqa: S104 - an entry takes users' traffic from anywhere; the demo binds loopback
    port: int = Field(
        default=8080,
        ge=1024,
        le=65535,
        description="port the edge listens on (it runs unprivileged)",
    )
    ports_from: int = Field(
        default=21000,
        ge=1024,
        le=65435,
        description="first of the 100 loopback ports used for replicas, metrics and candidates",
    )


class Gate(Section):
    """The load test that a candidate must pass."""

    profile: Literal["release", "short"] = Field(
        default="release", description="how long each phase of the gate lasts"
    )
    runner: Literal["here"] = Field(default="here", description="`here`: where `pulumi up` runs")
    saturation: bool = Field(
        default=False,
        description="run the saturation step also where the host serves live traffic",
    )


class Rollout(Section):
    """How a candidate becomes live."""

    keep: int = Field(default=3, ge=1, le=50, description="releases whose images are kept")
    parallel: int = Field(
        default=10, ge=1, le=100, description="hosts worked on at a time, after the first"
    )
    ready_timeout_s: int = Field(
        default=120, ge=5, le=3600, description="time in which a replica must become ready"
    )
    drain_timeout_s: int = Field(
        default=60, ge=1, le=3600, description="time the old release has to finish its requests"
    )


class Slo(Section):
    """What the service promises, and so what the gate demands."""

    latency_p95_ms: float = Field(default=200, gt=0, le=60000, description="95th percentile, in ms")
    success_ratio: float = Field(
        default=0.995, gt=0, le=1, description="share of requests answered without a server error"
    )
    min_rps: float = Field(
        default=20, gt=0, le=100000, description="requests per second; the gate runs at 1.5 x this"
    )


class LocalStack(Section):
    """Machines of one's own."""

    kind: Literal["local"] = Field(description="kind of place")
    language: Literal["en", "es"] = Field(
        default="en", description="language of reports and alerts"
    )
    hosts: list[HostEntry] = Field(min_length=1, description="the machines of the stack")
    service: Service = Field(default_factory=Service)
    edge: Edge = Field(default_factory=Edge)
    gate: Gate = Field(default_factory=Gate)
    rollout: Rollout = Field(default_factory=Rollout)
    slo: Slo = Field(default_factory=Slo)

    @model_validator(mode="after")
    def _hosts_are_told_apart(self) -> "LocalStack":
        twice = [name for name, n in Counter(h.name for h in self.hosts).items() if n > 1]
        if twice:
            msg = f"hosts: two hosts have one name (got {twice[0]}). Give each its own"
            raise ValueError(msg)
        if sum(h.connection == "local" for h in self.hosts) > 1:
            msg = "hosts: more than one host is this machine. Keep one with `connection: local`"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _models_are_in_the_catalog(self) -> "LocalStack":
        for name in self.service.models:
            if name not in MODELS:
                known = ", ".join(MODELS)
                msg = f"service.models: no such model (got {name}). Use one of: {known}"
                raise ValueError(msg)
        if len(set(self.service.models)) < len(self.service.models):
            msg = "service.models: a model is named twice. Name each once"
            raise ValueError(msg)
        return self

    @model_validator(mode="after")
    def _ports_do_not_overlap(self) -> "LocalStack":
        first = self.edge.ports_from
        if first <= self.edge.port < first + 100:
            msg = (
                f"edge.port: lies in the range of edge.ports_from (got {self.edge.port}). "
                f"Choose one outside {first}-{first + 99}"
            )
            raise ValueError(msg)
        return self


Stack = LocalStack
_ADAPTER: TypeAdapter[LocalStack] = TypeAdapter(LocalStack)


class ConfigError(ValueError):
    """A stack's file is wrong: one line per fault."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines


def parse(raw: object) -> Stack:
    """The stack that `raw`, the value of `bentofleet:stack`, describes.

    Raises:
        ConfigError: with every fault, a line each: `bentofleet:stack.hosts.0.name: ... (got X).`
    """
    if not isinstance(raw, Mapping):
        msg = f"{KEY}: must be a mapping (got {type(raw).__name__}). See docs/configuration.md."
        raise ConfigError([msg])
    try:
        return _ADAPTER.validate_python(raw)
    except ValidationError as error:
        raise ConfigError([_line(e) for e in error.errors()]) from error


_WAYS_OUT = {
    "extra_forbidden": "no such key. Remove it, or look in docs/configuration.md for its name.",
    "missing": "is missing. Add it; docs/configuration.md says what it takes.",
}


def _line(error: ErrorDetails) -> str:
    where = ".".join([KEY, *(str(part) for part in error["loc"])])
    kind: str = error["type"]
    if kind in _WAYS_OUT:
        return f"{where}: {_WAYS_OUT[kind]}"
    if kind == "value_error":
        return f"{KEY}.{error['ctx']['error']}."
    return f"{where}: {_plain(error['msg'])} (got {_shown(error['input'])})."


def _plain(message: str) -> str:
    return message[0].lower() + message[1:].rstrip(".")


def _shown(value: Any) -> str:
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."
