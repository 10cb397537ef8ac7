"""Certificates and tokens before, about and after their end."""

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from infra.doctor import expiry
from service import tokens

NOW = datetime(2027, 1, 15, 8, tzinfo=UTC)
DAY = timedelta(days=1)


def certificate(begins: datetime, ends: datetime) -> str:
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "edge")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    built = builder.not_valid_before(begins).not_valid_after(ends)
    return built.sign(key, None).public_bytes(Encoding.PEM).decode()


@pytest.mark.parametrize(
    ("begins", "ends", "code"),
    [
        (-100, 200, "certificate.valid"),
        (-100, 20, "certificate.soon"),
        (-100, -1, "certificate.over"),
        (1, 100, "certificate.early"),
        (-2, 5, "certificate.valid"),  # a short one is not about to end all its life
        (-6, 1, "certificate.soon"),
    ],
)
def test_a_certificate_is_judged_by_its_days(begins: int, ends: int, code: str) -> None:
    pem = certificate(NOW + begins * DAY, NOW + ends * DAY)
    (found,) = expiry.of_certificate("edge.pem", pem, expiry.RENEW_OWN, NOW)
    assert found.code == code


def test_of_a_chain_the_one_that_ends_first_counts() -> None:
    good, old = certificate(NOW - DAY, NOW + 300 * DAY), certificate(NOW - 9 * DAY, NOW - DAY)
    (found,) = expiry.of_certificate("edge.pem", good + old, expiry.RENEW_OWN, NOW)
    assert (found.code, found.cure) == ("certificate.over", expiry.RENEW_OWN)


def test_what_is_no_certificate_is_said_to_be_none_and_not_repeated() -> None:
    (found,) = expiry.of_certificate("edge.pem", "SECRET WORDS", expiry.RENEW_OWN, NOW)
    assert found.code == "certificate.not-one"
    assert "SECRET" not in found.line


def token(lifetime_s: int) -> str:
    key = Ed25519PrivateKey.generate().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    return tokens.issue(key.decode(), "predict", lifetime_s, "ana")


@pytest.mark.parametrize(
    ("later", "code"),
    [
        (timedelta(0), "token.valid"),
        (timedelta(hours=1.5), "token.soon"),
        (timedelta(hours=3), "token.over"),
    ],
)
def test_a_token_is_judged_by_its_end_and_never_shown(later: timedelta, code: str) -> None:
    text = token(7200)
    now = datetime.now(UTC) + later
    (found,) = expiry.of_token("ana.token", text, now)
    assert found.code == code
    assert not any(part in found.line for part in text.split("."))


@pytest.mark.parametrize("text", ["", "a.b", "a.b.c", "e30.e30.e30", "é.é.é"])
def test_what_is_no_token_is_said_to_be_none(text: str) -> None:
    (found,) = expiry.of_token("ana.token", text, NOW)
    assert found.code == "token.not-one"
