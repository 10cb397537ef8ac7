"""Who may call: checks bearer tokens against the key set and tells what they allow."""

import hashlib
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt
import orjson
from jwt.utils import base64url_decode

from service import contract
from service.api import problems
from service.keys import KeySet, PublicKey

_SCHEME = b"bearer "
_MAX_CACHED = 4096
_MAX_MOMENT = 2**40  # seconds, far beyond any clock; larger numbers are nonsense or an attack
_MAX_SUBJECT = 256
# Without padding, which the library would take: each token has one spelling, and one place.
_SHAPE = re.compile(rb"([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Caller:
    """What a valid token says.

    Attributes:
        until: end of the token, in seconds since 1970, the leeway for clocks included.
        generation: of the keys that it was checked with.
        traffic: whether the gate calls, or a user.
    """

    subject: str
    scopes: frozenset[str]
    until: float
    generation: int = 0
    traffic: str = contract.TRAFFIC_USER

    def require(self, model: str) -> None:
        """Stops a caller who may not use the model.

        Raises:
            ProblemError: 403.
        """
        allowed = (contract.SCOPE_PREDICT, contract.SCOPE_GATE, contract.model_scope(model))
        if self.scopes.isdisjoint(allowed):
            raise problems.ProblemError(
                problems.FORBIDDEN,
                f"The token's scope should have {contract.SCOPE_PREDICT!r} or "
                f"{contract.model_scope(model)!r}.",
                reason="scope",
            )


ANYONE = Caller("", frozenset({contract.SCOPE_PREDICT}), float("inf"))


class Auth:
    """Checks tokens; what was checked is remembered until its end or a change of the keys."""

    def __init__(
        self, keys: KeySet, audience: str, issuer: str, clock: Callable[[], float] = time.time
    ) -> None:
        """Takes tokens of this issuer for this audience, signed with one of these keys."""
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._clock = clock
        self._cache: dict[bytes, Caller] = {}
        self._generation = keys.generation

    def caller(self, authorization: bytes | None) -> Caller:
        """The caller behind an Authorization header.

        Raises:
            ProblemError: 401, the same for every cause.
        """
        if authorization is None or authorization[: len(_SCHEME)].lower() != _SCHEME:
            raise problems.unauthorized("no bearer token")
        token = authorization[len(_SCHEME) :].strip(b" ")
        if len(token) > contract.MAX_TOKEN_BYTES:
            raise problems.unauthorized("token too long")
        digest = hashlib.sha256(token).digest()
        keys = self._keys.current()
        if self._keys.generation != self._generation:
            self._generation = self._keys.generation
            self._cache.clear()
        caller = self._cache.get(digest)
        if caller is None or caller.until <= self._clock():
            self._cache.pop(digest, None)
            caller = self._verify(token, keys)
            self._remember(digest, caller)
        return caller

    def holds(self, caller: Caller) -> bool:
        """Whether a caller's token is still good: not at its end, and the keys are the same."""
        return caller.until > self._clock() and self._keys.is_current(caller.generation)

    def _remember(self, digest: bytes, caller: Caller) -> None:
        if len(self._cache) >= _MAX_CACHED:
            del self._cache[next(iter(self._cache))]
        self._cache[digest] = caller

    def _verify(self, token: bytes, keys: Mapping[str, PublicKey]) -> Caller:
        try:
            key = _named_key(token, keys)
            claims = jwt.decode(
                token,
                key.key,
                algorithms=[key.algorithm],
                audience=self._audience,
                issuer=self._issuer,
                leeway=contract.CLOCK_LEEWAY_S,
                # Times are checked below, by our clock and as bounded whole numbers.
                options={
                    "require": list(contract.TOKEN_CLAIMS),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
            return self._caller(claims)
        except problems.ProblemError:
            raise
        except Exception as error:  # whatever a hostile token breaks, it is not a valid one
            raise problems.unauthorized(type(error).__name__) from error

    def _caller(self, claims: Mapping[str, Any]) -> Caller:
        subject, scopes, until = _content(claims, self._clock())
        gate = contract.SCOPE_GATE in scopes
        traffic = contract.TRAFFIC_GATE if gate else contract.TRAFFIC_USER
        return Caller(subject, scopes, until, self._generation, traffic)


def _named_key(token: bytes, keys: Mapping[str, PublicKey]) -> PublicKey:
    """The key that the token names: what names none costs no look at its claims and signature."""
    shape = _SHAPE.fullmatch(token)
    if shape is None:
        raise problems.unauthorized("not a token")
    head = orjson.loads(base64url_decode(shape[1]))
    kid = head.get("kid")
    key = keys.get(kid) if isinstance(kid, str) else None
    if key is None:
        raise problems.unauthorized("unknown key")
    if head.get("alg") != key.algorithm:
        raise problems.unauthorized("algorithm")
    return key


def _content(claims: Mapping[str, Any], now: float) -> tuple[str, frozenset[str], float]:
    """Subject, scopes and the moment from which on the token counts no more."""
    leeway = contract.CLOCK_LEEWAY_S
    issued, expires = _moment(claims["iat"]), _moment(claims["exp"])
    if expires <= now - leeway:
        raise problems.unauthorized("expired")
    if issued > now + leeway or _moment(claims.get("nbf", 0)) > now + leeway:
        raise problems.unauthorized("not yet valid")
    if not 0 < expires - issued <= contract.MAX_TOKEN_LIFETIME_S:
        raise problems.unauthorized("lifetime")
    subject, scope = claims["sub"], claims["scope"]
    if not isinstance(subject, str) or not 0 < len(subject) <= _MAX_SUBJECT:
        raise problems.unauthorized("subject")
    if not isinstance(scope, str):
        raise problems.unauthorized("scope")
    return subject, frozenset(scope.split()), expires + leeway


def _moment(claim: object) -> int:
    if type(claim) is not int or not 0 <= claim < _MAX_MOMENT:
        raise problems.unauthorized("not a time")
    return claim
