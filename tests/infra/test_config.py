"""A stack's file: what it may say, and the one line for each thing it may not."""

from typing import Any

import pytest

from bentos.catalog import MODELS
from infra import config
from loadtests import profiles

HOST = {"name": "lab-1", "address": "192.0.2.11", "connection": "local"}


def stack(**changes: Any) -> dict[str, Any]:
    return {"kind": "local", "hosts": [HOST], **changes}


def test_a_stack_of_one_host_takes_every_default() -> None:
    parsed = config.parse(stack())

    assert parsed.service.replicas == 2
    assert parsed.service.models == list(MODELS)
    assert parsed.slo.latency_p95_ms == 200


def test_the_comment_behind_a_host_key_is_no_part_of_it() -> None:
    parsed = config.parse(ssh(host_key=f"{HOST_KEY} root@lab-1\n"))

    assert parsed.hosts[0].host_key == HOST_KEY


def test_a_stack_does_not_change_after_it_was_read() -> None:
    with pytest.raises(ValueError, match="frozen"):
        config.parse(stack()).slo.min_rps = 1


NO_NAME = "Begin with a small letter; up to 29 small letters, digits and hyphens may follow."
NO_ADDRESS = "is neither an IP address nor a DNS name of one host"
BARE = "Write it without scheme, port, path and blanks."
LISTEN = "Write 0.0.0.0 for all, or one of the host's own."
SEE = "Remove it, or look in docs/configuration.md for its name."
ADD = "is missing. Add it; docs/configuration.md says what it takes."


def host(**changes: Any) -> dict[str, Any]:
    return stack(hosts=[{**HOST, **changes}])


HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHV0dHRlcmx5LW1hZGUtdXAta2V5LWZvci10ZXN0czAw"
WRITE_KEY = "Write it as in /etc/ssh/ssh_host_ed25519_key.pub of the host: ssh-ed25519 AAAA…"


def ssh(**changes: Any) -> dict[str, Any]:
    return host(connection="ssh", **{"user": "deploy", **changes})


def without(key: str) -> dict[str, Any]:
    return stack(hosts=[{k: v for k, v in HOST.items() if k != key}])


