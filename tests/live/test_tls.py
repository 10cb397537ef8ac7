"""TLS, rate limit and floor under the real engine; each test goes on from the last."""

import http.client
import json
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra.commands import rates
from infra.commands.rates import Rate
from infra.provider import floor
from service import tokens

if TYPE_CHECKING:
    from harness.stack import LiveStack

pytestmark = pytest.mark.live


@pytest.fixture(scope="module")
def secured(stack: "LiveStack") -> Iterator["LiveStack"]:
    """The stack with a certificate of the host's; afterwards it speaks HTTP as before."""
    port = stack.settings["edge"]["port"]
    stack.change(edge={"tls": {"certificate": "self-signed", "http_port": port + 1}})
    done = stack.up()
    assert done.returncode == 0, done.stdout + done.stderr
    yield stack
    stack.change(edge={"tls": {"certificate": "none"}, "rate_limit": {"requests": 0}})
    done = stack.up()
    assert done.returncode == 0, done.stdout + done.stderr
    assert stack.post(stack.token())[0] == 200
    assert stack.machine().names_in(stack.machine().paths.edge / "tls") == []


def ask(stack: "LiveStack", trusted: str, token: str | None = None) -> http.client.HTTPResponse:
    """The list of models by TLS, the host checked with what is trusted."""
    context = ssl.create_default_context(cadata=trusted)
    port = stack.settings["edge"]["port"]
    client = http.client.HTTPSConnection("127.0.0.1", port, timeout=20, context=context)
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    client.request("GET", "/v1/models", headers=headers)
    answer = client.getresponse()
    answer.read()
    client.close()
    return answer


def pair() -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "own")])
    address = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=90))
        .add_extension(address, critical=False)
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), key.private_bytes(*form).decode()


def test_users_speak_tls_and_the_stack_tells_with_which_certificate(secured: "LiveStack") -> None:
    trusted = secured.output("certificates")

    assert secured.output("url").startswith("https://127.0.0.1:")
    assert ask(secured, trusted, secured.token()).status == 200
    assert ask(secured, trusted).status == 401


def test_plain_http_is_told_where_to_go(secured: "LiveStack") -> None:
    port = secured.settings["edge"]["tls"]["http_port"]
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    client.request("GET", "/v1/models?x=1")
    answer = client.getresponse()
    client.close()

    expected = f"https://127.0.0.1:{secured.settings['edge']['port']}/v1/models?x=1"
    assert (answer.status, answer.headers["Location"]) == (308, expected)


def test_a_second_run_with_tls_changes_nothing(secured: "LiveStack") -> None:
    done = secured.up("--refresh", "--expect-no-changes")

    assert done.returncode == 0, done.stdout


@pytest.mark.soak
def test_a_certificate_that_was_taken_away_is_shown_and_made_anew(secured: "LiveStack") -> None:
    machine = secured.machine()
    machine.remove(machine.paths.edge / "tls")

    shown = secured.pulumi("preview", "--refresh", "--diff", "-s", secured.name)
    assert '"as declared" => "removed"' in shown
    done = secured.up("--refresh")

    assert done.returncode == 0, done.stdout
    assert ask(secured, secured.output("certificates")).status == 401


@pytest.mark.soak
def test_a_certificate_of_ones_own_is_served_and_its_key_is_nowhere_in_clear(
    secured: "LiveStack",
) -> None:
    shown, key = pair()
    name = secured.name
    secured.pulumi(
        *("config", "set", "--plaintext", "bentofleet:edge-certificate", "-s", name), stdin=shown
    )
    secured.pulumi("config", "set", "--secret", "bentofleet:edge-key", "-s", name, stdin=key)
    port = secured.settings["edge"]["tls"]["http_port"]
    secured.change(edge={"tls": {"certificate": "own", "http_port": port}})

    done = secured.up()

    assert done.returncode == 0, done.stdout + done.stderr
    assert ask(secured, shown).status == 401
    line = key.splitlines()[1]
    searched = [p for f in (secured.state, secured.reports) for p in Path(f).rglob("*")]
    assert [p for p in searched if p.is_file() and line in p.read_text(errors="replace")] == []
    assert line not in secured.file.read_text()
    assert line not in done.stdout + done.stderr
    assert line not in secured.python("infra.logs", "--stack", name)
    again = secured.up("--refresh", "--expect-no-changes")
    assert again.returncode == 0, again.stdout


@pytest.mark.soak
def test_a_certificate_that_cannot_be_served_is_refused_before_anything_is_touched(
    secured: "LiveStack",
) -> None:
    before, (_, other) = secured.machine().containers(), pair()
    secured.pulumi(
        *("config", "set", "--secret", "bentofleet:edge-key", "-s", secured.name), stdin=other
    )

    done = secured.up()

    assert done.returncode != 0
    assert "bentofleet:edge-key: is not the certificate's key. Give the pair." in done.stdout
    assert secured.machine().containers() == before
    port = secured.settings["edge"]["tls"]["http_port"]
    secured.change(edge={"tls": {"certificate": "self-signed", "http_port": port}})
    assert secured.up().returncode == 0


def test_a_token_that_is_used_too_often_is_told_and_the_gates_is_not(
    secured: "LiveStack",
) -> None:
    secured.change(edge={"rate_limit": {"requests": 5, "period_s": 600}})
    done = secured.up()
    assert done.returncode == 0, done.stdout
    trusted, token = secured.output("certificates"), secured.token()
    key = (secured.keys / "token-key.pem").read_text()

    mine = [ask(secured, trusted, token) for _ in range(7)]
    gate = [ask(secured, trusted, tokens.issue(key, "gate", 600, "gate")) for _ in range(9)]
    made_up = [ask(secured, trusted, "made.up.token") for _ in range(9)]

    assert [a.status for a in mine] == [200] * 5 + [429] * 2
    assert mine[-1].headers["Retry-After"] == "600"
    assert {a.status for a in gate} == {200}
    assert {a.status for a in made_up} == {401}


def test_a_release_that_is_far_slower_than_its_host_was_is_refused_and_live_stays(
    secured: "LiveStack",
) -> None:
    machine, before = secured.machine(), secured.live()
    path = machine.paths.releases / floor.FILE
    recorded = dict(floor.recorded(machine))
    faster = {m: Rate(**{**vars(r), "per_s": 1e9}) for m, r in recorded.items()}
    assert recorded
    machine.write(path, rates.to_json(faster))
    docs = secured.settings.get("service", {}).get("docs", True)
    secured.change(service={"docs": not docs})

    done = secured.up()

    machine.write(path, rates.to_json(recorded))
    secured.change(service={"docs": docs})
    assert done.returncode != 0
    assert ": fail: here: floor: demand does " in done.stdout
    assert "recorded for this host" in done.stdout
    assert secured.live() == before
    told: dict[str, Any] = json.loads((secured.reports / "latest/verdict.json").read_text())
    assert [(s["step"], s["result"]) for s in told["steps"]] == [
        ("ready", "fail"),
        ("put back", "pass"),
    ]
