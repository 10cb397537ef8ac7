"""Public host keys of SSH servers: which texts are one, and their fingerprints. Pure."""

import base64
import binascii
import hashlib
import re
import struct

from infra import faults

_KINDS = r"ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(?:256|384|521)"
_LINE = re.compile(rf"(?P<kind>{_KINDS}) (?P<blob>[A-Za-z0-9+/]+=*)(?: .*)?", re.ASCII)


def public_key(text: str) -> str:
    """The key as `kind base64`, without the comment that may stand behind it.

    Raises:
        ValueError: it is none, a private one, or a line of a known_hosts file.
    """
    found = _LINE.fullmatch(text.strip())
    if found is None or not _is_of(found["kind"], found["blob"]):
        raise ValueError(
            f"is no public host key (got {_shown(text)}). Write it as in "
            "/etc/ssh/ssh_host_ed25519_key.pub of the host: ssh-ed25519 AAAA…"
        )
    return f"{found['kind']} {found['blob']}"


def file_of(key: str) -> str:
    """Where OpenSSH keeps a host's key of that kind; `ssh-keygen -lf` reads one at a time."""
    kind = key.split(" ")[0].removeprefix("ssh-").split("-")[0]
    return f"/etc/ssh/ssh_host_{kind}_key.pub"


def fingerprint(key: str) -> str:
    """What `ssh-keygen -lf` shows of a public key: `SHA256:…`."""
    digest = hashlib.sha256(base64.b64decode(key.split(" ")[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def _is_of(kind: str, blob: str) -> bool:
    """Whether the key says itself that it is of that kind (RFC 4253, 6.6)."""
    try:
        raw = base64.b64decode(blob, validate=True)
    except binascii.Error:
        return False
    name = kind.encode()
    return raw.startswith(struct.pack(">I", len(name)) + name)


def _shown(text: str) -> str:
    """A private key that was given by mistake stands in no message."""
    return "a private key" if "PRIVATE KEY" in text else faults.shown(text)
