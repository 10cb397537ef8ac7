"""Checks a certificate of one's own before anything is touched. Repeats nothing of its key."""

import ipaddress
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from infra.config_edge import OWN, Tls

CERTIFICATE = "bentofleet:edge-certificate"
KEY = "bentofleet:edge-key"

SOON_DAYS = 30
_MIN_RSA_BITS = 2048
_SET = {
    CERTIFICATE: f"`pulumi config set --plaintext {CERTIFICATE} < chain.pem`",
    KEY: f"`pulumi config set --secret {KEY} < key.pem`",
}
_FILES = {CERTIFICATE: "edge.tls.certificate_file", KEY: "edge.tls.key_file"}


@dataclass(frozen=True)
class Pair:
    """A certificate of one's own, with its chain, and its private key; both PEM.

    Attributes:
        ends: when it counts no more.
        names: IP addresses and DNS names that it is for.
    """

    certificate: str
    key: str = field(repr=False)
    ends: datetime
    names: tuple[str, ...]


def read(
    tls: Tls, given: dict[str, str | None], root: Path, now: datetime
) -> tuple[Pair | None, list[str]]:
    """The certificate that the stack is to serve; None where it needs none, or it has faults.

    Args:
        tls: of the stack.
        given: the two settings beside the stack's own, by name.
        root: what the paths of files start from.

    Returns:
        The pair and one line per fault.
    """
    if tls.certificate != OWN:
        return None, []
    paths = {CERTIFICATE: tls.certificate_file, KEY: tls.key_file}
    texts: dict[str, tuple[str, str]] = {}
    lines: list[str] = []
    for name, path in paths.items():
        try:
            texts[name] = _text(name, path, given.get(name), root)
        except ValueError as e:
            lines.append(str(e))
    if lines:
        return None, lines
    return _pair(*texts[CERTIFICATE], *texts[KEY], now)


def warnings(pair: Pair, addresses: Iterable[str], now: datetime) -> Iterator[str]:
    """What an operator should know, and what does not keep the edge from working."""
    if pair.ends - now < timedelta(days=SOON_DAYS):
        yield f"edge.tls: the certificate ends on {pair.ends:%Y-%m-%d}. Get the next one."
    for address in addresses:
        if not any(_covers(name, address) for name in pair.names):
            shown = ", ".join(pair.names) or "none"
            yield (
                f"edge.tls: the certificate is not for {address} (it is for {shown}): clients "
                "that use this address will refuse it."
            )


def _text(name: str, path: str, given: str | None, root: Path) -> tuple[str, str]:
    """Where it came from, and the PEM."""
    if not path:
        if not given or not given.strip():
            raise ValueError(
                f"{name}: is missing. Set it, {_SET[name]}, or name a file in {_FILES[name]}."
            )
        return name, given
    try:
        return path, (root / Path(path).expanduser()).read_text()
    except (OSError, UnicodeDecodeError) as e:
        why = e.strerror if isinstance(e, OSError) else "it is no text"
        raise ValueError(
            f"{path}: cannot be read ({why}). Correct bentofleet:stack.{_FILES[name]}."
        ) from e


def _pair(
    where: str, certificate: str, where_key: str, key: str, now: datetime
) -> tuple[Pair | None, list[str]]:
    try:
        chain = x509.load_pem_x509_certificates(certificate.encode())
    except ValueError:
        return None, [f"{where}: is no certificate in PEM form. Give the file that you were sent."]
    lines = list(_wrong_chain(where, chain, now))
    if fault := _wrong_key(where_key, key, chain[0]):
        lines.append(fault)
    if lines:
        return None, lines
    # what stands around the certificates, such as another key, stays here
    clean = "".join(c.public_bytes(Encoding.PEM).decode() for c in chain)
    return Pair(clean, key, chain[0].not_valid_after_utc, _names(chain[0])), []


def _wrong_chain(where: str, chain: list[x509.Certificate], now: datetime) -> Iterator[str]:
    own, public = chain[0], chain[0].public_key()
    if now >= own.not_valid_after_utc:
        yield f"{where}: ended on {own.not_valid_after_utc:%Y-%m-%d}. Get the next one."
    if now < own.not_valid_before_utc:
        begins = f"{own.not_valid_before_utc:%Y-%m-%d %H:%M} UTC"
        yield f"{where}: counts from {begins} on. Wait, or look at this machine's clock."
    if isinstance(public, RSAPublicKey) and public.key_size < _MIN_RSA_BITS:
        yield f"{where}: its key is too short (got {public.key_size} bits). Get one of 2048."
    for number, (signed, signer) in enumerate(pairwise(chain), 1):
        try:
            signed.verify_directly_issued_by(signer)
        except (ValueError, TypeError, InvalidSignature):
            yield (
                f"{where}: its chain is broken (number {number + 1} did not sign number {number}). "
                "Put the server's own first, then each that signed the one before."
            )
            return


def _wrong_key(where: str, text: str, own: x509.Certificate) -> str | None:
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    try:
        public = load_pem_private_key(text.encode(), password=None).public_key()
        is_its_own = public.public_bytes(*form) == own.public_key().public_bytes(*form)
    except Exception:  # the library raises several types, and a message may quote the key
        return f"{where}: is no unencrypted private key in PEM form. Give the certificate's own."
    return None if is_its_own else f"{where}: is not the certificate's key. Give the pair."


def _names(own: x509.Certificate) -> tuple[str, ...]:
    try:
        found = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return ()
    ips = (str(ip) for ip in found.get_values_for_type(x509.IPAddress))
    return (*found.get_values_for_type(x509.DNSName), *ips)


def _covers(name: str, address: str) -> bool:
    """Whether a client that asks for `address` takes a certificate for `name` (RFC 6125)."""
    try:
        return ipaddress.ip_address(name) == ipaddress.ip_address(address)
    except ValueError:
        name, address = name.lower(), address.lower().removesuffix(".")
    if name.startswith("*."):
        return name[2:] == address.partition(".")[2]
    return name == address
