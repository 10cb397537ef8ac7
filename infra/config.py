"""What a stack's file may say: every key, bound and default, once. Knows no secret value."""

import copy
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal

from pydantic import Field, ValidationError

from bentos.catalog import MODELS
from infra import config_analysis, config_edge, config_hosts, config_images, config_rollout, faults
from infra.config_analysis import Analysis
from infra.config_edge import OWN, PORTS, Edge
from infra.config_hosts import HostEntry
from infra.config_images import Images
from infra.config_rollout import Rollout
from infra.section import Section
from loadtests import slo as slos
from service import contract

KEY = "bentofleet:stack"
GATE_MAX_S = 3600
"""Longest phase of a load test (`loadtests.profiles`)."""

GATE_TIMEOUT_MS = 10_000
"""A request of the load test without an answer by then has failed (`loadtests.profiles`)."""

MAX_REPLICAS = 16
"""Replicas that one host can carry: the width of a slot's port range (`infra.host.Ports`)."""


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
    docs: bool = Field(default=True, description="serve /docs, /ui and /openapi.json")


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


class Slo(Section):
    """What the service promises, and so what the gate demands."""

    latency_p95_ms: float = Field(
        default=200, gt=0, le=GATE_TIMEOUT_MS, description="95th percentile, in ms"
    )
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
    images: Images = Field(default_factory=Images)
    edge: Edge = Field(default_factory=Edge)
    gate: Gate = Field(default_factory=Gate)
    rollout: Rollout = Field(default_factory=Rollout)
    analysis: Analysis = Field(default_factory=Analysis)
    slo: Slo = Field(default_factory=Slo)


Stack = LocalStack


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
        msg = f"{KEY}: is no mapping (got {faults.shown(raw)}). See {faults.PAGE}."
        raise ConfigError([msg])
    try:
        stack = LocalStack.model_validate(raw)
    except ValidationError as error:
        places = [e["loc"] for e in error.errors()]
        schema = LocalStack.model_json_schema()
        lines = [faults.line(KEY, e, schema) for e in error.errors()]
        raise ConfigError([*lines, *_contradictions_beside(raw, places)]) from error
    if lines := list(_contradictions(stack, [])):
        raise ConfigError(lines)
    return stack


Place = tuple[int | str, ...]


def _contradictions_beside(raw: Mapping[str, object], places: list[Place]) -> list[str]:
    """Contradictions among what is right by itself: without each place that is not."""
    rest: Any = copy.deepcopy(dict(raw))
    cuts = {_entry(place) for place in places}
    # from behind, so that a list's other entries keep their numbers
    for cut in sorted(cuts, key=lambda c: [str(part).zfill(9) for part in c], reverse=True):
        _drop(rest, cut)
    try:
        stack = LocalStack.model_validate(rest)
    except ValidationError:
        return []
    return list(_contradictions(stack, places))


def _entry(place: Place) -> Place:
    """The place itself, or the entry of the first list that it lies in."""
    numbers = [index for index, part in enumerate(place) if isinstance(part, int)]
    return place[: numbers[0] + 1] if numbers else place


def _drop(rest: Any, place: Place) -> None:
    *above, last = place
    for part in above:
        rest = rest[part]
    if isinstance(last, int) or last in rest:  # what is missing is not there to be dropped
        del rest[last]


def _contradictions(stack: LocalStack, wrong: list[Place]) -> Iterator[str]:
    """One line for each thing that no single value is to blame for.

    Args:
        stack: holds defaults in the `wrong` places.
        wrong: what lies at or below these places is not compared.
    """
    for names, check in _CHECKS:
        involved = [tuple(name.split(".")) for name in names]
        if not any(at == place[: len(at)] for place in involved for at in wrong):
            yield from (f"{KEY}.{line}" for line in check(stack))


def _hosts_are_told_apart(stack: LocalStack) -> Iterator[str]:
    for key in ("name", "address"):
        counted = Counter(getattr(host, key) for host in stack.hosts)
        twice = [value for value, count in counted.items() if count > 1]
        if twice:
            yield f"hosts: two hosts have one {key} (got {twice[0]}). Give each its own."
            return
    if sum(host.connection == "local" for host in stack.hosts) > 1:
        yield "hosts: more than one host is this machine. Keep one with `connection: local`."


