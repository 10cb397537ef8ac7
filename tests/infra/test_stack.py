"""What the program declares, recorded instead of done."""

import asyncio
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pulumi
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra import config, served, stack
from infra.images.manifest import BuiltImage
from infra.targets import local
from service import tokens

KEY = "-----BEGIN PRIVATE KEY----- planted"
IMAGES = {
    "cpu": BuiltImage(
        name="cpu",
        tag="localhost/bentofleet/service:cpu-0123456789ab",
        image_id="a" * 64,
        bento="bentofleet:0123456789ab",
        inputs={},
    ),
    "vulkan": BuiltImage(
        name="vulkan",
        tag="localhost/bentofleet/service:vulkan-123456789abc",
        image_id="c" * 64,
        bento="bentofleet:123456789abc",
        inputs={},
    ),
    "edge": BuiltImage(
        name="edge",
        tag="localhost/bentofleet/edge:ba9876543210",
        image_id="b" * 64,
        bento=None,
        inputs={},
    ),
}


@pytest.fixture(autouse=True)
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A current event loop: Pulumi asks for one, and other tests have closed theirs.

    Pulumi's mocks make a loop in each of their worker threads and close none: that is done here,
    by name. Left to the garbage collector, a loop's sockets may go before it, and it then complains
    in whatever test runs at that moment.
    """
    made: list[asyncio.AbstractEventLoop] = []
    make = asyncio.new_event_loop

    def new_event_loop() -> asyncio.AbstractEventLoop:
        made.append(make())
        return made[-1]

    monkeypatch.setattr(asyncio, "new_event_loop", new_event_loop)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield
    loop.run_until_complete(loop.shutdown_default_executor())
    asyncio.set_event_loop(None)
    for each in made:
        each.close()


class Recorder(pulumi.runtime.Mocks):
    """Writes down every resource; what the provider would tell is made up."""

    def __init__(self) -> None:
        self.declared: list[pulumi.runtime.MockResourceArgs] = []

    def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.declared.append(args)
        made_up = {"Prepare": {"machine_id": "0" * 32}, "Identity": {"certificates": args.name}}
        outputs = made_up.get(args.typ.rpartition(":")[2], {})
        return f"{args.name}-id", {**args.inputs, **outputs}

    def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
        return {}

    def by_host(self, type_name: str) -> dict[str, dict[str, Any]]:
        """The inputs of each resource of a type, by its host."""
        found = [d for d in self.declared if d.typ.endswith(f":{type_name}")]
        return {d.inputs["host"]["name"]: d.inputs for d in found}

    def order(self, type_name: str) -> list[int]:
        """When the resources of a type were declared."""
        kinds = [d.typ.rpartition(":")[2] for d in self.declared]
        return [number for number, kind in enumerate(kinds) if kind == type_name]

    def of(self, type_name: str) -> dict[str, Any]:
        (found,) = [d for d in self.declared if d.typ.endswith(f":{type_name}")]
        inputs: dict[str, Any] = found.inputs
        return inputs


def declare(pair: tuple[str, str] = ("", ""), **changes: Any) -> Recorder:
    """Runs the program's declarations to their end on a recording engine."""
    certificate, key_of_it = pair
    raw = {
        "kind": "local",
        "hosts": [{"name": "here", "address": "192.0.2.11", "connection": "local"}],
        **changes,
    }
    recorder = Recorder()
    pulumi.runtime.set_mocks(recorder, project="bentofleet", stack="lab")
    parsed = config.parse(raw)

    @pulumi.runtime.test
    def program() -> pulumi.Output[Any]:
        key = None if parsed.service.auth == "off" else pulumi.Output.secret(KEY)
        secrets = stack.Secrets(
            jwks='{"keys": []}',
            tokens_key=key,
            certificate=certificate,
            certificate_key=pulumi.Output.secret(key_of_it) if key_of_it else None,
        )
        hosts = local.all_hosts("lab", parsed)
        versions = {name: "1" for name in parsed.service.models}
        chosen = served.built(parsed, hosts, IMAGES, versions)
        release = stack.declare("lab", parsed, hosts, IMAGES, chosen, secrets)
        return release.urn

    run: Callable[[], None] = program
    run()
    return recorder


