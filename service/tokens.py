"""Makes signing keys and issues tokens: a command for operators, never part of the service.

python -m service.tokens new-key --out-dir build/keys
python -m service.tokens issue --key build/keys/token-key.pem --scope predict --lifetime 1h
"""

import argparse
import base64
import hashlib
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import OKPAlgorithm, RSAAlgorithm

from service import contract, keys, settings

KEY_FILE = "token-key.pem"
JWKS_FILE = "jwks.json"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_SCOPE = re.compile(r"[a-z][a-z0-9_:]*( [a-z][a-z0-9_:]*)*")

PrivateKey = Ed25519PrivateKey | RSAPrivateKey


def issue(
    key_pem: str,
    scope: str,
    lifetime_s: int,
    subject: str,
    *,
    audience: str = "bentofleet",
    issuer: str = "bentofleet",
    kid: str | None = None,
) -> str:
    """A signed token.

    Args:
        key_pem: private key, PKCS8 PEM, Ed25519 or RSA.
        scope: words separated by blanks: `predict`, `predict:<model>`, `gate`.
        lifetime_s: from now.
        subject: whom it is for.
        audience: the service's setting.
        issuer: the service's setting.
        kid: the key's name in the key set; without it the key's thumbprint, as `new-key` writes it.

    Raises:
        ValueError: a bad key, scope, lifetime or subject.
    """
    if not _SCOPE.fullmatch(scope):
        raise ValueError(
            f"--scope: should be predict, predict:<model> or gate (got {scope!r}). Correct it."
        )
    if not 0 < lifetime_s <= contract.MAX_TOKEN_LIFETIME_S:
        most = contract.MAX_TOKEN_LIFETIME_S // 3600
        raise ValueError(
            f"--lifetime: should be from 1s to {most}h (got {lifetime_s}s). Correct it."
        )
    if not subject:
        raise ValueError("--subject: should not be empty. Name who gets the token.")
    key = _load(key_pem)
    now = int(time.time())
    claims = {
        "iat": now,
        "exp": now + lifetime_s,
        "aud": audience,
        "iss": issuer,
        "sub": subject,
        "scope": scope,
    }
    algorithm = keys.EDDSA if isinstance(key, Ed25519PrivateKey) else keys.RS256
    header = {"kid": kid or str(public_jwk(key)["kid"])}
    return jwt.encode(claims, key, algorithm=algorithm, headers=header)


def public_jwk(key: PrivateKey) -> dict[str, object]:
    """The public part as a JWK whose `kid` is its RFC 7638 thumbprint."""
    if isinstance(key, Ed25519PrivateKey):
        jwk, algorithm = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True), keys.EDDSA
        required = {name: jwk[name] for name in ("crv", "kty", "x")}
    else:
        jwk, algorithm = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True), keys.RS256
        required = {name: jwk[name] for name in ("e", "kty", "n")}
    text = json.dumps(required, sort_keys=True, separators=(",", ":"))
    digest = hashlib.sha256(text.encode()).digest()
    kid = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
    return {**required, "use": "sig", "alg": algorithm, "kid": kid}


def new_key(out_dir: Path, *, rotate: bool = False) -> Path:
    """Makes a key and adds its public part to the key set beside it; returns the key's path.

    Args:
        out_dir: is made if missing.
        rotate: replace the signing key; the key set keeps the old public keys until they are
            deleted from it, so that their tokens go on.

    Raises:
        ValueError: there is a key already and `rotate` is false, or the key set is not one.
    """
    key_path, jwks_path = out_dir / KEY_FILE, out_dir / JWKS_FILE
    if key_path.exists() and not rotate:
        raise ValueError(f"{key_path}: exists. Use --rotate to put a new key in its place.")
    entries: list[dict[str, object]] = []
    if jwks_path.exists():
        content = jwks_path.read_bytes()
        try:
            keys.parse(content)
        except ValueError as error:
            raise ValueError(f"{jwks_path}: {error}") from error
        entries = json.loads(content)["keys"]
    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    out_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    document = json.dumps({"keys": [*entries, public_jwk(key)]}, indent=2) + "\n"
    # The public part goes first: a service must know a key before tokens are signed with it.
    _write(jwks_path, document.encode(), 0o644)
    _write(key_path, pem, 0o600)
    return key_path


def main(argv: Sequence[str] | None = None) -> int:
    """The command; an error is one line on stderr and exit code 2."""
    try:
        line = _run(_parser().parse_args(argv))
    except (ValueError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    sys.stdout.write(f"{line}\n")
    return 0


def _run(arguments: argparse.Namespace) -> str:
    if arguments.command == "new-key":
        return str(new_key(arguments.out_dir, rotate=arguments.rotate))
    pem = sys.stdin.read() if arguments.key == "-" else Path(arguments.key).read_text()
    return issue(
        pem,
        arguments.scope,
        _seconds(arguments.lifetime),
        arguments.subject,
        audience=arguments.audience,
        issuer=arguments.issuer,
        kid=arguments.kid,
    )


def _parser() -> argparse.ArgumentParser:
    process = settings.read(os.environ)
    parser = argparse.ArgumentParser(prog="python -m service.tokens", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    new = commands.add_parser("new-key", help="make a signing key and its key set")
    new.add_argument("--out-dir", type=Path, default=Path("build/keys"))
    new.add_argument("--rotate", action="store_true", help="put a new key in the old one's place")
    token = commands.add_parser("issue", help="print a token")
    token.add_argument("--key", required=True, help="private key, PEM file; - reads stdin")
    token.add_argument("--scope", default=contract.SCOPE_PREDICT)
    token.add_argument("--lifetime", default="1h", help="as 90s, 10m, 1h or 1d; at most 24h")
    token.add_argument("--subject", default="operator")
    token.add_argument("--audience", default=process.audience)
    token.add_argument("--issuer", default=process.issuer)
    token.add_argument("--kid", help="the key's name in the key set; default: its thumbprint")
    return parser


def _seconds(lifetime: str) -> int:
    match = re.fullmatch(r"(\d{1,9})([smhd])", lifetime, re.ASCII)
    if match is None:
        raise ValueError(
            f"--lifetime: should look like 90s, 10m, 1h or 1d (got {lifetime!r}). Correct it."
        )
    return int(match[1]) * _UNITS[match[2]]


def _load(key_pem: str) -> PrivateKey:
    try:
        key = load_pem_private_key(key_pem.encode(), password=None)
    except (ValueError, TypeError):  # the library's message may quote the key: do not repeat it
        raise ValueError(
            "--key: not an unencrypted private key in PEM form. Give token-key.pem."
        ) from None
    if not isinstance(key, Ed25519PrivateKey | RSAPrivateKey):
        raise ValueError("--key: should be an Ed25519 or RSA key. Make one with new-key.")
    return key


def _write(path: Path, content: bytes, mode: int) -> None:
    """Puts the whole file in place at once: a service may be reading it."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    part.chmod(mode)
    part.replace(path)


if __name__ == "__main__":
    sys.exit(main())
