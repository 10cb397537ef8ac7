"""What the provider answers Pulumi, with a resource that only writes down what was asked of it."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from harness.console import KeptConsole
from pulumi.provider.experimental import provider as sdk
from pulumi.provider.experimental.property_value import PropertyValue

from infra.connection import HostError, Unreachable
from infra.provider import values
from infra.provider.console import Console
from infra.provider.edge import Edge
from infra.provider.floating import Floating
from infra.provider.identity import Identity
from infra.provider.image import Image
from infra.provider.muster import Present
from infra.provider.prepare import Prepare
from infra.provider.resource import Plain, Resource, out_of_range
from infra.provider.server import BentofleetProvider
from infra.provider.trust import Trust

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


def test_a_host_that_nobody_looked_at_is_warned_of_once(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(Console, "warn", lambda _, line: warned.append(line))
    hosts = [{"port": 1, "host": {"name": name}} for name in ("lab-1", "lab-1", "lab-2")]
    states = [created(provider, inputs) for inputs in hosts]
    for state, name in zip(states, ("lab-1", "lab-1", "lab-2"), strict=True):
        thing.found = Unreachable(f"{name}: does not answer.")
        read(provider, state)
    thing.found = {}
    read(provider, created(provider, {"port": 1, "host": {"name": "lab-3"}}))

    assert warned == [
        "lab-1: does not answer. Nobody looked what is there.",
        "lab-2: does not answer. Nobody looked what is there.",
    ]


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


# -- hosts that are out, dead or gone -----------------------------------------------------------


def hosted(**changes: Any) -> dict[str, Any]:
    return {"port": 1, "host": {"name": "lab-1", "out": False, **changes}}


def test_a_host_that_is_out_is_left_as_it_is_and_its_outputs_stay(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, hosted())
    wanted = checked(provider, hosted(out=True) | {"port": 2})

    updated = asyncio.run(
        provider.update(sdk.UpdateRequest(URN, "x", state, wanted, 0, [], preview=False))
    ).properties
    thing.found = Unreachable("lab-1: nobody may look.")
    found = read(provider, updated)

    assert thing.calls == ["create"]
    assert (updated["made_at"].value, updated["status"].value) == ("now", "out")
    assert found.properties["status"].value == "out"
    assert diff(provider, found.properties, wanted).changes is False


def test_a_host_that_is_out_from_the_start_is_not_touched(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, hosted(out=True))

    assert thing.calls == []
    assert (state["made_at"].value, state["status"].value) == ("", "out")


def test_a_host_that_comes_back_is_brought_level(
    provider: BentofleetProvider, thing: Thing
) -> None:
    state = created(provider, hosted(out=True))
    wanted = checked(provider, hosted())

    assert list(diff(provider, state, wanted).detailed_diff) == ['host["out"]']
    asyncio.run(provider.update(sdk.UpdateRequest(URN, "x", state, wanted, 0, [], preview=False)))

    assert thing.calls == ["update"]


def deleted(provider: BentofleetProvider, state: values.Properties) -> None:
    asyncio.run(provider.delete(sdk.DeleteRequest(URN, "x", state, 0)))


def test_a_dead_host_keeps_its_state_and_the_two_ways_out_are_named(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = created(provider, hosted())
    monkeypatch.setattr(thing, "delete", raising(Unreachable("lab-1: does not answer.")))

    with pytest.raises(Unreachable) as caught:
        deleted(provider, state)

    assert str(caught.value) == (
        "lab-1: does not answer. What the stack put there stays. When the host is back, run the "
        "same command again; if it never comes back, run it with BENTOFLEET_FORGET=lab-1."
    )


def test_what_other_hosts_wait_for_is_named_on_a_dead_one_and_keeps_nobody(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = created(provider, hosted())
    monkeypatch.setattr(thing, "follows_other_hosts", True)
    monkeypatch.setattr(thing, "delete", raising(Unreachable("lab-1: does not answer.")))
    console = KeptConsole()
    monkeypatch.setattr(provider, "_console", lambda _: console)

    deleted(provider, state)

    assert console.warned == [
        "lab-1: does not answer. What is left there goes with the host's images."
    ]


def test_one_that_answers_and_cannot_do_it_keeps_its_state(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = created(provider, hosted())
    monkeypatch.setattr(thing, "follows_other_hosts", True)
    monkeypatch.setattr(thing, "delete", raising(HostError("lab-1: the disk is full.")))

    with pytest.raises(HostError, match="the disk is full"):
        deleted(provider, state)


@pytest.mark.parametrize(
    ("kind", "follows"),
    [
        (Prepare, False),
        (Image, False),
        (Identity, True),
        (Trust, True),
        (Edge, True),
        (Floating, True),
    ],
)
def test_what_is_a_hosts_own_alone_stays_in_the_state_of_a_dead_one(
    kind: type[Resource], follows: bool
) -> None:
    assert kind.follows_other_hosts is follows


def raising(error: Exception) -> Any:
    def fails(*_: object) -> None:
        raise error

    return fails


def test_a_host_that_is_given_up_is_not_asked(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = created(provider, hosted())
    other = created(provider, {"port": 1, "host": {"name": "lab-10", "out": False}})
    monkeypatch.setenv("BENTOFLEET_FORGET", "lab-2,lab-1")

    deleted(provider, state)
    assert "delete" not in thing.calls
    deleted(provider, other)

    assert thing.calls.count("delete") == 1


def test_the_muster_answers_with_a_line_for_each_fault(
    provider: BentofleetProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def ask(hosts: Any, listens: Any) -> dict[str, Present]:
        asked.append((hosts, listens))
        return {"lab-1": Present("1" * 32, "lab-1: is dead.")}

    monkeypatch.setattr("infra.provider.muster.ask", ask)
    answer = mustered(provider)

    assert answer == {"faults": ["lab-1: is dead."]}
    ((hosts, listens),) = asked
    assert [host.user for host in hosts] == ["deploy"]
    assert listens == {"address": "127.0.0.1", "ports": {"edge.port": 8080}}


def mustered(provider: BentofleetProvider) -> dict[str, Any]:
    host = {
        "name": "lab-1",
        "address": "192.0.2.11",
        "connection": "ssh",
        "accelerator": "cpu",
        "stack": "demo",
        "ports_from": 21000,
        "user": "deploy",
    }
    listens = {"address": "127.0.0.1", "ports": {"edge.port": 8080}}
    given = values.properties({"hosts": [host], "listens": listens})
    request = sdk.InvokeRequest("bentofleet:stack:muster", given)
    return values.plain(asyncio.run(provider.invoke(request)).return_value or {})


def test_a_host_that_only_has_another_name_now_is_not_cleaned(
    provider: BentofleetProvider, thing: Thing, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = created(provider, {**hosted(name="old-name"), "machine_id": "1" * 32})
    other = created(provider, {**hosted(name="other"), "machine_id": "2" * 32})
    monkeypatch.setattr(
        "infra.provider.muster.ask", lambda hosts, listens: {"lab-1": Present("1" * 32, "")}
    )
    mustered(provider)

    deleted(provider, state)
    assert "delete" not in thing.calls
    deleted(provider, other)

    assert thing.calls.count("delete") == 1