# What is wrong -> the stack, and its line without `bentofleet:stack` before it.
WRONG: dict[str, tuple[object, str]] = {
    # the whole
    "a list": (["a"], ": is no mapping (got a list). See docs/configuration.md."),
    "nothing": (None, ": is no mapping (got null). See docs/configuration.md."),
    "a text": ("local", ": is no mapping (got 'local'). See docs/configuration.md."),
    # what must be there
    "no kind": ({"hosts": [HOST]}, f".kind: {ADD}"),
    "no hosts": ({"kind": "local"}, f".hosts: {ADD}"),
    "a host without name": (without("name"), f".hosts.0.name: {ADD}"),
    "a host without address": (without("address"), f".hosts.0.address: {ADD}"),
    "a host without connection and user": (
        without("connection"),
        ".hosts: lab-1: `user` is missing. "
        "Name who logs in over SSH, or write `connection: local`.",
    ),
    # unknown keys, at every level
    "an unknown key": (stack(colour=1), f".colour: no such key. {SEE}"),
    "a misspelt key": (stack(edges={}), ".edges: no such key. Write `edge`, or remove it."),
    "a misspelt key of a host": (
        host(adress="x"),
        ".hosts.0.adress: no such key. Write `address`, or remove it.",
    ),
    "an unknown key of the service": (
        stack(service={"gpus": 1}),
        f".service.gpus: no such key. {SEE}",
    ),
    "a misspelt key of the edge": (
        stack(edge={"prt": 8080}),
        ".edge.prt: no such key. Write `port`, or remove it.",
    ),
    "an unknown key of the gate": (stack(gate={"skip": True}), f".gate.skip: no such key. {SEE}"),
    "a misspelt key of the rollout": (
        stack(rollout={"drain_timeout": 60}),
        ".rollout.drain_timeout: no such key. Write `drain_timeout_s`, or remove it.",
    ),
    "a misspelt key of the slo": (
        stack(slo={"latency_p95": 200}),
        ".slo.latency_p95: no such key. Write `latency_p95_ms`, or remove it.",
    ),
    "a key that is a number": (stack(**{"service": {1: 2}}), f".service.1: no such key. {SEE}"),
    # choices
    "an unknown kind": (stack(kind="gcp"), ".kind: is not known (got 'gcp'). Write local."),
    "an unknown language": (
        stack(language="fr"),
        ".language: is not known (got 'fr'). Write en or es.",
    ),
    "an unknown connection": (
        host(connection="telnet"),
        ".hosts.0.connection: is not known (got 'telnet'). Write ssh or local.",
    ),
    "an unknown accelerator": (
        host(accelerator="tpu"),
        ".hosts.0.accelerator: is not known (got 'tpu'). Write cpu or vulkan.",
    ),
    "an unknown engine": (
        host(engine="lxc"),
        ".hosts.0.engine: is not known (got 'lxc'). Write auto or docker or podman.",
    ),
    # SSH
    "a user that is none": (
        ssh(user="deploy now"),
        ".hosts.0.user: is no name of a user (got 'deploy now'). "
        "Write it as `id -un` prints it on the host.",
    ),
    "a user that is an option": (
        ssh(user="-oProxyCommand=x"),
        ".hosts.0.user: is no name of a user (got '-oProxyCommand=x'). "
        "Write it as `id -un` prints it on the host.",
    ),
    "a port of SSH in quotes": (
        ssh(port="22"),
        ".hosts.0.port: is no whole number (got '22'). "
        "Give a whole number from 1 to 65535, without quotes.",
    ),
    "a key that is no path": (
        ssh(key=1),
        ".hosts.0.key: is no text (got 1). Give a text of 1 to 4096 characters.",
    ),
    "a host key's fingerprint": (
        ssh(host_key="SHA256:n4bQgYhMfWWaL"),
        f".hosts.0.host_key: is no public host key (got 'SHA256:n4bQgYhMfWWaL'). {WRITE_KEY}",
    ),
    "a line of known_hosts": (
        ssh(host_key=f"192.0.2.11 {HOST_KEY}"),
        f".hosts.0.host_key: is no public host key (got '192.0.2.11 {HOST_KEY[:65]}...). "
        f"{WRITE_KEY}",
    ),
    "a host key that says it is of another kind": (
        ssh(host_key=HOST_KEY.replace("ssh-ed25519", "ssh-rsa")),
        f".hosts.0.host_key: is no public host key (got 'ssh-rsa {HOST_KEY[12:]}'). {WRITE_KEY}",
    ),
    "a private key for a host key": (
        ssh(host_key="-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXk"),
        f".hosts.0.host_key: is no public host key (got a private key). {WRITE_KEY}",
    ),
    "a jump host without a user": (
        ssh(jump={"address": "192.0.2.1"}),
        f".hosts.0.jump.user: {ADD}",
    ),
    "a misspelt key of a jump host": (
        ssh(jump={"address": "192.0.2.1", "user": "ops", "hostkey": "x"}),
        ".hosts.0.jump.hostkey: no such key. Write `host_key`, or remove it.",
    ),
    "a jump host as a text": (
        ssh(jump="ops@192.0.2.1"),
        ".hosts.0.jump: is no mapping (got 'ops@192.0.2.1'). See docs/configuration.md.",
    ),
    "no time at all to connect": (
        ssh(connect_timeout_s=0),
        ".hosts.0.connect_timeout_s: is too small (got 0). Give a whole number from 1 to 300.",
    ),
    "sudo on this machine": (
        host(sudo=True),
        ".hosts: lab-1: `sudo` has no meaning with `connection: local`. "
        "Remove it, or write `connection: ssh`.",
    ),
    "a software device without a card": (
        ssh(software_device=True),
        ".hosts: lab-1: `software_device` has no meaning with `accelerator: cpu`. Remove it.",
    ),
    "every host out": (
        host(out=True),
        ".hosts: every host is out. Leave at least one without `out: true`.",
    ),
    "an unknown authentication": (
        stack(service={"auth": "basic"}),
        ".service.auth: is not known (got 'basic'). Write jwt or off.",
    ),
    "authentication as YAML reads off": (
        stack(service={"auth": False}),
        ".service.auth: is not known (got false). Write jwt or off.",
    ),
    "an unknown gate profile": (
        stack(gate={"profile": "huge"}),
        ".gate.profile: is not known (got 'huge'). Write release or short.",
    ),
    "an unknown runner": (
        stack(gate={"runner": "there"}),
        ".gate.runner: is not known (got 'there'). Write here.",
    ),
    "a choice in capitals": (
        stack(kind="Local"),
        ".kind: is not known (got 'Local'). Write local.",
    ),
    # wrong types
    "hosts as a mapping": (
        stack(hosts=HOST),
        ".hosts: is no list (got a mapping). Give a list of at least one.",
    ),
    "hosts as a text": (
        stack(hosts="lab-1"),
        ".hosts: is no list (got 'lab-1'). Give a list of at least one.",
    ),
    "no value for hosts": (
        stack(hosts=None),
        ".hosts: has no value (got null). Give a list of at least one.",
    ),
    "an empty list of hosts": (
        stack(hosts=[]),
        ".hosts: is empty (got an empty list). Give a list of at least one.",
    ),
    "a host as a text": (
        stack(hosts=["lab-1"]),
        ".hosts.0: is no mapping (got 'lab-1'). See docs/configuration.md.",
    ),
    "a section as a list": (
        stack(service=[1]),
        ".service: is no mapping (got a list). See docs/configuration.md.",
    ),
    "a section as a number": (
        stack(edge=8080),
        ".edge: is no mapping (got 8080). See docs/configuration.md.",
    ),
    "a section without a value": (
        stack(gate=None),
        ".gate: has no value (got null). See docs/configuration.md.",
    ),
    "a number for a name": (host(name=1), ".hosts.0.name: is no text (got 1). Give a text."),
    "a number for an address": (
        host(address=192.168),
        ".hosts.0.address: is no text (got 192.168). Give a text of 1 to 253 characters.",
    ),
    "no value for an address": (
        host(address=None),
        ".hosts.0.address: has no value (got null). Give a text of 1 to 253 characters.",
    ),
    "a list for a text": (
        stack(edge={"address": ["192.0.2.11"]}),
        ".edge.address: is no text (got a list). Give a text.",
    ),
    "words for a number": (
        stack(service={"replicas": "two"}),
        ".service.replicas: is no whole number (got 'two'). "
        "Give a whole number from 1 to 16, without quotes.",
    ),
    "a number in quotes": (
        stack(edge={"port": "8080"}),
        ".edge.port: is no whole number (got '8080'). "
        "Give a whole number from 1024 to 65535, without quotes.",
    ),
    "a fraction for a whole number": (
        stack(service={"replicas": 2.5}),
        ".service.replicas: is no whole number (got 2.5). Give a whole number from 1 to 16.",
    ),
    "true for a whole number": (
        stack(rollout={"keep": True}),
        ".rollout.keep: is no whole number (got true). Give a whole number from 1 to 50.",
    ),
    "true for a number": (
        stack(slo={"success_ratio": True}),
        ".slo.success_ratio: is no number (got true). Give a number above 0 and at most 1.",
    ),
    "a percentage for a number": (
        stack(slo={"success_ratio": "99.5%"}),
        ".slo.success_ratio: is no number (got '99.5%'). "
        "Give a number above 0 and at most 1, without quotes.",
    ),
    "a list for a number": (
        stack(slo={"min_rps": [20]}),
        ".slo.min_rps: is no number (got a list). Give a number above 0 and at most 100000.",
    ),
    "no value for a number": (
        stack(slo={"min_rps": None}),
        ".slo.min_rps: has no value (got null). Give a number above 0 and at most 100000.",
    ),
    "not a number": (
        stack(slo={"latency_p95_ms": float("nan")}),
        ".slo.latency_p95_ms: is no finite number (got nan). "
        "Give a number above 0 and at most 10000.",
    ),
    "an infinite number": (
        stack(slo={"min_rps": float("inf")}),
        ".slo.min_rps: is no finite number (got inf). Give a number above 0 and at most 100000.",
    ),
    "a word for true or false": (
        stack(service={"docs": "yes"}),
        ".service.docs: is neither true nor false (got 'yes'). "
        "Write true or false, without quotes.",
    ),
    "a number for true or false": (
        stack(gate={"saturation": 1}),
        ".gate.saturation: is neither true nor false (got 1). Write true or false, without quotes.",
    ),
    "models as a text": (
        stack(service={"models": "energy"}),
        ".service.models: is no list (got 'energy'). Give a list of at least one.",
    ),
    "no models": (
        stack(service={"models": []}),
        ".service.models: is empty (got an empty list). Give a list of at least one.",
    ),
    "a model that is a number": (
        stack(service={"models": ["energy", 1]}),
        ".service.models.1: is no text (got 1). Give a text.",
    ),
    # names and addresses
    "a name with blanks and capitals": (
        host(name="Lab 1"),
        f".hosts.0.name: is no short name (got 'Lab 1'). {NO_NAME}",
    ),
    "a name that begins with a digit": (
        host(name="1-lab"),
        f".hosts.0.name: is no short name (got '1-lab'). {NO_NAME}",
    ),
    "an empty name": (host(name=""), f".hosts.0.name: is no short name (got ''). {NO_NAME}"),
    "a name that is too long": (
        host(name="a" * 31),
        f".hosts.0.name: is no short name (got '{'a' * 31}'). {NO_NAME}",
    ),
    "a name that ends a line": (
        host(name="lab\n"),
        f".hosts.0.name: is no short name (got 'lab\\n'). {NO_NAME}",
    ),
    "an empty address": (
        host(address=""),
        ".hosts.0.address: is empty (got ''). Give a text of 1 to 253 characters.",
    ),
    "an address that is too long": (
        host(address="a." * 127),
        f".hosts.0.address: is too long (got '{('a.' * 127)[:76]}...). "
        "Give a text of 1 to 253 characters.",
    ),
    **{
        f"an address with {what}": (
            host(address=address),
            f".hosts.0.address: {NO_ADDRESS} (got {address!r}). {BARE}",
        )
        for what, address in {
            "a scheme": "http://lab-1.example",
            "a port": "lab-1.example:8080",
            "a path": "lab-1.example/api",
            "a user": "root@lab-1",
            "blanks": "lab 1",
            "a blank behind it": "lab-1 ",
            "an underscore": "lab_1",
            "an empty part": "lab..example",
            "a hyphen first": "-lab",
            "brackets": "[::1]",
            "too large a number": "192.168.1.300",
            "a number missing": "192.168.1",
            "a mask": "192.168.1.0/24",
            "no one host": "::",
            "many hosts": "224.0.0.1",
            "a zone": "fe80::1%eth0",
        }.items()
    },
    **{
        f"an edge on {what}": (
            stack(edge={"address": address}),
            f".edge.address: is no IP address to listen on (got {address!r}). {LISTEN}",
        )
        for what, address in {
            "a DNS name": "lab-1.example",
            "localhost": "localhost",
            "a star": "*",
            "no address": "",
            "an address with a port": "127.0.0.1:8080",
            "a group's address": "ff02::1",
        }.items()
    },
    # ranges, at both ends
    **{
        f"{key} {size}": (
            stack(**{key.partition(".")[0]: {key.partition(".")[2]: value}}),
            f".{key}: is {size} (got {value}). Give a {kind}.",
        )
        for key, kind, values in (
            ("service.replicas", "whole number from 1 to 16", (0, 17)),
            ("service.threads", "whole number from 1 to 64", (0, 65)),
            ("service.memory_mib", "whole number from 512 to 262144", (511, 262145)),
            ("edge.port", "whole number from 1024 to 65535", (80, 65536)),
            ("edge.ports_from", "whole number from 1024 to 65436", (1023, 65437)),
            ("rollout.keep", "whole number from 1 to 50", (0, 51)),
            ("rollout.parallel", "whole number from 1 to 100", (-1, 101)),
            ("rollout.ready_timeout_s", "whole number from 5 to 3600", (4, 3601)),
            ("rollout.drain_timeout_s", "whole number from 1 to 3600", (0, 3601)),
            ("slo.latency_p95_ms", "number above 0 and at most 10000", (0, 10001)),
            ("slo.success_ratio", "number above 0 and at most 1", (0, 99.5)),
            ("slo.min_rps", "number above 0 and at most 100000", (-20, 100001)),
        )
        for size, value in zip(("too small", "too large"), values, strict=True)
    },
    # contradictions
    "two hosts of one name": (
        stack(hosts=[HOST, {**HOST, "address": "192.0.2.12"}]),
        ".hosts: two hosts have one name (got lab-1). Give each its own.",
    ),
    "two hosts of one address": (
        stack(hosts=[HOST, {**HOST, "name": "lab-2"}]),
        ".hosts: two hosts have one address (got 192.0.2.11). Give each its own.",
    ),
    "two hosts that are this machine": (
        stack(hosts=[HOST, {**HOST, "name": "lab-2", "address": "lab-2.example"}]),
        ".hosts: more than one host is this machine. Keep one with `connection: local`.",
    ),
    "a model that nobody trained": (
        stack(service={"models": ["energy", "weather"]}),
        f".service.models: no such model (got 'weather'). Use one of: {', '.join(MODELS)}.",
    ),
    "a model with a version": (
        stack(service={"models": ["energy:latest"]}),
        f".service.models: no such model (got 'energy:latest'). Use one of: {', '.join(MODELS)}.",
    ),
    "a model named twice": (
        stack(service={"models": ["energy", "energy"]}),
        ".service.models: a model is named twice (got energy). Name each once.",
    ),
    "a port in the range of the replicas": (
        stack(edge={"port": 21050}),
        ".edge.port: lies in the range of edge.ports_from (got 21050). "
        "Choose one outside 21000-21099.",
    ),
    "a range of replicas over the port": (
        stack(edge={"ports_from": 7981}),
        ".edge.port: lies in the range of edge.ports_from (got 8080). "
        "Choose one outside 7981-8080.",
    ),
    "a port for plain HTTP in the range of the replicas": (
        stack(edge={"port": 8443, "tls": {"certificate": "own", "http_port": 21001}}),
        ".edge.tls.http_port: lies in the range of edge.ports_from (got 21001). "
        "Choose one outside 21000-21099.",
    ),
    "one port for TLS and for plain HTTP": (
        stack(edge={"tls": {"certificate": "self-signed"}}),
        ".edge.tls.http_port: is edge.port too (got 8080). Give one of them another, for instance "
        "`edge.port: 8443`, or write `edge.tls.redirect: false`.",
    ),
    "a certificate's file without TLS": (
        stack(edge={"tls": {"certificate_file": "a.pem"}}),
        ".edge.tls.certificate_file: is not used (certificate is none). "
        "Write `edge.tls.certificate: own`, or remove it.",
    ),
    "a key's file beside a certificate that the host makes": (
        stack(edge={"port": 8443, "tls": {"certificate": "self-signed", "key_file": "a.pem"}}),
        ".edge.tls.key_file: is not used (certificate is self-signed). "
        "Write `edge.tls.certificate: own`, or remove it.",
    ),
    "a certificate's file without its key's": (
        stack(edge={"port": 8443, "tls": {"certificate": "own", "certificate_file": "a.pem"}}),
        ".edge.tls.key_file: is missing beside certificate_file. Name both files, or none.",
    ),
    "another kind of certificate": (
        stack(edge={"tls": {"certificate": "acme"}}),
        ".edge.tls.certificate: is not known (got 'acme'). Write none or own or self-signed.",
    ),
    "a limit for tokens that nobody asks for": (
        stack(service={"auth": "off"}, edge={"rate_limit": {"requests": 9}}),
        ".edge.rate_limit.requests: limits tokens, and service.auth is off (got 9). "
        "Write 0, or `service.auth: jwt`.",
    ),
    "a client without connections": (
        stack(edge={"limits": {"client_connections": 0}}),
        ".edge.limits.client_connections: is too small (got 0). "
        "Give a whole number from 1 to 2000.",
    ),
    "a floor above what was recorded": (
        stack(rollout={"floor": 1.5}),
        ".rollout.floor: is too large (got 1.5). Give a number from 0 to 1.",
    ),
    "a drain that cuts requests off": (
        stack(rollout={"drain_timeout_s": 12}),
        ".rollout.drain_timeout_s: is shorter than a request may take (got 12). Give at least 13.",
    ),
    "so few requests that no verdict is possible": (
        stack(slo={"min_rps": 0.01}),
        ".slo.min_rps: is too small for a verdict (got 0.01): the gate would send 54 requests in "
        "its longest phase, and success_ratio 0.995 needs 598. "
        "Raise it, or ask for a smaller success_ratio.",
    ),
    "a success ratio that no gate can prove": (
        stack(slo={"success_ratio": 0.99999}),
        ".slo.min_rps: is too small for a verdict (got 20): the gate would send 108000 requests "
        "in its longest phase, and success_ratio 0.99999 needs 299572. "
        "Raise it, or ask for a smaller success_ratio.",
    ),
}


