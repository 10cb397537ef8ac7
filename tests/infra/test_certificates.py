"""A certificate of one's own, checked before anything is touched."""

import ipaddress
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from infra import certificates
from infra.config_edge import Tls

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
OWN = Tls(certificate="own")
CERTIFICATE, KEY = certificates.CERTIFICATE, certificates.KEY
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: Key, password: bytes | None = None) -> str:
    how = BestAvailableEncryption(password) if password else NoEncryption()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how).decode()


def signed(
    name: str,
    key: Key,
    *,
    by: str = "",
    with_key: Key | None = None,
    begins: int = -1,
    ends: int = 100,
    names: tuple[str, ...] = ("edge.example.org",),
) -> str:
    """A certificate of `name`, signed by `by` (itself); days count from `NOW`."""

    def named(text: str) -> x509.Name:
        return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, text)])

    alternatives: list[x509.GeneralName] = []
    for each in names:
        is_ip = each[0].isdigit() or ":" in each
        alternatives.append(
            x509.IPAddress(ipaddress.ip_address(each)) if is_ip else x509.DNSName(each)
        )
    builder = (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named(by or name))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(days=begins))
        .not_valid_after(NOW + timedelta(days=ends))
    )
    if alternatives:
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(with_key or key, SHA256()).public_bytes(Encoding.PEM).decode()


def read(
    certificate: str | None, key: str | None, tls: Tls = OWN, root: Path = Path()
) -> tuple[certificates.Pair | None, list[str]]:
    return certificates.read(tls, {CERTIFICATE: certificate, KEY: key}, root, NOW)


def test_a_certificate_with_its_key_is_taken() -> None:
    key = new_key()
    given = signed("edge", key, names=("edge.example.org", "192.0.2.11"))

    pair, lines = read(given, pem(key))

    assert lines == []
    assert pair is not None
    assert pair.certificate == given
    assert pair.names == ("edge.example.org", "192.0.2.11")
    assert pem(key) not in repr(pair)


def test_a_chain_is_taken_in_its_order_without_what_stands_around_it() -> None:
    top, middle, key = new_key(), new_key(), new_key()
    chain = [
        signed("edge", key, by="middle", with_key=middle),
        signed("middle", middle, by="top", with_key=top),
    ]

    pair, lines = read(f"{pem(key)}Bag Attributes\n{''.join(chain)}", pem(key))

    assert lines == []
    assert pair is not None
    assert pair.certificate == "".join(chain)


@pytest.mark.parametrize("kind", ["none", "self-signed"])
def test_where_none_is_needed_none_is_looked_at(kind: Any) -> None:
    assert read("nonsense", None, Tls(certificate=kind)) == (None, [])


def lines_for(case: str) -> list[str]:
    key, other = new_key(), new_key()
    small = rsa.generate_private_key(65537, 1024)  # noqa: S505 - what must be refused
    good = signed("edge", key)
    cases: dict[str, Callable[[], tuple[str | None, str | None]]] = {
        "neither": lambda: (None, " \n"),
        "no certificate": lambda: ("x", pem(key)),
        "cut off": lambda: (good[:-40], pem(key)),
        "no key": lambda: (good, "x"),
        "encrypted key": lambda: (good, pem(key, b"secret")),
        "another key": lambda: (good, pem(other)),
        "ended": lambda: (signed("edge", key, begins=-9, ends=0), pem(key)),
        "not yet": lambda: (signed("edge", key, begins=2), pem(key)),
        "short": lambda: (signed("edge", small), pem(small)),
        "wrong order": lambda: (
            signed("top", other) + signed("edge", key, by="top", with_key=other),
            pem(other),
        ),
        "ended and another key": lambda: (signed("edge", key, begins=-9, ends=-1), pem(other)),
    }
    pair, lines = read(*cases[case]())
    assert pair is None
    return lines


