"""Asks both sides of a canary the same, past the users, and compares what they answer."""

import json
import mimetypes
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bentos.catalog import MODELS
from bentos.spec import ModelSpec
from infra.images import inputs
from infra.provider.gate import ROOT
from infra.provider.machine import Machine
from infra.provider.plan import Plan
from loadtests import payloads
from loadtests.alike import is_alike, own_fields
from loadtests.analysis import Shift
from service import contract

SEED = 0
PAYLOADS, GOLDEN = 12, 12
"""Of the gate's requests, and of the golden set, so many of each model: a sample, not a load."""

SPARE_S = 5.0
"""Beyond a model's own deadline."""

BUSY = (0, 429, 503, 504)
"""Statuses that say nothing of the answer; asked once more."""

GOOD, MISSING = 200, 404


@dataclass(frozen=True)
class Told:
    """What a release answered; status 0: nothing."""

    status: int
    answer: dict[str, Any] = field(default_factory=dict)


Ask = Callable[[str, contract.ExampleRequest, float], Told]
"""Slot, request and time-out to what that slot answered."""


def compare(
    plan: Plan,
    machines: Sequence[Machine],
    slot: str,
    live_slot: str,
    token: str | None,
    go_on: Callable[[], None],
) -> tuple[Shift, ...]:
    """How the candidate answers what live answers too, for each model that both have.

    One host of each accelerator is asked: the others run the same image on the same kind of device.

    Args:
        token: with the scope `gate`.
        go_on: asked between models; raises where we must stop.
    """
    found: dict[str, Shift] = {}
    for machine in _one_of_each(machines):
        connection, ports = machine.connection, machine.host.ports
        led = {s: connection.local_port(ports.direct(s)) for s in (slot, live_slot)}

        def ask(
            to: str, request: contract.ExampleRequest, timeout_s: float, led: dict[str, int] = led
        ) -> Told:
            return post(f"http://127.0.0.1:{led[to]}", request, token, timeout_s)

        for name in sorted(set(plan.models) & set(MODELS)):
            go_on()
            here = of_model(MODELS[name], requests_of(plan, name), slot, live_slot, ask)
            if here is not None:
                found[name] = _joined(found[name], here) if name in found else here
    return tuple(found.values())


def _one_of_each(machines: Sequence[Machine]) -> list[Machine]:
    first: dict[str, Machine] = {}
    for machine in machines:
        first.setdefault(machine.host.accelerator, machine)
    return list(first.values())


def _joined(one: Shift, other: Shift) -> Shift:
    return replace(
        one,
        compared=one.compared + other.compared,
        differ=one.differ + other.differ,
        unanswered=one.unanswered + other.unanswered,
        is_same_version=one.is_same_version and other.is_same_version,
    )


def of_model(
    spec: ModelSpec,
    requests: Sequence[contract.ExampleRequest],
    slot: str,
    live_slot: str,
    ask: Ask,
) -> Shift | None:
    """How one model's answers differ; None where live has no such model."""
    timeout_s = spec.deadline_ms / 1000 + SPARE_S
    compared = differ = unanswered = 0
    versions: set[tuple[object, object]] = set()
    for request in requests:
        live, candidate = _pair(ask, request, slot, live_slot, timeout_s)
        if live.status == MISSING:
            return None
        if live.status != GOOD or candidate.status in BUSY:
            unanswered += 1
            continue
        compared += 1
        differ += not _is_same(live, candidate, spec.golden_tolerance)
        if candidate.status == GOOD:
            versions.add((live.answer.get("version"), candidate.answer.get("version")))
    return Shift(
        model=spec.name,
        compared=compared,
        differ=differ,
        unanswered=unanswered,
        is_same_version=all(one == other for one, other in versions),
    )


def _pair(
    ask: Ask, request: contract.ExampleRequest, slot: str, live_slot: str, timeout_s: float
) -> tuple[Told, Told]:
    """What live and candidate answer, asked at the same time; each once more if it was busy."""

    def tried(to: str) -> Told:
        told = ask(to, request, timeout_s)
        return ask(to, request, timeout_s) if told.status in BUSY else told

    with ThreadPoolExecutor(2) as pool:
        live, candidate = pool.map(tried, (live_slot, slot))
    return live, candidate


def _is_same(live: Told, candidate: Told, tolerance: float) -> bool:
    """Live's answer is a good one."""
    return candidate.status == GOOD and is_alike(
        own_fields(live.answer), own_fields(candidate.answer), tolerance
    )


def post(
    base_url: str, request: contract.ExampleRequest, token: str | None, timeout_s: float
) -> Told:
    """One request on a loopback port."""
    headers = {"Content-Type": request.content_type}
    if token is not None:
        headers["Authorization"] = f"Bearer {token}"
    asked = urllib.request.Request(base_url + request.path, request.body, headers)  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=timeout_s) as reply:  # noqa: S310 - loopback
            answer = json.loads(reply.read())
            return Told(reply.status, answer if isinstance(answer, dict) else {})
    except urllib.error.HTTPError as e:
        with e:
            return Told(e.code)
    except ValueError:
        return Told(GOOD)  # an answer that is no JSON differs from one that is
    except OSError:
        return Told(0)


def requests_of(plan: Plan, name: str) -> list[contract.ExampleRequest]:
    """Of the gate's requests and of the golden set; the latter only where the model store is."""
    spec, store = MODELS[name], inputs.model_store(ROOT)
    golden = list(golden_requests(spec, store / name / plan.models[name]))
    drawn = dict.fromkeys(payloads.draw(spec, SEED))
    return [*golden[:GOLDEN], *list(drawn)[:PAYLOADS]]


def golden_requests(spec: ModelSpec, folder: Path) -> Iterator[contract.ExampleRequest]:
    """What the golden answers of a published model answer; nothing where it cannot be read.

    Every replica has proved these against its own version's answers; here both are asked.
    """
    try:
        items = json.loads((folder / "golden.json").read_bytes())["items"]
        for item in items:
            given, path = item["input"], contract.predict_path(spec.name)
            if isinstance(given, str):
                body = (folder / given).read_bytes()
                kind = mimetypes.guess_type(given)[0] or contract.PHOTO_TYPES[0]
            else:
                body, kind = json.dumps(given).encode(), contract.JSON_TYPE
            yield contract.ExampleRequest(path=path, body=body, content_type=kind)
    except (OSError, ValueError, KeyError, TypeError):
        return
