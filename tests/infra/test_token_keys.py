"""The stack's two token settings: what is wrong with them is told without a word of a key."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from jwt.algorithms import OKPAlgorithm

from infra import token_keys
from service import tokens

ED = ed25519.Ed25519PrivateKey.generate()
OTHER = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)
WEAK = rsa.generate_private_key(65537, 1024)  # noqa: S505 - weak on purpose
EC = ec.generate_private_key(ec.SECP256R1())

PUBLIC = tokens.public_jwk(ED)
PRIVATE = {**OKPAlgorithm.to_jwk(ED, as_dict=True), "kid": "planted"}
JWKS = "bentofleet:tokens-jwks"
KEY = "bentofleet:tokens-key"
SET_JWKS = f"`pulumi config set --plaintext {JWKS} < build/keys/jwks.json`"
SET_KEY = f"`pulumi config set --secret {KEY} < build/keys/token-key.pem`"


def pem(key: Any, encryption: Any = None, form: PrivateFormat = PrivateFormat.PKCS8) -> str:
    """A private key's PEM."""
    return str(key.private_bytes(Encoding.PEM, form, encryption or NoEncryption()).decode())


def jwks(*entries: Any) -> str:
    """A key set's JSON."""
    return json.dumps({"keys": list(entries)})


GOOD_KEY = pem(ED)
GOOD_JWKS = jwks(PUBLIC)


@pytest.mark.parametrize(
    ("public", "private"),
    [
        (GOOD_JWKS, GOOD_KEY),
        (jwks(tokens.public_jwk(OTHER), PUBLIC), GOOD_KEY),
        (jwks(tokens.public_jwk(RSA)), pem(RSA)),
        (jwks({"kty": "EC", "crv": "P-256", "x": "a", "y": "b"}, PUBLIC), f"\n{GOOD_KEY}\n"),
    ],
    ids=["one pair", "one of two keys", "rsa", "beside a key of a kind that is not used"],
)
def test_a_pair_is_taken(public: str, private: str) -> None:
    assert token_keys.faults(public, private, needed=True) == []


MAKE = "`make stack STACK=…`, or write `service.auth: off`"
NO_JWKS = f"is missing. Set it and its private key with {MAKE}."
NO_SET = f'is no key set {{"keys": [...]}}. Set it again: {SET_JWKS}.'
NO_PEM = f"is no unencrypted private key in PEM form. Set it again: {SET_KEY}."
NO_KEYS = f"has no Ed25519 or RSA key. Set it again: {SET_JWKS}."
IS_PRIVATE = (
    "key 0 is a private one and would be copied to every host. Take it out, and use another pair "
    "from now on."
)
NO_KID = "key {} has no `kid` of its own. Give every key another one."


@pytest.mark.parametrize(
    ("public", "line"),
    [
        (None, NO_JWKS),
        ("", NO_JWKS),
        (" \n", NO_JWKS),
        ("build/keys/jwks.json", f"is no JSON. Set it again: {SET_JWKS}."),
        (GOOD_JWKS[:-1], f"is no JSON. Set it again: {SET_JWKS}."),
        ("[" * 100_000, f"is no JSON. Set it again: {SET_JWKS}."),
        ("[]", NO_SET),
        ("{}", NO_SET),
        (json.dumps(PUBLIC), NO_SET),
        ('{"keys": {}}', NO_SET),
        ('{"keys": ["a"]}', NO_SET),
        (jwks(), NO_KEYS),
        (jwks({"kty": "EC", "kid": "a"}), NO_KEYS),
        (jwks(PRIVATE), IS_PRIVATE),
        (jwks({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}, PUBLIC), IS_PRIVATE),
        (jwks({k: v for k, v in PUBLIC.items() if k != "kid"}), NO_KID.format(0)),
        (jwks(PUBLIC, {**PUBLIC, "kid": 7}), NO_KID.format(1)),
        (jwks(PUBLIC, PUBLIC), NO_KID.format(1)),
        (
            jwks({**PUBLIC, "x": "AAAA"}),
            f"key 0 is cut off or too short. Set it again: {SET_JWKS}.",
        ),
        (
            jwks({**tokens.public_jwk(RSA), "n": "AQAB"}),
            f"key 0 is cut off or too short. Set it again: {SET_JWKS}.",
        ),
    ],
    ids=[
        "missing",
        "empty",
        "blank",
        "a path",
        "cut off",
        "nested deep",
        "a list",
        "an empty object",
        "one key alone",
        "keys as an object",
        "keys that are texts",
        "no keys",
        "no key of a kind that is used",
        "a private key planted in it",
        "a shared secret planted in it",
        "a key without a name",
        "a key with a number for a name",
        "two keys of one name",
        "a key that is cut off",
        "a weak key",
    ],
)
def test_a_key_set_that_cannot_be_used_is_one_line(public: str | None, line: str) -> None:
    assert token_keys.faults(public, GOOD_KEY, needed=True) == [f"{JWKS}: {line}"]


