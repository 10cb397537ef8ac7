"""The public keys that tokens are checked with: a JWKS file, read again when it changes."""

import hashlib
import json
import logging
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from service import contract

EDDSA = "EdDSA"
RS256 = "RS256"
_MIN_RSA_BITS = 2048
_MAX_FILE_BYTES = 1024 * 1024
# A file system's clock ticks every few milliseconds: two writes within a tick look the same.
_SETTLED_S = 0.1
# A look costs more than all else of a remembered token's check; a withdrawn key works no longer.
_FRESH_S = 0.01

_log = logging.getLogger("bentofleet.keys")


@dataclass(frozen=True)
class PublicKey:
    """One key, and the only algorithm that it is used with."""

    key: Ed25519PublicKey | RSAPublicKey
    algorithm: str


class KeySet:
    """The keys of a file, always as they stand there now.

    A missing file means no keys. A file that cannot be understood (half written, for instance)
    leaves the keys as they were and is told in the log.

    Attributes:
        generation: another number after each change of the keys.
    """

    def __init__(self, path: Path) -> None:
        """Reads nothing yet; `path` need not exist."""
        self.generation = 0
        self._looked_at = 0.0
        self._path = path
        self._keys: Mapping[str, PublicKey] = {}
        self._seen: tuple[int, ...] | None = ()
        self._digest: bytes | None = None

    def current(self) -> Mapping[str, PublicKey]:
        """The keys by `kid`; costs one look at the file's times, and a read when they changed."""
        seen = self._look()
        if seen != self._seen:
            self._reload(seen)
        return self._keys

    def is_current(self, generation: int) -> bool:
        """Whether the keys are still those; a look that is `_FRESH_S` old counts."""
        if time.monotonic() - self._looked_at > _FRESH_S:
            self.current()
        return generation == self.generation

    def _look(self) -> tuple[int, ...]:
        self._looked_at = time.monotonic()
        try:
            stat = os.stat(self._path)  # noqa: PTH116  once per request: half of Path's cost
        except OSError:
            return (0,)
        return (stat.st_ino, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)

    def _reload(self, seen: tuple[int, ...]) -> None:
        self._seen = seen if self._settled() else None
        content: bytes | None = None
        try:
            with self._path.open("rb") as file:
                content = file.read(_MAX_FILE_BYTES)
        except FileNotFoundError:
            pass  # no keys, then
        except OSError as error:
            _log.error(
                "%s: cannot be read (%s); the keys stay as they were. Correct its rights.",
                self._path,
                error,
            )
            return
        digest = b"" if content is None else hashlib.sha256(content).digest()
        if digest != self._digest:
            self._digest = digest
            self._take(content)

    def _settled(self) -> bool:
        try:
            # Not the time that a copy may have been given, but that of the last write.
            return abs(time.time() - self._path.stat().st_ctime) > _SETTLED_S
        except OSError:
            return True

    def _take(self, content: bytes | None) -> None:
        if content is None:
            keys: Mapping[str, PublicKey] = {}
            _log.warning(
                "%s: no key set, every call of %s is answered 401. Mount one there (made by "
                "`python -m service.tokens new-key`) or set %s=off.",
                self._path,
                contract.API,
                contract.ENV_AUTH,
            )
        else:
            try:
                keys = parse(content)
            except ValueError as error:
                _log.error("%s: %s The keys stay as they were.", self._path, error)
                return
            _log.info("%s: %d keys (%s)", self._path, len(keys), ", ".join(keys) or "none")
        self._keys = keys
        self.generation += 1


def parse(content: bytes) -> dict[str, PublicKey]:
    """The keys of a JWKS document by `kid`; those of other kinds and uses are left out.

    Raises:
        ValueError: not a key set, a key without `kid`, two with the same, a private or weak one.
    """
    try:
        entries = json.loads(content)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError):
        raise ValueError('not a key set: should be JSON {"keys": [...]}. Write it again.') from None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("not a key set: `keys` should be a list of objects. Write it again.")
    keys: dict[str, PublicKey] = {}
    for entry in entries:
        if _is_ours(entry):
            kid = entry.get("kid")
            if not isinstance(kid, str) or not kid or kid in keys:
                raise ValueError(f"every key needs a `kid` of its own (got {kid!r}). Give it one.")
            keys[kid] = _public_key(kid, entry)
    return keys


def _is_ours(entry: Mapping[str, object]) -> bool:
    signs = entry.get("use", "sig") == "sig"
    algorithm = _algorithm(entry)
    return signs and algorithm is not None and entry.get("alg", algorithm) == algorithm


def _algorithm(entry: Mapping[str, object]) -> str | None:
    if entry.get("kty") == "OKP" and entry.get("crv") == "Ed25519":
        return EDDSA
    return RS256 if entry.get("kty") == "RSA" else None


def _public_key(kid: str, entry: dict[str, object]) -> PublicKey:
    if "d" in entry:
        raise ValueError(f"{kid}: a private key. Take it away, and use another pair from now on.")
    algorithm = _algorithm(entry)
    try:
        key = jwt.PyJWK(entry, algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise ValueError(
            f"{kid}: cannot be read as a key ({error}). Take it from its source again."
        ) from None
    if isinstance(key, RSAPublicKey) and key.key_size >= _MIN_RSA_BITS:
        return PublicKey(key, RS256)
    if isinstance(key, Ed25519PublicKey):
        return PublicKey(key, EDDSA)
    raise ValueError(f"{kid}: should have at least {_MIN_RSA_BITS} bits. Use a longer one.")