def _models_are_known_and_named_once(stack: LocalStack) -> Iterator[str]:
    for name, count in Counter(stack.service.models).items():
        if name not in MODELS:
            known = ", ".join(MODELS)
            yield f"service.models: no such model (got {name!r}). Use one of: {known}."
        elif count > 1:
            yield f"service.models: a model is named twice (got {name}). Name each once."


def _ports_do_not_collide(stack: LocalStack) -> Iterator[str]:
    first, inner = stack.edge.ports_from, stack.edge.inner_ports
    for key, port in (*stack.edge.listens_on.items(), *inner.items()):
        if first <= port < first + PORTS:
            yield (
                f"{key}: lies in the range of edge.ports_from (got {port}). "
                f"Choose one outside {first}-{first + PORTS - 1}."
            )
    if len(set(stack.edge.listens_on.values())) < len(stack.edge.listens_on):
        yield (
            f"edge.tls.http_port: is edge.port too (got {stack.edge.port}). Give one of them "
            "another, for instance `edge.port: 8443`, or write `edge.tls.redirect: false`."
        )
    for key, port in stack.edge.listens_on.items():
        if port in inner.values():
            yield (
                f"{key}: is one of the ports between hosts too (got {port}). "
                "Give another, or another `edge.inner_ports_from`."
            )


def _certificate_is_named_once(stack: LocalStack) -> Iterator[str]:
    tls = stack.edge.tls
    files = {"certificate_file": tls.certificate_file, "key_file": tls.key_file}
    given = [key for key, path in files.items() if path]
    if given and tls.certificate != OWN:
        yield (
            f"edge.tls.{given[0]}: is not used (certificate is {tls.certificate}). "
            f"Write `edge.tls.certificate: {OWN}`, or remove it."
        )
    elif len(given) == 1:
        (missing,) = files.keys() - set(given)
        yield f"edge.tls.{missing}: is missing beside {given[0]}. Name both files, or none."


def _tokens_that_are_limited_are_asked_for(stack: LocalStack) -> Iterator[str]:
    if stack.edge.rate_limit.requests and stack.service.auth == "off":
        yield (
            "edge.rate_limit.requests: limits tokens, and service.auth is off "
            f"(got {stack.edge.rate_limit.requests}). Write 0, or `service.auth: jwt`."
        )


def _drain_outlasts_a_request(stack: LocalStack) -> Iterator[str]:
    deadlines_ms = [MODELS[m].deadline_ms for m in stack.service.models if m in MODELS]
    least = math.ceil(contract.BODY_TIMEOUT_S + max(deadlines_ms, default=0) / 1000)
    if stack.rollout.drain_timeout_s < least:
        yield (
            "rollout.drain_timeout_s: is shorter than a request may take "
            f"(got {stack.rollout.drain_timeout_s}). Give at least {least}."
        )


def _gate_can_reach_a_verdict(stack: LocalStack) -> Iterator[str]:
    given = slos.Slo(**stack.slo.model_dump())
    needed = max(slos.needed_requests(given), len(stack.service.models) * slos.needed_answers())
    sent = slos.RATE_OVER_MIN_RPS * given.min_rps * GATE_MAX_S
    if sent < needed:
        yield (
            f"slo.min_rps: is too small for a verdict (got {given.min_rps:g}): the gate would send "
            f"{sent:.0f} requests in its longest phase, and success_ratio {given.success_ratio:g} "
            f"needs {needed}. Raise it, or ask for a smaller success_ratio."
        )


_CHECKS: tuple[tuple[tuple[str, ...], Callable[[LocalStack], Iterator[str]]], ...] = (
    (("hosts",), _hosts_are_told_apart),
    (("hosts",), lambda stack: config_hosts.contradictions(stack.hosts)),
    (("hosts", "edge.floating"), lambda s: config_edge.contradictions(s.edge, s.hosts)),
    (("rollout",), lambda stack: config_rollout.contradictions(stack.rollout)),
    (("analysis",), lambda stack: config_analysis.contradictions(stack.analysis)),
    (("service.models",), _models_are_known_and_named_once),
    (("images",), lambda stack: config_images.contradictions(stack.images)),
    (("edge.port", "edge.ports_from", "edge.inner_ports_from", "edge.tls"), _ports_do_not_collide),
    (("edge.tls",), _certificate_is_named_once),
    (("edge.rate_limit", "service.auth"), _tokens_that_are_limited_are_asked_for),
    (("rollout.drain_timeout_s", "service.models"), _drain_outlasts_a_request),
    (("slo.min_rps", "slo.success_ratio", "service.models"), _gate_can_reach_a_verdict),
)
