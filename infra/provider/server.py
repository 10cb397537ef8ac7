"""The gRPC side of the provider: Pulumi's calls to and from `infra.provider.resource`."""

import asyncio
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue
from pulumi.provider.experimental.server import ProviderServicer
from pulumi.runtime.proto import provider_pb2_grpc

from infra.connection import HostError
from infra.host import Host
from infra.provider import muster, stored, values
from infra.provider.console import Console
from infra.provider.resource import (
    ANSWERS,
    ON_HOST,
    OUT,
    STATUS,
    Refused,
    Resource,
    host_name,
    is_out,
    remove,
)
from infra.provider.values import Properties

STORED = "bentofleet:stack:stored"
"""The function that tells what hosts keep of a release (`infra.resources.stored`)."""

MESSAGE_LIMIT = 64 * 1024 * 1024


class BentofleetProvider(sdk.Provider):
    """Create, read, diff, update, delete and cancel of our resources."""

    def __init__(self, engine_address: str, resources: dict[str, Resource]) -> None:
        self._engine = engine_address
        self._resources = resources
        self._stopped = threading.Event()
        self._warned: set[str] = set()
        self._names: dict[str, str] = {}
        """Of the machines that take part in this run, by their ids."""

    def _resource(self, type_token: str) -> Resource:
        return self._resources[type_token]

    def _console(self, urn: str) -> Console:
        return Console(self._engine, urn, self._stopped)

    async def configure(self, request: sdk.ConfigureRequest) -> sdk.ConfigureResponse:
        """Says what we can take: secrets stay secrets, previews are real."""
        return sdk.ConfigureResponse(
            accept_secrets=True, supports_preview=True, accept_outputs=False, accept_resources=False
        )

    async def diff_config(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """The stack's configuration reaches us with each run; no change of it replaces anything."""
        return sdk.DiffResponse(changes=False)

    async def check(self, request: sdk.CheckRequest) -> sdk.CheckResponse:
        """Refuses what cannot be right; adds what must be found on the host."""
        inputs = values.known(request.new_inputs)
        resource, plain = self._resource(request.type), values.plain(inputs)
        faults = resource.faults(plain)
        if not faults:
            inputs[ON_HOST] = values.to_value(resource.declared(plain))
        return sdk.CheckResponse(
            inputs=values.to_wire(inputs),
            failures=[sdk.CheckFailure(name, reason) for name, reason in faults.items()],
        )

    async def diff(self, request: sdk.DiffRequest) -> sdk.DiffResponse:
        """Never asks for a replacement: that would delete what serves."""
        old, new = request.old_state, values.known(request.new_inputs)
        changed = {key for key in new if not values.same(old.get(key), new[key])}
        details = {
            path: kind
            for key in changed
            for path, kind in _details(key, old.get(key), new[key]).items()
        }
        return sdk.DiffResponse(
            changes=bool(changed),
            diffs=sorted(changed),
            detailed_diff={
                p: sdk.PropertyDiff(kind, input_diff=True) for p, kind in details.items()
            },
        )

    async def create(self, request: sdk.CreateRequest) -> sdk.CreateResponse:
        """Makes a resource; in a preview touches no host."""
        inputs = values.known(request.properties)
        resource, plain = self._resource(request.type), values.plain(inputs)
        if request.preview:
            unknown = {key: PropertyValue.computed() for key in resource.outputs}
            return sdk.CreateResponse("", values.to_wire({**inputs, **unknown}))
        if is_out(plain):
            outputs: dict[str, Any] = {**dict.fromkeys(resource.outputs, ""), STATUS: OUT}
        else:
            outputs = await _in_thread(resource.create, plain, self._console(request.urn))
        return sdk.CreateResponse(request.name, _state(inputs, outputs))

    async def update(self, request: sdk.UpdateRequest) -> sdk.UpdateResponse:
        """Changes a resource; in a preview touches no host."""
        inputs = values.known(request.news)
        resource, plain = self._resource(request.type), values.plain(inputs)
        kept = {k: v for k, v in request.olds.items() if k in resource.outputs}
        if request.preview:
            return sdk.UpdateResponse(values.to_wire({**kept, **inputs}))
        if is_out(plain):
            return sdk.UpdateResponse(_state(inputs, {**kept, STATUS: OUT}))
        outputs = await _in_thread(
            resource.update,
            values.plain(values.known(request.olds)),
            plain,
            self._console(request.urn),
        )
        return sdk.UpdateResponse(_state(inputs, outputs))

    async def read(self, request: sdk.ReadRequest) -> sdk.ReadResponse:
        """Tells what is really on the host; secrets come back as they were given."""
        state = values.plain(values.known(request.properties))
        told = await _in_thread(self._resource(request.type).read, state)
        self._warn_unread(request.urn, host_name(state), told[STATUS])
        found = values.properties(told)
        on_host = {ON_HOST: found[ON_HOST]} if ON_HOST in found else {}
        return sdk.ReadResponse(
            request.resource_id,
            properties={**request.properties, **found},
            inputs={**request.inputs, **on_host},
        )

    def _warn_unread(self, urn: str, host: str, status: str) -> None:
        """Says once for each host that nobody looked: else `unchanged` would read as well."""
        if not host or host in self._warned or status in (ANSWERS, OUT):
            return
        self._warned.add(host)
        _, _, why = status.partition(": ")
        self._console(urn).warn(f"{why} Nobody looked what is there.")

    async def delete(self, request: sdk.DeleteRequest) -> None:
        """Removes a resource."""
        state = values.plain(values.known(request.properties))
        resource, console = self._resource(request.type), self._console(request.urn)
        host, name = host_name(state), self._names.get(str(state.get("machine_id")))
        if host and name and name != host:
            console.warn(f"{host}: its machine is {name} by now. What is there stays, for {name}.")
            return
        await _in_thread(remove, resource, state, console)

    async def invoke(self, request: sdk.InvokeRequest) -> sdk.InvokeResponse:
        """Asks all hosts of the stack whether they can be worked on, or what they keep."""
        given = values.plain(values.known(request.args))
        hosts = [Host.from_inputs(host) for host in given.get("hosts") or []]
        if request.tok == STORED:
            told = await _in_thread(stored.ask, hosts, str(given["release"]))
            return sdk.InvokeResponse({"told": values.to_value(told)})
        present = await _in_thread(muster.ask, hosts, given.get("listens"))
        self._names = {told.machine_id: name for name, told in present.items()}
        faults = muster.faults(present)
        if given.get("is_override") and not faults:
            await _in_thread(muster.tell_override, hosts, self._console(""))
        return sdk.InvokeResponse({"faults": values.to_value(faults)})

    async def cancel(self) -> None:
        """Ctrl-C: whoever works puts back and ends."""
        self._stopped.set()


def _state(inputs: Properties, outputs: dict[str, Any]) -> Properties:
    """The state after a success: inputs as they came (secrets stay secret), then outputs."""
    return {**inputs, **values.properties({STATUS: ANSWERS, **outputs})}


def _details(
    key: str, old: PropertyValue | None, new: PropertyValue
) -> dict[str, sdk.PropertyDiffKind]:
    if old is None:
        return {key: sdk.PropertyDiffKind.ADD}
    before, after = values.to_plain(old), values.to_plain(new)
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return {key: sdk.PropertyDiffKind.UPDATE}
    kinds = {}
    for item in sorted(before.keys() | after.keys()):
        if item not in before:
            kinds[f'{key}["{item}"]'] = sdk.PropertyDiffKind.ADD
        elif item not in after:
            kinds[f'{key}["{item}"]'] = sdk.PropertyDiffKind.DELETE
        elif before[item] != after[item]:
            kinds[f'{key}["{item}"]'] = sdk.PropertyDiffKind.UPDATE
    return kinds or {key: sdk.PropertyDiffKind.UPDATE}


async def _in_thread(work: Callable[..., Any], *args: object) -> Any:
    return await asyncio.to_thread(work, *args)


class OneLine(ProviderServicer):
    """Turns what a resource refuses into one line in `pulumi up`, without a traceback."""

    async def Create(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await _one_line(super().Create(request, context), context)  # type: ignore[no-untyped-call]

    async def Update(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await _one_line(super().Update(request, context), context)  # type: ignore[no-untyped-call]

    async def Read(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await _one_line(super().Read(request, context), context)  # type: ignore[no-untyped-call]

    async def Delete(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        return await _one_line(super().Delete(request, context), context)  # type: ignore[no-untyped-call]


async def _one_line(call: Awaitable[Any], context: Any) -> Any:
    try:
        return await call
    except (HostError, Refused) as e:
        await context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(e))
        raise


def serve(engine_address: str, version: str, resources: dict[str, Resource]) -> None:
    """Serves the provider until the engine ends us; prints the port as the protocol asks."""

    async def run() -> None:
        options = [
            ("grpc.max_send_message_length", MESSAGE_LIMIT),
            ("grpc.max_receive_message_length", MESSAGE_LIMIT),
        ]
        server = grpc.aio.server(options=options)
        provider = BentofleetProvider(engine_address, resources)
        servicer = OneLine([], version, provider, engine_address=engine_address)
        provider_pb2_grpc.add_ResourceProviderServicer_to_server(servicer, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        sys.stdout.write(f"{port}\n")
        sys.stdout.flush()
        await server.wait_for_termination()

    asyncio.run(run())