@pytest.mark.parametrize(
    ("case", "expected"),
    [
        (
            "neither",
            [
                "bentofleet:edge-certificate: is missing. Set it, `pulumi config set --plaintext "
                "bentofleet:edge-certificate < chain.pem`, or name a file in "
                "edge.tls.certificate_file.",
                "bentofleet:edge-key: is missing. Set it, `pulumi config set --secret "
                "bentofleet:edge-key < key.pem`, or name a file in edge.tls.key_file.",
            ],
        ),
        (
            "no certificate",
            [
                "bentofleet:edge-certificate: is no certificate in PEM form. Give the file that "
                "you were sent."
            ],
        ),
        (
            "cut off",
            [
                "bentofleet:edge-certificate: is no certificate in PEM form. Give the file that "
                "you were sent."
            ],
        ),
        (
            "no key",
            [
                "bentofleet:edge-key: is no unencrypted private key in PEM form. Give the "
                "certificate's own."
            ],
        ),
        (
            "encrypted key",
            [
                "bentofleet:edge-key: is no unencrypted private key in PEM form. Give the "
                "certificate's own."
            ],
        ),
        ("another key", ["bentofleet:edge-key: is not the certificate's key. Give the pair."]),
        ("ended", ["bentofleet:edge-certificate: ended on 2026-11-27. Get the next one."]),
        (
            "not yet",
            [
                "bentofleet:edge-certificate: counts from 2026-11-29 12:00 UTC on. Wait, or look "
                "at this machine's clock."
            ],
        ),
        (
            "short",
            ["bentofleet:edge-certificate: its key is too short (got 1024 bits). Get one of 2048."],
        ),
        (
            "wrong order",
            [
                "bentofleet:edge-certificate: its chain is broken (number 2 did not sign number "
                "1). Put the server's own first, then each that signed the one before."
            ],
        ),
        (
            "ended and another key",
            [
                "bentofleet:edge-certificate: ended on 2026-11-26. Get the next one.",
                "bentofleet:edge-key: is not the certificate's key. Give the pair.",
            ],
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_cannot_be_served_is_named_at_once(case: str, expected: list[str]) -> None:
    assert lines_for(case) == expected


def test_files_are_read_from_the_repository_on(tmp_path: Path) -> None:
    key = new_key()
    (tmp_path / "certs").mkdir()
    (tmp_path / "certs/chain.pem").write_text(signed("edge", key))
    (tmp_path / "key.pem").write_text(pem(key))
    tls = Tls(
        certificate="own",
        certificate_file="certs/chain.pem",
        key_file=str(tmp_path / "key.pem"),
    )

    pair, lines = read(None, None, tls, tmp_path)

    assert lines == []
    assert pair is not None
    assert pair.key == pem(key)


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "der").write_bytes(b"\xff\xfe")
    tls = Tls(certificate="own", certificate_file="none.pem", key_file="der")

    assert read(None, None, tls, tmp_path)[1] == [
        "none.pem: cannot be read (No such file or directory). "
        "Correct bentofleet:stack.edge.tls.certificate_file.",
        "der: cannot be read (it is no text). Correct bentofleet:stack.edge.tls.key_file.",
    ]


def warnings(addresses: list[str], **made: Any) -> list[str]:
    key = new_key()
    pair, lines = read(signed("edge", key, **made), pem(key))
    assert pair is not None, lines
    return list(certificates.warnings(pair, addresses, NOW))


@pytest.mark.parametrize(
    ("names", "address"),
    [
        (("edge.example.org",), "edge.example.org"),
        (("Edge.Example.org",), "edge.example.ORG."),
        (("*.example.org",), "edge.example.org"),
        (("192.0.2.11",), "192.0.2.11"),
        (("2001:db8::1",), "2001:0db8::1"),
    ],
)
def test_a_certificate_for_the_hosts_address_is_no_warning(
    names: tuple[str, ...], address: str
) -> None:
    assert warnings([address], names=names) == []


@pytest.mark.parametrize(
    ("names", "address"),
    [
        (("edge.example.org",), "192.0.2.11"),
        (("*.example.org",), "a.edge.example.org"),
        (("*.example.org",), "example.org"),
        (("192.0.2.11",), "192.0.2.12"),
        ((), "edge.example.org"),
    ],
)
def test_an_address_that_clients_would_refuse_is_warned_of(
    names: tuple[str, ...], address: str
) -> None:
    (line,) = warnings([address], names=names)

    assert line == (
        f"edge.tls: the certificate is not for {address} (it is for {', '.join(names) or 'none'}): "
        "clients that use this address will refuse it."
    )


def test_a_certificate_that_ends_soon_is_warned_of() -> None:
    assert warnings([], ends=29) == [
        "edge.tls: the certificate ends on 2026-12-26. Get the next one."
    ]
    assert warnings([], ends=31) == []
