"""Checks the stack's two token settings before anything is touched. Repeats no value of a key."""

import base64
import hashlib
import json
from collections.abc import Iterator, Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

JWKS = "bentofleet:tokens-jwks"
KEY = "bentofleet:tokens-key"

_MAKE = "`make stack STACK=…`, or write `service.auth: off`"
_SET_JWKS = f"`pulumi config set --plaintext {JWKS} < build/keys/jwks.json`"
_SET_KEY = f"`pulumi config set --secret {KEY} < build/keys/token-key.pem`"
_PRIVATE = ("d", "p", "q", "dp", "dq", "qi", "k")
_MIN_RSA_BITS = 2048
_ED25519_BYTES = 32

Jwk = Mapping[str, object]


def faults(jwks: str | None, key_pem: str | None, *, needed: bool) -> list[str]:
    """One line for each thing that is wrong; empty where tokens can be signed and checked.

    Args:
        jwks: the public keys, as a JWK set.
        key_pem: the private key that signs the gate's token.
        needed: whether the service asks for tokens; without, only what is there is checked.
    """
    lines: list[str] = []
    entries = _jwks(jwks, lines, needed=needed)
    key = _key(key_pem, lines, needed=needed)
    if entries is not None and key is not None and not any(_is_of(e, key) for e in entries):
        lines.append(
            f"{KEY}: its public key is not in {JWKS}, the service would refuse its tokens. "
            f"Set both from one pair: {_SET_JWKS} and {_SET_KEY}."
        )
    return lines


def _jwks(text: str | None, lines: list[str], *, needed: bool) -> list[Jwk] | None:
    if not text or not text.strip():
        if needed:
            lines.append(f"{JWKS}: is missing. Set it and its private key with {_MAKE}.")
        return None
    try:
        document = json.loads(text)
        entries = document["keys"] if isinstance(document, dict) else None
    except (ValueError, RecursionError):
        lines.append(f"{JWKS}: is no JSON. Set it again: {_SET_JWKS}.")
        return None
    except KeyError:
        entries = None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        lines.append(f'{JWKS}: is no key set {{"keys": [...]}}. Set it again: {_SET_JWKS}.')
        return None
    wrong = list(_wrong_entries(entries))
    lines.extend(f"{JWKS}: {line}" for line in wrong)
    return None if wrong else entries


def _wrong_entries(entries: list[Jwk]) -> Iterator[str]:
    """As the service reads a set: keys of other kinds may stand in it, private ones never."""
    names: set[object] = set()
    for number, entry in enumerate(entries):
        if any(part in entry for part in _PRIVATE):
            yield (
                f"key {number} is a private one and would be copied to every host. Take it out, "
                "and use another pair from now on."
            )
        elif _form(entry) is not None:
            name = entry.get("kid")
            if not isinstance(name, str) or not name or name in names:
                yield f"key {number} has no `kid` of its own. Give every key another one."
            elif not _is_whole(entry):
                yield f"key {number} is cut off or too short. Set it again: {_SET_JWKS}."
            names.add(name)
    if not any(_form(entry) for entry in entries):
        yield f"has no Ed25519 or RSA key. Set it again: {_SET_JWKS}."


def _form(entry: Jwk) -> dict[str, object] | None:
    """What makes the key, and so its thumbprint (RFC 7638); None for kinds that are not used."""
    if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519":
        return {name: entry.get(name) for name in ("crv", "kty", "x")}
    if entry.get("kty") == "RSA":
        return {name: entry.get(name) for name in ("e", "kty", "n")}
    return None


def _is_whole(entry: Jwk) -> bool:
    is_rsa = entry.get("kty") == "RSA"
    text = entry.get("n" if is_rsa else "x")
    if not isinstance(text, str):
        return False
    try:
        size = len(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    except ValueError:
        return False
    return size * 8 >= _MIN_RSA_BITS if is_rsa else size == _ED25519_BYTES


def _key(
    text: str | None, lines: list[str], *, needed: bool
) -> Ed25519PrivateKey | RSAPrivateKey | None:
    if not text or not text.strip():
        if needed:
            lines.append(f"{KEY}: is missing. The gate signs its token with it: {_MAKE}.")
        return None
    try:
        key = load_pem_private_key(text.encode(), password=None)
    except Exception:  # the library raises several types, and a message may quote the key
        lines.append(f"{KEY}: is no unencrypted private key in PEM form. Set it again: {_SET_KEY}.")
        return None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if isinstance(key, RSAPrivateKey) and key.key_size >= _MIN_RSA_BITS:
        return key
    lines.append(
        f"{KEY}: is neither Ed25519 nor RSA of {_MIN_RSA_BITS} bits. Set another: {_SET_KEY}."
    )
    return None


def _is_of(entry: Jwk, key: Ed25519PrivateKey | RSAPrivateKey) -> bool:
    """Whether a token signed with the key finds this entry: same key, its thumbprint as `kid`."""
    form: dict[str, object]
    if isinstance(key, Ed25519PrivateKey):
        raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        form = {"crv": "Ed25519", "kty": "OKP", "x": _encoded(raw)}
    else:
        numbers = key.public_key().public_numbers()
        form = {"e": _whole(numbers.e), "kty": "RSA", "n": _whole(numbers.n)}
    canonical = json.dumps(form, separators=(",", ":"), sort_keys=True).encode()
    thumbprint = _encoded(hashlib.sha256(canonical).digest())
    return _form(entry) == form and entry.get("kid") == thumbprint


def _whole(number: int) -> str:
    return _encoded(number.to_bytes((number.bit_length() + 7) // 8, "big"))


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