@pytest.mark.parametrize(
    ("private", "line"),
    [
        (None, f"is missing. The gate signs its token with it: {MAKE}."),
        ("", f"is missing. The gate signs its token with it: {MAKE}."),
        ("build/keys/token-key.pem", NO_PEM),
        (GOOD_KEY[:-40], NO_PEM),
        (pem(ED, BestAvailableEncryption(b"x")), NO_PEM),
        (
            ED.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
            NO_PEM,
        ),
        (GOOD_JWKS, NO_PEM),
        (pem(EC), f"is neither Ed25519 nor RSA of 2048 bits. Set another: {SET_KEY}."),
        (pem(WEAK), f"is neither Ed25519 nor RSA of 2048 bits. Set another: {SET_KEY}."),
        (
            pem(OTHER),
            f"its public key is not in {JWKS}, the service would refuse its tokens. "
            f"Set both from one pair: {SET_JWKS} and {SET_KEY}.",
        ),
    ],
    ids=[
        "missing",
        "empty",
        "a path",
        "cut off",
        "encrypted",
        "a public key",
        "the key set",
        "an elliptic key",
        "a weak key",
        "another pair's",
    ],
)
def test_a_signing_key_that_cannot_be_used_is_one_line(private: str | None, line: str) -> None:
    assert token_keys.faults(GOOD_JWKS, private, needed=True) == [f"{KEY}: {line}"]


def test_a_key_under_another_name_than_its_thumbprint_would_not_be_found() -> None:
    (line,) = token_keys.faults(jwks({**PUBLIC, "kid": "mine"}), GOOD_KEY, needed=True)

    assert line.startswith(f"{KEY}: its public key is not in {JWKS}")


def test_no_line_repeats_anything_of_a_key() -> None:
    secrets = [*GOOD_KEY.split("\n")[1:-2], str(PRIVATE["d"]), "c2VjcmV0"]
    values = [GOOD_KEY[:-40], pem(OTHER), jwks(PRIVATE)]
    values.append(jwks({"kty": "oct", "k": "c2VjcmV0", "kid": "a"}))

    lines = [
        line
        for public in (*values, GOOD_JWKS)
        for private in (*values, GOOD_KEY)
        for line in token_keys.faults(public, private, needed=True)
    ]

    assert len(lines) > len(values)
    assert [line for line in lines for secret in secrets if secret in line] == []
    assert [line for line in lines if "PRIVATE KEY" in line] == []


def test_both_settings_are_told_at_once() -> None:
    lines = token_keys.faults(jwks(PRIVATE, PRIVATE), "x", needed=True)

    assert [line.partition(": ")[0] for line in lines] == [JWKS, JWKS, KEY]


def test_without_authentication_only_what_is_there_is_checked() -> None:
    assert token_keys.faults(None, None, needed=False) == []
    (line,) = token_keys.faults(jwks(PRIVATE), None, needed=False)
    assert line == f"{JWKS}: {IS_PRIVATE}"