def test_the_table_has_at_least_sixty_kinds_of_wrong_stacks() -> None:
    assert len(WRONG) >= 60


@pytest.mark.parametrize(("raw", "line"), WRONG.values(), ids=WRONG.keys())
def test_a_wrong_stack_gets_its_one_line(raw: object, line: str) -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(raw)

    assert caught.value.lines == [f"bentofleet:stack{line}"]
    assert "\n" not in line


GOOD = {
    "a dns name": host(address="lab-1.example"),
    "a dns name with a dot behind it": host(address="lab-1.example."),
    "a name of digits and letters": host(address="9lives"),
    "an ipv6 address": host(address="2001:db8::1"),
    "an edge on ipv6": stack(edge={"address": "::"}),
    "an edge on loopback": stack(edge={"address": "127.0.0.1"}),
    "the last range of ports": stack(edge={"ports_from": 65436}),
    "the shortest drain": stack(rollout={"drain_timeout_s": 13}),
    "a shorter drain without photos": stack(
        service={"models": ["energy"]}, rollout={"drain_timeout_s": 11}
    ),
    "a port below the range": stack(edge={"port": 20999}),
    "a port above the range": stack(edge={"port": 21100}),
    "whole numbers for numbers": stack(
        slo={"success_ratio": 1, "latency_p95_ms": 10000, "min_rps": 100}
    ),
}


