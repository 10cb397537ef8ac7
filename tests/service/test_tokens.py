"""The command that makes keys and issues tokens."""

import io
import json
import stat
import subprocess
import sys

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from service import auth, keys, tokens


def pem(key, encryption=None):
    encryption = encryption or NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption).decode()


@pytest.fixture
def folder(tmp_path):
    tokens.new_key(tmp_path / "keys")
    return tmp_path / "keys"


def test_a_new_key_is_for_its_owner_alone_and_its_key_set_is_public(folder):
    assert stat.S_IMODE((folder / "token-key.pem").stat().st_mode) == 0o600
    (entry,) = json.loads((folder / "jwks.json").read_text())["keys"]
    assert set(entry) == {"kty", "crv", "x", "use", "alg", "kid"}
    assert sorted(path.name for path in folder.iterdir()) == ["jwks.json", "token-key.pem"]


def test_a_token_of_a_new_key_passes(folder):
    text = tokens.issue((folder / "token-key.pem").read_text(), "predict:energy gate", 60, "me")
    gate = auth.Auth(keys.KeySet(folder / "jwks.json"), "bentofleet", "bentofleet")
    caller = gate.caller(f"Bearer {text}".encode())
    assert (caller.subject, caller.scopes) == ("me", {"predict:energy", "gate"})


def test_a_token_of_an_rsa_key_passes(tmp_path):
    key = rsa.generate_private_key(65537, 2048)
    (tmp_path / "jwks.json").write_text(json.dumps({"keys": [tokens.public_jwk(key)]}))
    gate = auth.Auth(keys.KeySet(tmp_path / "jwks.json"), "a", "i")
    text = tokens.issue(pem(key), "predict", 60, "me", audience="a", issuer="i")
    assert gate.caller(f"Bearer {text}".encode()).subject == "me"


def test_a_second_key_is_not_made_by_accident(folder, capsys):
    before = (folder / "token-key.pem").read_bytes()
    assert tokens.main(["new-key", "--out-dir", str(folder)]) == 2
    assert "exists. Use --rotate" in capsys.readouterr().err
    assert (folder / "token-key.pem").read_bytes() == before


def test_a_rotation_keeps_the_old_public_key(folder):
    old = tokens.issue((folder / "token-key.pem").read_text(), "predict", 60, "old")
    tokens.new_key(folder, rotate=True)
    new = tokens.issue((folder / "token-key.pem").read_text(), "predict", 60, "new")
    gate = auth.Auth(keys.KeySet(folder / "jwks.json"), "bentofleet", "bentofleet")
    assert [gate.caller(f"Bearer {text}".encode()).subject for text in (old, new)] == ["old", "new"]
    assert len({jwt.get_unverified_header(text)["kid"] for text in (old, new)}) == 2


def test_a_rotation_does_not_touch_a_key_set_that_it_does_not_understand(folder, capsys):
    (folder / "jwks.json").write_text("{")
    assert tokens.main(["new-key", "--out-dir", str(folder), "--rotate"]) == 2
    assert (folder / "jwks.json").read_text() == "{"


def test_issue_prints_the_token_alone(folder):
    command = [sys.executable, "-m", "service.tokens", "issue", "--key", "-", "--scope", "gate"]
    key = (folder / "token-key.pem").read_text()
    done = subprocess.run(
        [*command, "--lifetime", "2m", "--subject", "gate"],
        input=key,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    claims = jwt.decode(done.stdout.strip(), options={"verify_signature": False})
    assert done.stdout.count("\n") == 1
    assert claims["exp"] - claims["iat"] == 120
    assert (claims["scope"], claims["sub"], claims["aud"]) == ("gate", "gate", "bentofleet")


ENCRYPTED = pem(ed25519.Ed25519PrivateKey.generate(), BestAvailableEncryption(b"x"))


@pytest.mark.parametrize(
    ("options", "key", "told"),
    [
        (["--scope", "Predict"], None, "--scope: should be predict"),
        (["--scope", ""], None, "--scope: should be predict"),
        (
            ["--lifetime", "25h"],
            None,
            "--lifetime: should be from 1s to 24h (got 90000s). Correct it.",
        ),
        (["--lifetime", "0s"], None, "--lifetime: should be from 1s to 24h (got 0s). Correct it."),
        (["--lifetime", "1 hour"], None, "--lifetime: should look like 90s, 10m, 1h or 1d"),
        (["--subject", ""], None, "--subject: should not be empty."),
        ([], "nonsense", "--key: not an unencrypted private key in PEM form."),
        ([], ENCRYPTED, "--key: not an unencrypted private key in PEM form."),
        ([], pem(ec.generate_private_key(ec.SECP256R1())), "--key: should be an Ed25519 or RSA"),
    ],
)
def test_a_wrong_order_is_one_line_and_exit_code_2(folder, monkeypatch, capsys, options, key, told):
    monkeypatch.setattr(sys, "stdin", io.StringIO(key or (folder / "token-key.pem").read_text()))
    assert tokens.main(["issue", "--key", "-", *options]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(told)
    assert err.count("\n") == 1


def test_a_missing_key_file_is_named(tmp_path, capsys):
    assert tokens.main(["issue", "--key", str(tmp_path / "no.pem")]) == 2
    assert "no.pem" in capsys.readouterr().err