def test_a_host_is_prepared_gets_two_images_an_edge_and_the_stack_one_release() -> None:
    kinds = sorted(d.typ.rpartition(":")[2] for d in declare().declared)

    assert kinds == ["Edge", "Image", "Image", "Prepare", "Release"]


def test_the_machine_that_was_prepared_is_the_one_that_everything_else_expects() -> None:
    recorder = declare()

    assert recorder.of("Edge")["machine_id"] == "0" * 32
    assert recorder.of("Release")["hosts"][0]["machine_id"] == "0" * 32


def test_the_release_runs_the_stacks_own_tag() -> None:
    assert declare().of("Release")["images"] == {
        "cpu": "localhost/bentofleet-lab/service:cpu-0123456789ab"
    }


def test_each_host_gets_the_image_of_its_accelerator_and_both_make_the_release() -> None:
    one = {"name": "one", "address": "192.0.2.11", "user": "deploy"}
    two = {"name": "two", "address": "192.0.2.12", "user": "deploy", "accelerator": "vulkan"}
    recorder = declare(hosts=[one, two])

    tags = {d.name: d.inputs["tag"] for d in recorder.declared if d.name.endswith("-image-service")}
    cpu, vulkan = (
        f"localhost/bentofleet-lab/service:{tag}"
        for tag in ("cpu-0123456789ab", "vulkan-123456789abc")
    )
    assert tags == {"one-image-service": cpu, "two-image-service": vulkan}
    release = recorder.of("Release")
    assert release["images"] == {"cpu": cpu, "vulkan": vulkan}
    assert release["bento"] == "bentofleet:0123456789ab, bentofleet:123456789abc"
    assert release["release"] != declare(hosts=[one]).of("Release")["release"]


def test_a_host_that_is_out_stays_declared_and_is_no_part_of_the_release() -> None:
    one = {"name": "one", "address": "192.0.2.11", "user": "deploy"}
    two = {"name": "two", "address": "192.0.2.12", "user": "deploy", "accelerator": "vulkan"}
    recorder = declare(hosts=[one, {**two, "out": True}])

    release = recorder.of("Release")
    assert [host["name"] for host in release["hosts"]] == ["one"]
    assert release["out"] == ["two"]
    assert list(release["images"]) == ["cpu"]
    assert release["release"] == declare(hosts=[one, two]).of("Release")["release"]
    declared = {d.name: d.inputs["host"]["out"] for d in recorder.declared if "host" in d.inputs}
    assert declared == {
        f"{name}-{role}": is_out
        for name, is_out in (("one", False), ("two", True))
        for role in ("prepare", "image-service", "image-edge", "identity", "trust", "edge")
    }


ONE, TWO, THREE = (
    {"name": name, "address": f"192.0.2.{number}", "user": "deploy", "sudo": True}
    for number, name in enumerate(("one", "two", "three"), 11)
)
FLOATING = {"address": "192.0.2.10/24", "interface": "eth0"}
OF_USERS, BETWEEN = "edge.port", ["edge.inner_ports_from", "edge.inner_ports_from + 1"]


def test_hosts_beside_each_other_each_get_an_identity_and_those_they_let_in() -> None:
    recorder = declare(hosts=[ONE, {**TWO, "entry": True}, {**THREE, "entry": True}])

    trusts = {
        name: {peer["name"]: peer["certificates"] for peer in inputs["peers"]}
        for name, inputs in recorder.by_host("Trust").items()
    }
    assert trusts == {
        "one": {"two": "two-identity", "three": "three-identity"},
        "two": {"one": "one-identity", "three": "three-identity"},
        "three": {"one": "one-identity", "two": "two-identity"},
    }
    assert recorder.by_host("Edge")["one"]["identity"] == "one-identity"
    kinds = [recorder.order(kind) for kind in ("Identity", "Trust", "Edge")]
    assert [max(before) < min(after) for before, after in pairwise(kinds)] == [True, True]


