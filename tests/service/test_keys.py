"""The key set: what is a key, and what a change of the file does."""

import json
import logging
import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ed448, ed25519, rsa
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from service import keys, tokens

ED = ed25519.Ed25519PrivateKey.generate()
GOOD = tokens.public_jwk(ED)
RSA_2048 = {**tokens.public_jwk(rsa.generate_private_key(65537, 2048)), "kid": "rsa"}
RSA_1024 = {
    **RSAAlgorithm.to_jwk(
        rsa.generate_private_key(65537, 1024).public_key(),  # noqa: S505  weak on purpose
        as_dict=True,
    ),
    "kid": "weak",
}
PRIVATE = {**OKPAlgorithm.to_jwk(ED, as_dict=True), "kid": "private"}


def document(*entries):
    return json.dumps({"keys": list(entries)}).encode()


def test_ed25519_and_rsa_keys_are_taken_with_their_only_algorithm():
    found = keys.parse(document(GOOD, RSA_2048))
    assert {kid: key.algorithm for kid, key in found.items()} == {
        GOOD["kid"]: "EdDSA",
        "rsa": "RS256",
    }


@pytest.mark.parametrize(
    "entry",
    [
        {**GOOD, "use": "enc"},
        {**RSA_2048, "alg": "RSA-OAEP"},
        {**RSA_2048, "alg": "RS512"},
        {"kty": "EC", "crv": "P-256", "x": "a", "y": "b", "kid": "ec"},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "shared"},
        {
            **OKPAlgorithm.to_jwk(ed448.Ed448PrivateKey.generate().public_key(), as_dict=True),
            "kid": "448",
        },
        {},
    ],
    ids=["encryption", "another algorithm", "rs512", "elliptic", "shared", "ed448", "empty"],
)
def test_keys_of_other_kinds_are_left_out(entry):
    assert set(keys.parse(document(entry, GOOD))) == {GOOD["kid"]}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "not a key set"),
        (b"[]", "not a key set"),
        (b"\xff", "not a key set"),
        (b"[" * 100_000, "not a key set"),
        (b'{"keys": {}}', "list of objects"),
        (b'{"keys": [1]}', "list of objects"),
        (document({**GOOD, "kid": ""}), "`kid` of its own"),
        (document({k: v for k, v in GOOD.items() if k != "kid"}), "`kid` of its own"),
        (document(GOOD, GOOD), "`kid` of its own"),
        (document(PRIVATE), "private: a private key"),
        (document(RSA_1024), "weak: should have at least 2048 bits"),
        (document({**GOOD, "x": "AAAA"}), "cannot be read as a key"),
        (document({"kty": "RSA", "kid": "half", "n": "AQAB"}), "cannot be read as a key"),
    ],
)
def test_a_bad_key_set_is_refused_with_the_reason(content, told):
    with pytest.raises(ValueError, match=told) as caught:
        keys.parse(content)
    assert str(PRIVATE["d"]) not in str(caught.value)


def test_a_missing_file_means_no_keys_and_says_what_to_mount(tmp_path, caplog):
    found = keys.KeySet(tmp_path / "jwks.json")
    assert found.current() == {}
    assert "Mount one there" in caplog.text
    caplog.clear()
    assert found.current() == {}
    assert not caplog.records  # told once


def test_a_file_that_comes_later_is_found(tmp_path):
    path = tmp_path / "jwks.json"
    found = keys.KeySet(path)
    assert found.current() == {}
    path.write_bytes(document(GOOD))
    assert set(found.current()) == {GOOD["kid"]}


def test_a_broken_file_leaves_the_keys_and_a_deleted_one_does_not(tmp_path, caplog):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(GOOD))
    found = keys.KeySet(path)
    assert set(found.current()) == {GOOD["kid"]}
    path.write_bytes(b"")
    assert set(found.current()) == {GOOD["kid"]}
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    path.unlink()
    assert found.current() == {}


def test_a_path_that_cannot_be_read_leaves_the_keys(tmp_path, caplog):
    path = tmp_path / "jwks.json"
    path.write_bytes(document(GOOD))
    found = keys.KeySet(path)
    found.current()
    path.unlink()
    path.mkdir()
    assert set(found.current()) == {GOOD["kid"]}
    assert "cannot be read" in caplog.text


def test_two_writes_in_one_tick_of_the_clock_are_both_seen(tmp_path):
    path = tmp_path / "jwks.json"
    found = keys.KeySet(path)
    for kid in ("one", "two", "six"):  # the same length, so that only the content tells
        path.write_bytes(document({**GOOD, "kid": kid}))
        assert set(found.current()) == {kid}


def test_two_writes_in_one_tick_that_set_an_old_time_are_both_seen(tmp_path):
    path = tmp_path / "jwks.json"
    found = keys.KeySet(path)
    for kid in ("one", "two", "six"):
        path.write_bytes(document({**GOOD, "kid": kid}))  # in place, as `cp --preserve` does it
        os.utime(path, (1_500_000_000, 1_500_000_000))
        assert set(found.current()) == {kid}
