"""What the doctor says of the machine that runs Pulumi."""

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from infra import certificates, config, token_keys, versions
from infra.doctor import here

NOW = datetime(2027, 1, 15, tzinfo=UTC)


def codes(findings) -> list[str]:
    return [finding.code for finding in findings]


@pytest.mark.parametrize(
    ("said", "code"),
    [
        (f"v{versions.PULUMI}", "pulumi.version"),
        ("v3.100.0", "pulumi.other"),
        (None, "pulumi.missing"),
    ],
)
def test_pulumi_s_version_is_the_pinned_one_another_or_none(said, code) -> None:
    assert codes(here.of_pulumi(said)) == [code]


def test_an_image_that_was_not_built_is_told_with_its_cure(tmp_path, monkeypatch) -> None:
    monkeypatch.delenv("BENTOFLEET_IMAGES", raising=False)
    (found,) = here.of_images(tmp_path, {"cpu", "edge"})
    assert (found.code, found.severity) == ("image.not-ready", "error")
    assert found.line == "build/images.json: no image was built yet. Run `make image`."


class Engine:
    """Answers as an engine does that was asked to run a program of an image."""

    def __init__(self, status: int, out: str, err: str) -> None:
        self.done = subprocess.CompletedProcess([], status, out, err)
        self.asked: list[str] = []

    def ask(self, *words: str, timeout_s: float) -> subprocess.CompletedProcess[str]:
        self.asked += words
        return self.done


@pytest.mark.parametrize(
    ("status", "out", "code"),
    [
        (0, "22.3.6-1+deb12u2", "mesa.version"),
        (0, "20.3.5-1", "mesa.old"),
        (125, "", "mesa.unchecked"),
    ],
)
def test_the_image_s_mesa_is_asked_of_the_image(tmp_path, monkeypatch, status, out, code) -> None:
    built = {"tag": "localhost/x:vulkan-1", "image_id": "0" * 64, "inputs": {}}
    (tmp_path / "images.json").write_text(json.dumps({"vulkan": built}))
    monkeypatch.setenv("BENTOFLEET_IMAGES", str(tmp_path / "images.json"))
    there = Engine(status, out, "Error: no such image")
    monkeypatch.setattr(here.engine, "find", lambda: there)
    (found,) = here.of_mesa(tmp_path)
    assert found.code == code
    assert "localhost/x:vulkan-1" in there.asked
    if code == "mesa.unchecked":
        assert found.got == "Error: no such image"


def test_without_an_image_for_cards_its_mesa_is_unchecked(tmp_path, monkeypatch) -> None:
    (tmp_path / "images.json").write_text("{}")
    monkeypatch.setenv("BENTOFLEET_IMAGES", str(tmp_path / "images.json"))
    assert codes(here.of_mesa(tmp_path)) == ["mesa.unchecked"]


def test_keys_that_are_missing_are_told_and_a_sealed_one_is_unchecked() -> None:
    missing = list(here.of_keys({}, needed=True))
    assert codes(missing) == ["token.keys", "token.keys"]
    assert all(f.cure.startswith(("Set it", "The gate signs")) for f in missing)
    sealed = {token_keys.JWKS: '{"keys": []}', token_keys.KEY: {"secure": "v1:x"}}
    assert codes(here.of_keys(sealed, needed=True)) == ["token.keys", "token.key-sealed"]
    assert codes(here.of_keys({}, needed=False)) == []


def test_a_private_key_in_the_set_is_found_and_not_shown() -> None:
    entry = {"kty": "OKP", "crv": "Ed25519", "kid": "a", "x": "x", "d": "SECRET"}
    found = list(here.of_keys({token_keys.JWKS: json.dumps({"keys": [entry]})}, needed=True))
    assert "token.keys" in codes(found)
    assert not any("SECRET" in f.line for f in found)


def stack(**tls: str) -> config.Stack:
    return config.parse(
        {
            "kind": "local",
            "hosts": [{"name": "a", "address": "192.0.2.11", "user": "deploy"}],
            "edge": {"port": 8443, "tls": {"certificate": "own", **tls}},
        }
    )


def pair(folder: Path, name: str, ends: datetime) -> dict[str, str]:
    """Files of a certificate and its key, as the stack's file names them."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    serial = x509.random_serial_number()
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), serial)
        .not_valid_before(NOW - timedelta(days=300))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "edge.pem").write_bytes(made.public_bytes(Encoding.PEM))
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "edge.key").write_bytes(key.private_bytes(*form))
    return {"certificate_file": "edge.pem", "key_file": "edge.key"}


@pytest.mark.parametrize(
    ("name", "days", "found"),
    [
        ("192.0.2.11", 200, ["certificate.valid"]),
        ("192.0.2.11", 10, ["certificate.soon"]),
        ("other.example.org", 200, ["certificate.other-names", "certificate.valid"]),
        ("192.0.2.11", -1, ["certificate.faulty"]),
    ],
)
def test_files_of_a_certificate_are_judged_with_their_key(tmp_path, name, days, found) -> None:
    files = pair(tmp_path, name, NOW + timedelta(days=days))
    assert codes(here.of_own_certificate(tmp_path, stack(**files), {}, NOW)) == found


def test_a_certificate_s_files_that_are_not_there_are_told(tmp_path: Path) -> None:
    files = {"certificate_file": "gone.pem", "key_file": "gone.key"}
    found = list(here.of_own_certificate(tmp_path, stack(**files), {}, NOW))
    assert codes(found) == ["certificate.faulty", "certificate.faulty"]
    assert "gone.pem: cannot be read" in found[0].line


def test_a_certificate_in_the_stack_s_file_is_looked_at_unless_it_is_encrypted(tmp_path) -> None:
    clear = {certificates.CERTIFICATE: "no certificate"}
    assert codes(here.of_own_certificate(tmp_path, stack(), clear, NOW)) == ["certificate.not-one"]
    sealed = {certificates.CERTIFICATE: {"secure": "v1:x"}}
    (found,) = here.of_own_certificate(tmp_path, stack(), sealed, NOW)
    assert (found.code, found.got) == ("certificate.unchecked", "it is encrypted")


def test_the_token_that_every_load_test_makes_anew_may_end(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(here.stack_file, "path_of", lambda _: tmp_path / "Pulumi.lab.yaml")
    (tmp_path / "Pulumi.lab.yaml").write_text("config: {}\n")
    keys = tmp_path / "build" / "keys"
    keys.mkdir(parents=True)
    for name in ("ana.token", "load.token"):
        (keys / name).write_text("no token")
    found = list(here.check(tmp_path, "lab", stack(), NOW))
    assert [f.what for f in found if f.code == "token.not-one"] == [
        "build/keys/ana.token: this is no token of ours"
    ]


def test_a_message_is_taken_apart_into_what_is_wrong_and_what_to_do() -> None:
    what, cure = here.split("port 80: is taken (got v1. 2). Free it. Or not.")
    assert what.startswith("port 80: is taken")
    assert cure.endswith("Free it. Or not.") or cure.startswith("2)")
    assert here.split("nothing to do") == ("nothing to do", "")