def test_a_host_that_is_no_entry_lets_in_entries_alone_and_needs_no_port_of_users() -> None:
    recorder = declare(hosts=[ONE, TWO, THREE])

    trusts = recorder.by_host("Trust")
    assert [peer["name"] for peer in trusts["two"]["peers"]] == ["one"]
    ports = {name: {*inputs["ports"]} for name, inputs in recorder.by_host("Prepare").items()}
    assert ports == {"one": {OF_USERS, *BETWEEN}, "two": {*BETWEEN}, "three": {*BETWEEN}}


def test_an_edge_knows_the_hosts_that_take_part_by_their_addresses_between_hosts() -> None:
    two = {**TWO, "inner_address": "198.51.100.2"}
    edges = declare(hosts=[ONE, two, {**THREE, "out": True}]).by_host("Edge")

    assert edges["one"]["entry"] is True
    assert edges["one"]["peers"] == [{"name": "two", "address": "198.51.100.2", "entry": False}]
    assert edges["two"]["peers"] == [{"name": "one", "address": "192.0.2.11", "entry": True}]
    assert edges["three"]["peers"] == []


def test_a_host_alone_needs_no_port_between_hosts() -> None:
    recorder = declare()

    assert list(recorder.of("Prepare")["ports"]) == [OF_USERS]
    assert (recorder.of("Edge")["entry"], recorder.of("Edge")["peers"]) == (True, [])


def test_the_key_of_the_users_certificate_goes_to_entries_alone() -> None:
    recorder = declare(
        hosts=[ONE, TWO], edge={"port": 8443, "tls": {"certificate": "own"}}, pair=("shown", KEY)
    )

    edges = recorder.by_host("Edge")
    assert edges["one"]["certificate"] == "shown"
    assert edges["one"]["certificate_key"]["value"] == KEY
    assert (edges["two"]["certificate"], edges["two"].get("certificate_key")) == ("", None)


def test_a_floating_address_comes_to_every_entry_behind_the_edges() -> None:
    one, two = {**ONE, "entry": True}, {**TWO, "entry": True, "inner_address": "198.51.100.2"}
    recorder = declare(hosts=[one, two, THREE], edge={"floating": FLOATING})

    floating = recorder.by_host("Floating")
    entries = [
        {"name": "one", "address": "192.0.2.11"},
        {"name": "two", "address": "198.51.100.2"},
    ]
    assert list(floating) == ["one", "two"]
    assert floating["two"]["entries"] == entries
    assert (floating["one"]["address"], floating["one"]["router_id"]) == ("192.0.2.10/24", 51)
    assert max(recorder.order("Edge")) < min(recorder.order("Floating"))
    cards = {name: p.get("card") for name, p in recorder.by_host("Prepare").items()}
    assert cards == {"one": "eth0", "two": "eth0", "three": None}
    edges = recorder.by_host("Edge")
    assert [edges[name].get("floating") for name in ("one", "two", "three")] == [
        *("192.0.2.10", "192.0.2.10"),
        None,
    ]


def test_an_entry_that_is_out_keeps_what_it_has_of_the_floating_address() -> None:
    hosts = [{**host, "entry": True} for host in (ONE, TWO, {**THREE, "out": True})]

    floating = declare(hosts=hosts, edge={"floating": FLOATING}).by_host("Floating")

    assert list(floating) == ["one", "two", "three"]
    assert [entry["name"] for entry in floating["one"]["entries"]] == ["one", "two"]


