"""Certificates that a host makes itself: for its users and for the stack's other hosts."""

import hashlib
import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA1

FILE_MODE = "640"
"""Owner and group of the file are the user's that prepared the host; the edge is in group 0, which
that group is in its container, with root and without."""

FOLDER_MODE = "0750"
DAYS = 397
"""As long as browsers take a certificate for."""

RENEW_DAYS = 30
INNER_DAYS, INNER_RENEW_DAYS = 3 * 365, 365
"""Between hosts nobody limits it, and one that is over takes its host out of traffic: so there is a
year in which an `up` renews it."""

ORGANISATION = "bentofleet self-signed"

_REQUEST = """\
[req]
distinguished_name = names
prompt = no
[names]
O = {organisation}
CN = {name}
{more_names}[ca]
default_ca = own
[own]
database = issued
new_certs_dir = .
rand_serial = yes
default_md = sha256
policy = any
x509_extensions = extensions
[any]
organizationName = supplied
commonName = supplied
serialNumber = optional
[extensions]
subjectAltName = {alternatives}
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = {usages}
subjectKeyIdentifier = hash
"""

# `ca` and not `req -x509`, which cannot say from when it is valid: an hour ago, as the clocks of
# those who look at it may be behind.
_IN_CONTAINER = """\
cd /run/haproxy && umask 077 && cat >request && : >issued &&
day() { date -u -d "$1" +%Y%m%d%H%M%SZ; } && {
openssl req -new -config request -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
-keyout key -out asked &&
openssl ca -batch -selfsign -notext -config request -keyfile key -in asked -out certificate \
-startdate "$(day '1 hour ago')" -enddate "$(day '@days days')"
} >/dev/null 2>message || { tail -n 1 message >&2; exit 1; }
cat key certificate
"""

_PEM = re.compile("-----BEGIN CERTIFICATE-----\n.*?-----END CERTIFICATE-----", re.DOTALL)
_FINGERPRINT = re.compile(r"^SHA1 FingerPrint: ([0-9A-F]{40})$", re.MULTILINE)

_ON_HOST = f"""\
umask 077; path=$1; new=$1.new; shift
"$@" >"$new" && chmod 0{FILE_MODE} "$new" && sync "$new" && mv -f "$new" "$path"
made=$?; rm -f "$new"; exit $made
"""

_LOOK = """\
test -e "$1" || exit 4
sha256sum <"$1" | cut -d' ' -f1 && stat -c %a -- "$1" &&
sed -n '/^-----BEGIN CERTIFICATE-----$/,/^-----END CERTIFICATE-----$/p' "$1"
"""


def request(name: str, addresses: Sequence[str]) -> str:
    """What `make` reads on its standard input for a certificate that users are shown.

    Args:
        name: of the host, at most 64 characters.
        addresses: IP addresses and DNS names that clients reach it by.
    """
    return _request(name, addresses, "serverAuth", "")


def inner_request(name: str, unique: str) -> str:
    """The same for the certificate by which the stack's other hosts know a host.

    Args:
        name: of the host in the stack.
        unique: differs each time: OpenSSL finds a certificate that it trusts by its subject, so two
            that are trusted at a time must not have one.
    """
    return _request(name, [name], "serverAuth,clientAuth", f"serialNumber = {unique}\n")


def _request(name: str, addresses: Sequence[str], usages: str, more_names: str) -> str:
    kinds = [f"{'IP' if _ip(a) else 'DNS'}:{a}" for a in addresses]
    return _REQUEST.format(
        organisation=ORGANISATION,
        name=name,
        more_names=more_names,
        alternatives=",".join(kinds),
        usages=usages,
    )