@pytest.mark.parametrize("raw", GOOD.values(), ids=GOOD.keys())
def test_a_stack_at_the_edge_of_what_is_right_is_taken(raw: dict[str, Any]) -> None:
    config.parse(raw)


def test_the_load_tests_bounds_are_those_of_its_profiles() -> None:
    assert profiles.MAX_PHASE_S == config.GATE_MAX_S
    timeouts_ms = {profile.timeout_s * 1000 for profile in profiles.PROFILES.values()}
    assert timeouts_ms == {config.GATE_TIMEOUT_MS}


def test_all_faults_of_a_stack_are_named_at_once() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(
            stack(
                hosts=[{**HOST, "adress": 1, "name": 2}, HOST, {**HOST, "address": "lab-2"}],
                service={"models": ["weather"], "replicas": "two"},
                edge={"port": 21000, "address": "here"},
                rollout={"drain_timeout_s": 1},
                slo={"min_rps": 0},
                colour="red",
            )
        )

    assert [line.partition(": ")[0].removeprefix("bentofleet:stack.") for line in (
        caught.value.lines
    )] == [
        "hosts.0.name",
        "hosts.0.adress",
        "service.replicas",
        "edge.address",
        "slo.min_rps",
        "colour",
        "hosts",
        "service.models",
        "edge.port",
        "rollout.drain_timeout_s",
    ]  # fmt: skip


def test_what_is_wrong_by_itself_is_not_compared_with_anything() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(stack(edge={"port": "x", "ports_from": 8000}, rollout=5))

    assert [line.partition(": ")[0] for line in caught.value.lines] == [
        "bentofleet:stack.edge.port",
        "bentofleet:stack.rollout",
    ]


def test_a_long_value_is_shortened_in_the_message() -> None:
    with pytest.raises(config.ConfigError) as caught:
        config.parse(stack(hosts=[{**HOST, "name": "x" * 500}]))

    assert len(caught.value.lines[0]) < 250