@pytest.mark.parametrize(
    ("hosts", "edge", "expected"),
    [
        ([ONE], {}, ["http://192.0.2.11:8080"]),
        ([ONE, TWO], {}, ["http://192.0.2.11:8080"]),
        ([{**ONE, "out": True}, TWO, THREE], {"port": 9000}, ["http://192.0.2.12:9000"]),
        (
            [ONE, {**TWO, "entry": True}, {**THREE, "entry": True}],
            {"port": 8443, "tls": {"certificate": "self-signed"}},
            ["https://192.0.2.12:8443", "https://192.0.2.13:8443"],
        ),
        (
            [{**ONE, "entry": True}, {**TWO, "entry": True}],
            {"floating": FLOATING},
            ["http://192.0.2.10:8080", "http://192.0.2.11:8080", "http://192.0.2.12:8080"],
        ),
    ],
    ids=["one host", "two", "the first is out", "two entries", "a floating address"],
)
def test_users_are_told_the_floating_address_and_the_entries(
    hosts: list[dict[str, Any]], edge: dict[str, Any], expected: list[str]
) -> None:
    parsed = config.parse({"kind": "local", "hosts": hosts, "edge": edge})

    assert stack.urls(local.hosts("lab", parsed), parsed.edge) == expected


def test_only_the_models_that_are_served_are_part_of_the_release() -> None:
    release = declare(service={"models": ["energy"]}).of("Release")

    assert release["models"] == {"energy": "1"}
    assert release["env"]["BENTOFLEET_MODELS"] == "energy"


def test_the_service_is_told_its_release() -> None:
    release = declare().of("Release")

    assert release["env"]["BENTOFLEET_RELEASE"] == release["release"]


def test_the_signing_key_is_given_to_the_release_alone() -> None:
    recorder = declare()

    holders = [d.typ for d in recorder.declared if KEY in str(d.inputs)]
    assert holders == ["bentofleet:stack:Release"]


class Settings:
    """What `pulumi.Config` gives, from a dict."""

    def __init__(self, **values: Any) -> None:
        self._values = values

    def get(self, key: str) -> Any:
        return self._values.get(key.replace("-", "_"))

    def get_object(self, key: str) -> Any:
        value = self.get(key)
        if isinstance(value, str):
            raise pulumi.ConfigTypeError(f"bentofleet:{key}", value, "object")
        return value


def settings(**values: Any) -> Any:
    pair = Ed25519PrivateKey.generate()
    private = pair.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = json.dumps({"keys": [tokens.public_jwk(pair)]})
    raw = {
        "kind": "local",
        "hosts": [{"name": "here", "address": "192.0.2.11", "connection": "local"}],
    }
    return Settings(**{"stack": raw, "tokens_jwks": public, "tokens_key": private, **values})