def make(engine: str, image: str, path: str, days: int = DAYS) -> list[str]:
    """Replaces a file on the host by a new key and its own certificate; the key goes nowhere else.

    OpenSSL runs in the edge's image, without network and rights: a host need not have it.
    """
    run = [
        *(engine, "run", "--rm", "--interactive", "--network", "none", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--log-driver", "none"),
        *("--tmpfs", "/run/haproxy:rw,nosuid,nodev,noexec,size=1m,mode=1777"),
        *("--entrypoint", "sh", image, "-c", _IN_CONTAINER.replace("@days", str(days))),
    ]
    return ["sh", "-c", _ON_HOST, "sh", path, *run]


def look(path: str) -> list[str]:
    """Prints the file's sha256, its mode and its certificates, not its key; exit 4: not there."""
    return ["sh", "-c", _LOOK, "sh", path]


@dataclass(frozen=True)
class Found:
    """The file on a host.

    Attributes:
        certificates: PEM, the server's own first; without the key.
    """

    sha256: str
    mode: str
    certificates: str


def parse(text: str) -> Found:
    """Reads what `look` printed."""
    sha256, _, rest = text.partition("\n")
    mode, _, certificates = rest.partition("\n")
    return Found(sha256.strip(), mode.strip(), certificates)


def content(certificate: str, key: str) -> str:
    """The file for a certificate of one's own."""
    return f"{key.strip()}\n{certificate.strip()}\n"


def fault_of_own(found: Found, certificate: str, key: str) -> str | None:
    """How the file differs from the certificate and key that were given; None: not."""
    wanted = hashlib.sha256(content(certificate, key).encode()).hexdigest()
    return "changed by hand" if found.sha256 != wanted else _fault_of_mode(found)


def fault_of_self_signed(found: Found, addresses: Sequence[str], now: datetime) -> str | None:
    """Why a host should make itself another certificate for users; None: it need not."""
    return _fault_of_made(found, addresses, now, RENEW_DAYS)


def fault_of_inner(found: Found, name: str, now: datetime) -> str | None:
    """The same for the certificate that the stack's other hosts know it by."""
    return _fault_of_made(found, [name], now, INNER_RENEW_DAYS)


def _fault_of_made(
    found: Found, addresses: Sequence[str], now: datetime, renew_days: int
) -> str | None:
    own = _made(found.certificates)
    if own is None:
        return "is not one that the host made"
    alternatives = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    names = {*alternatives.get_values_for_type(x509.DNSName)}
    names |= {str(ip) for ip in alternatives.get_values_for_type(x509.IPAddress)}
    if missing := sorted({str(_ip(a) or a) for a in addresses} - names):
        return f"is not for {', '.join(missing)}"
    if own.not_valid_after_utc - now < timedelta(days=renew_days):
        return f"ends soon, on {own.not_valid_after_utc:%Y-%m-%d}"
    return _fault_of_mode(found)


def _made(certificates: str) -> x509.Certificate | None:
    """The one certificate, if it is one that a host made; None else."""
    try:
        (own,) = x509.load_pem_x509_certificates(certificates.encode())
        own.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (ValueError, x509.ExtensionNotFound):
        return None
    organisations = own.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    is_ours = own.issuer == own.subject and [o.value for o in organisations] == [ORGANISATION]
    return own if is_ours else None


def is_usable(found: Found, now: datetime) -> bool:
    """Whether others may still be shown it: one that the host made, and not over."""
    own = _made(found.certificates)
    return own is not None and now < own.not_valid_after_utc


def split(certificates: str) -> list[str]:
    """Each certificate of a text by itself (PEM)."""
    return [f"{pem}\n" for pem in _PEM.findall(certificates)]


def fingerprints(certificates: str) -> set[str]:
    """SHA-1 of each certificate of a text (PEM), as HAProxy names those that it has loaded."""
    found = x509.load_pem_x509_certificates(certificates.encode()) if certificates else []
    return {one.fingerprint(SHA1()).hex().upper() for one in found}  # noqa: S303 - compared only


def show_key_pair(path: str) -> str:
    """Runtime command of the edge: what it has loaded from the file of a key and certificate."""
    return f"show ssl cert {path}\n"


def show_trusted(path: str) -> str:
    """Runtime command of the edge: what it has loaded from a file of certificates to trust."""
    return f"show ssl ca-file {path}\n"


def parse_loaded(text: str) -> set[str]:
    """Fingerprints of the certificates that the two commands above tell of; none: no such file."""
    return set(_FINGERPRINT.findall(text))


def _fault_of_mode(found: Found) -> str | None:
    return None if found.mode == FILE_MODE else f"has other rights (mode {found.mode})"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
