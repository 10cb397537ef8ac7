"""Tokens and certificates that have ended or are about to. Pure: never repeats a token or key."""

import base64
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509

from infra.certificates import SOON_DAYS
from infra.doctor.kinds import Finding, Kind, ok

SOON = timedelta(days=SOON_DAYS)

TOKEN_SOON = timedelta(hours=1)
"""A token lives for a day at most."""

CERTIFICATE_OVER = Kind(
    "error", "certificate.over", "{where}: the certificate has ended", "{renew}"
)
CERTIFICATE_SOON = Kind(
    "warning", "certificate.soon", "{where}: the certificate ends soon", "{renew}"
)
CERTIFICATE_EARLY = Kind(
    "error",
    "certificate.early",
    "{where}: the certificate is not valid yet",
    "Look at this machine's clock first; else get another certificate.",
)
CERTIFICATE_NOT_ONE = Kind(
    "error",
    "certificate.not-one",
    "{where}: this is no certificate in PEM form",
    "Give the certificate with its chain, as `-----BEGIN CERTIFICATE-----` and so on.",
)
CERTIFICATE_UNCHECKED = Kind(
    "unchecked",
    "certificate.unchecked",
    "{where}: the certificate could not be looked at",
    "Run this again once the edge answers; until then `openssl x509 -enddate` tells of a file.",
)
TOKEN_OVER = Kind(
    "warning",
    "token.over",
    "{where}: the token has ended",
    "Issue another: `make token SCOPE='{scope}' LIFETIME=24h`.",
)
TOKEN_SOON_OVER = Kind(
    "warning",
    "token.soon",
    "{where}: the token ends soon",
    "Issue another: `make token SCOPE='{scope}' LIFETIME=24h`.",
)
TOKEN_NOT_ONE = Kind(
    "warning",
    "token.not-one",
    "{where}: this is no token of ours",
    "Issue one: `make token`.",
)

RENEW_OWN = "Get another from your authority, set it, and run `make up`."
RENEW_SELF_SIGNED = "Run `make up ARGS=--refresh`: the host makes itself another one."


def of_certificate(where: str, pem: str, renew: str, now: datetime) -> Iterator[Finding]:
    """Findings about a certificate and its chain: the one that ends first counts.

    Args:
        where: the file, or the address that showed it.
        pem: one certificate or more; a private key beside them is not looked at.
        renew: how another one is got.
        now: with its time zone.
    """
    try:
        chain = x509.load_pem_x509_certificates(pem.encode())
    except ValueError:
        yield CERTIFICATE_NOT_ONE.found(where=where)
        return
    ends = min(certificate.not_valid_after_utc for certificate in chain)
    begins = chain[0].not_valid_before_utc
    got = f"ends {ends:%Y-%m-%d %H:%M} UTC"
    if ends <= now:
        yield CERTIFICATE_OVER.found(got=got, where=where, renew=renew)
    elif begins > now:
        yield CERTIFICATE_EARLY.found(got=f"begins {begins:%Y-%m-%d %H:%M} UTC", where=where)
    elif ends - now < min(SOON, (ends - begins) / 3):
        yield CERTIFICATE_SOON.found(got=got, where=where, renew=renew)
    else:
        yield ok("certificate.valid", f"{where}: {got}")


def of_token(where: str, token: str, now: datetime) -> Iterator[Finding]:
    """Findings about a token in a file; its signature is not checked, its words are not shown."""
    claims = _claims(token)
    ends_s = claims.get("exp")
    if not isinstance(ends_s, int) or not 0 < ends_s < 1 << 33:
        yield TOKEN_NOT_ONE.found(where=where)
        return
    ends = datetime.fromtimestamp(ends_s, UTC)
    scope = str(claims.get("scope", "predict"))[:60]
    got = f"ends {ends:%Y-%m-%d %H:%M} UTC"
    if ends <= now:
        yield TOKEN_OVER.found(got=got, where=where, scope=scope)
    elif ends - now < TOKEN_SOON:
        yield TOKEN_SOON_OVER.found(got=got, where=where, scope=scope)
    else:
        yield ok("token.valid", f"{where}: {got}, scope {scope}")


def _claims(token: str) -> dict[str, object]:
    parts = token.strip().split(".")
    if len(parts) != 3:
        return {}
    try:
        claims = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return claims if isinstance(claims, dict) else {}