def certificate_pair() -> tuple[str, str]:
    """A certificate for the host's address, and its key."""
    key, now = Ed25519PrivateKey.generate(), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("192.0.2.11"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(address, critical=False)
        .sign(key, None)
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    return made.public_bytes(Encoding.PEM).decode(), private


def off(**raw: Any) -> dict[str, Any]:
    return {**settings().get("stack"), "service": {"auth": "off"}, **raw}


def test_the_settings_give_the_stack_and_its_keys() -> None:
    given = settings()

    wanted, secrets = stack.read("lab", given)

    assert wanted.service.auth == "jwt"
    assert secrets.jwks == given.get("tokens-jwks")
    assert isinstance(secrets.tokens_key, pulumi.Output)


def test_without_authentication_no_key_is_asked_for_and_none_is_handed_on() -> None:
    assert stack.read("lab", settings(stack=off(), tokens_jwks=None, tokens_key=None))[1].jwks == ""
    assert stack.read("lab", settings(stack=off()))[1].tokens_key is None
    assert declare(service={"auth": "off"}).of("Release").get("tokens_key") is None


def lines_of(given: Any) -> list[str]:
    with pytest.raises(config.ConfigError) as caught:
        stack.read("lab", given)
    return [line.partition(": ")[0] for line in caught.value.lines]


def test_with_authentication_both_keys_are_asked_for_at_once() -> None:
    assert lines_of(settings(tokens_jwks=None, tokens_key=None)) == [
        "bentofleet:tokens-jwks",
        "bentofleet:tokens-key",
    ]


def test_faults_of_the_stack_and_of_the_keys_are_told_at_once() -> None:
    assert lines_of(settings(stack={"kind": "local"}, tokens_jwks="x", tokens_key="y")) == [
        "bentofleet:stack.hosts",
        "bentofleet:tokens-jwks",
        "bentofleet:tokens-key",
    ]


@pytest.mark.parametrize("given", [None, "local", "{"], ids=["nothing", "a text", "half of it"])
def test_no_stack_at_all_is_told(given: str | None) -> None:
    assert lines_of(settings(stack=given)) == ["bentofleet:stack"]


@pytest.mark.parametrize(
    "name",
    ["latest", "-x", "Prod", "x/y", "", ".x", "x-", "a..b", "a" * 51],
    ids=[
        "the report's link",
        "an option",
        "capital letter",
        "path",
        "empty",
        "hidden",
        "hyphen at the end",
        "two dots",
        "too long",
    ],
)
def test_a_name_that_no_folder_and_no_image_can_have_is_refused(name: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        stack.read(name, settings())

    (line,) = caught.value.lines
    assert line.startswith(f"stack: its name cannot be used (got '{name}'). Name it with at most")


@pytest.mark.parametrize("name", ["demo", "lab-2", "eu.prod", "a_b", "0", "a--b", "a" * 50])
def test_other_names_are_taken(name: str) -> None:
    assert stack.read(name, settings())[0].kind == "local"


def test_a_wrong_name_is_told_beside_the_other_faults() -> None:
    with pytest.raises(config.ConfigError) as caught:
        stack.read("latest", settings(stack={"kind": "local"}, tokens_jwks="x"))

    assert [line.partition(": ")[0] for line in caught.value.lines] == [
        "stack",
        "bentofleet:stack.hosts",
        "bentofleet:tokens-jwks",
    ]


def test_a_wrong_key_of_a_stack_without_authentication_is_told_too() -> None:
    assert lines_of(settings(stack=off(), tokens_key="x")) == ["bentofleet:tokens-key"]


def test_an_edge_with_tls_puts_out_what_clients_can_check_it_with() -> None:
    edge = declare(edge={"port": 8443, "tls": {"certificate": "self-signed"}}).of("Edge")

    assert edge["tls"] == {"certificate": "self-signed", "redirect": True, "http_port": 8080}
    assert (edge["certificate"], edge.get("certificate_key")) == ("", None)


def test_where_a_certificate_lies_on_the_operators_machine_is_told_to_no_host() -> None:
    files = {"certificate_file": "/home/me/chain.pem", "key_file": "/home/me/key.pem"}
    recorder = declare(edge={"port": 8443, "tls": {"certificate": "own", **files}})

    assert [d for d in recorder.declared if "/home/me" in str(d.inputs)] == []


def test_a_certificate_that_is_missing_is_told_with_the_other_faults() -> None:
    raw = {**off(), "edge": {"port": 8443, "tls": {"certificate": "own"}}}

    assert lines_of(settings(stack=raw, tokens_key="x")) == [
        "bentofleet:tokens-key",
        "bentofleet:edge-certificate",
        "bentofleet:edge-key",
    ]


def test_a_certificates_key_is_a_secret_of_the_stack() -> None:
    shown, key = certificate_pair()
    raw = {**off(), "edge": {"port": 8443, "tls": {"certificate": "own"}}}

    _, secrets = stack.read(
        "lab", settings(stack=raw, edge_certificate=shown, edge_key=key, tokens_key=None)
    )

    assert secrets.certificate == shown
    assert isinstance(secrets.certificate_key, pulumi.Output)
    assert key not in repr(secrets)
