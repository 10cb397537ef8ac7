"""What the provider answers Pulumi, with a resource that only writes down what was asked of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from infra.connection import Unreachable
from infra.provider import values
from infra.provider.console import Console
from infra.provider.resource import Plain, Resource, out_of_range
from infra.provider.server import BentofleetProvider

TYPE = "bentofleet:host:Thing"
URN = f"urn:pulumi:demo::bentofleet::{TYPE}::here-thing"


class Thing(Resource):
    outputs = ("made_at",)

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.found: dict[str, str] | Exception = {}

    def parts(self, inputs: Plain) -> tuple[str, ...]:
        return ("file", "container")

    def faults(self, inputs: Plain) -> Mapping[str, str]:
        return out_of_range(inputs, "port", 1, 9)

    def create(self, inputs: Plain, console: Console) -> Plain:
        self.calls.append("create")
        return {"made_at": "now"}

    def update(self, state: Plain, inputs: Plain, console: Console) -> Plain:
        self.calls.append("update")
        return {"made_at": "later"}

    def look(self, state: Plain) -> Mapping[str, str]:
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def delete(self, state: Plain, console: Console) -> None:
        self.calls.append("delete")


@pytest.fixture
def thing() -> Thing:
    return Thing()


@pytest.fixture
def provider(thing: Thing) -> BentofleetProvider:
    return BentofleetProvider("127.0.0.1:1", {TYPE: thing})


SECRET = PropertyValue("s3cret", is_secret=True)


def checked(provider: BentofleetProvider, inputs: Mapping[str, Any]) -> values.Properties:
    request = sdk.CheckRequest(URN, {}, values.properties(inputs), b"")
    answer = asyncio.run(provider.check(request))
    assert answer.inputs is not None
    return answer.inputs


def created(
    provider: BentofleetProvider, inputs: Mapping[str, Any], preview: bool = False
) -> values.Properties:
    request = sdk.CreateRequest(URN, checked(provider, inputs), 0, preview)
    return asyncio.run(provider.create(request)).properties


def diff(
    provider: BentofleetProvider, state: values.Properties, inputs: values.Properties
) -> sdk.DiffResponse:
    return asyncio.run(provider.diff(sdk.DiffRequest(URN, "here-thing", state, inputs, [])))


def read(provider: BentofleetProvider, state: values.Properties) -> sdk.ReadResponse:
    inputs = {k: v for k, v in state.items() if k not in ("made_at", "status")}
    return asyncio.run(provider.read(sdk.ReadRequest(URN, "here-thing", state, inputs)))


def test_a_preview_touches_no_host(provider: BentofleetProvider, thing: Thing) -> None:
    state = created(provider, {"port": 1}, preview=True)
    update = sdk.UpdateRequest(URN, "here-thing", state, state, 0, [], preview=True)
    asyncio.run(provider.update(update))

    assert thing.calls == []
    assert state["made_at"].value == values.UNKNOWN


def test_an_input_that_cannot_be_right_is_refused_by_its_name(provider: BentofleetProvider) -> None:
    request = sdk.CheckRequest(URN, {}, values.properties({"port": 10}), b"")

    (failure,) = asyncio.run(provider.check(request)).failures or []

    assert failure.property == "port"
    assert failure.reason == "must be a whole number from 1 to 9 (got 10)"


def test_an_input_that_is_not_known_yet_passes(provider: BentofleetProvider) -> None:
    request = sdk.CheckRequest(URN, {}, values.properties({"port": values.UNKNOWN}), b"")

    assert asyncio.run(provider.check(request)).failures == []


def test_nothing_differs_right_after_it_was_made(provider: BentofleetProvider) -> None:
    state = created(provider, {"port": 1, "key": SECRET})

    assert diff(provider, state, checked(provider, {"port": 1, "key": SECRET})).changes is False


def test_a_changed_input_shows_by_its_path_and_never_asks_for_a_replacement(
    provider: BentofleetProvider,
) -> None:
    state = created(provider, {"slo": {"rps": 1, "p95": 2}, "port": 1})

    answer = diff(provider, state, checked(provider, {"slo": {"rps": 3, "p95": 2}, "port": 1}))

    assert answer.changes is True
    assert list(answer.detailed_diff) == ['slo["rps"]']
    assert answer.replaces == []


def test_an_unknown_input_is_a_change_and_no_replacement(provider: BentofleetProvider) -> None:
    state = created(provider, {"address": "192.0.2.1"})

    answer = diff(provider, state, checked(provider, {"address": values.UNKNOWN}))

    assert answer.changes is True
    assert answer.replaces == []


def test_what_was_changed_on_the_host_shows_in_words_and_as_a_difference_to_mend(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, {"port": 1})
    thing.found = {"file": "changed by hand", "container": "as declared"}

    found = read(provider, state)
    answer = diff(provider, found.properties, checked(provider, {"port": 1}))

    assert values.to_plain(found.inputs["on_host"])["file"] == "changed by hand"
    assert list(answer.detailed_diff) == ['on_host["file"]']


def test_a_stranger_on_the_host_is_a_difference(provider: BentofleetProvider, thing: Thing) -> None:
    state = created(provider, {"port": 1})
    thing.found = {"container x": "nobody declared it"}

    found = read(provider, state)
    answer = diff(provider, found.properties, checked(provider, {"port": 1}))

    assert list(answer.detailed_diff) == ['on_host["container x"]']


def test_an_unreachable_host_is_told_and_is_no_difference(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, {"port": 1})
    thing.found = Unreachable("here: does not answer.")

    found = read(provider, state)

    assert found.properties["status"].value == "unreachable: here: does not answer."
    assert diff(provider, found.properties, checked(provider, {"port": 1})).changes is False


def test_secrets_stay_secret_in_state_and_refresh(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, {"key": SECRET})
    found = read(provider, state)

    assert state["key"].is_secret
    assert found.properties["key"].is_secret
    assert found.inputs["key"].is_secret


def test_a_change_of_the_configuration_never_replaces_the_provider(
    provider: BentofleetProvider,
) -> None:
    request = sdk.DiffRequest("urn", "id", {}, values.properties({"stack": "other"}), [])

    answer = asyncio.run(provider.diff_config(request))

    assert (answer.changes, answer.replaces) == (False, [])
