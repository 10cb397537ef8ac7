"""The edge's certificate on a host: made there, looked at without its key, and judged."""

import hashlib
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from cryptography import x509

FILE_MODE = "640"
"""Owner and group of the file are the user's that prepared the host; the edge is in group 0, which
that group is in its container, with root and without."""

FOLDER_MODE = "0750"
DAYS = 397
"""As long as browsers take a certificate for."""

RENEW_DAYS = 30
ORGANISATION = "bentofleet self-signed"

_REQUEST = """\
[req]
distinguished_name = names
x509_extensions = extensions
prompt = no
[names]
O = {organisation}
CN = {name}
[extensions]
subjectAltName = {alternatives}
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = serverAuth
subjectKeyIdentifier = hash
"""

_IN_CONTAINER = f"""\
cd /run/haproxy && umask 077 && cat >request &&
openssl req -x509 -config request -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 \
-days {DAYS} -keyout key -out certificate 2>message || {{ tail -n 1 message >&2; exit 1; }}
cat key certificate
"""

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
    """What `make` reads on its standard input: for whom the certificate is.

    Args:
        name: of the host, at most 64 characters.
        addresses: IP addresses and DNS names that clients reach it by.
    """
    kinds = [f"{'IP' if _ip(a) else 'DNS'}:{a}" for a in addresses]
    return _REQUEST.format(organisation=ORGANISATION, name=name, alternatives=",".join(kinds))


def make(engine: str, image: str, path: str) -> list[str]:
    """Replaces a file on the host by a new key and its own certificate; the key goes nowhere else.

    OpenSSL runs in the edge's image, without network and rights: a host need not have it.
    """
    run = [
        *(engine, "run", "--rm", "--interactive", "--network", "none", "--read-only"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--log-driver", "none"),
        *("--tmpfs", "/run/haproxy:rw,nosuid,nodev,noexec,size=1m,mode=1777"),
        *("--entrypoint", "sh", image, "-c", _IN_CONTAINER),
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
    """Why a host should make itself another certificate; None: it need not."""
    try:
        (own,) = x509.load_pem_x509_certificates(found.certificates.encode())
        alternatives = own.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (ValueError, x509.ExtensionNotFound):
        return "is not one that the host made"
    organisations = own.issuer.get_attributes_for_oid(x509.NameOID.ORGANIZATION_NAME)
    if own.issuer != own.subject or [o.value for o in organisations] != [ORGANISATION]:
        return "is not one that the host made"
    names = {*alternatives.get_values_for_type(x509.DNSName)}
    names |= {str(ip) for ip in alternatives.get_values_for_type(x509.IPAddress)}
    if missing := sorted({str(_ip(a) or a) for a in addresses} - names):
        return f"is not for {', '.join(missing)}"
    if own.not_valid_after_utc - now < timedelta(days=RENEW_DAYS):
        return f"ends soon, on {own.not_valid_after_utc:%Y-%m-%d}"
    return _fault_of_mode(found)


def _fault_of_mode(found: Found) -> str | None:
    return None if found.mode == FILE_MODE else f"has other rights (mode {found.mode})"


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None
