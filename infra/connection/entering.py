"""How a door is entered: which keys are tried, and which host key is let through."""

from pathlib import Path
from typing import Any

import asyncssh

from infra.connection.refusals import Door, no_key

ROOT = Path(__file__).resolve().parents[2]
"""The repository: where a relative path of a key begins."""

KEEPALIVE_S, KEEPALIVES = 5, 3
"""A line that was cut without a word is found out within the product, seconds."""

HOST_KEY_KINDS = (
    *("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    *("rsa-sha2-512", "rsa-sha2-256"),
)
"""In this order; the first that the host has is its key. The kind that is pinned goes before."""

CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "chacha20-poly1305@openssh.com")
"""The first is the quickest here: images go over the line."""


class Visitor(asyncssh.SSHClient):
    """Lets no host key through but the pinned one, and remembers the other."""

    offered: asyncssh.SSHKey | None = None

    def validate_host_public_key(
        self, host: str, addr: str, port: int, key: asyncssh.SSHKey
    ) -> bool:
        """Only asked of a key that is not the pinned one."""
        self.offered = key
        return False


async def enter(
    door: Door, visitor: Visitor, way: "asyncssh.SSHClientConnection | None"
) -> asyncssh.SSHClientConnection:
    """One try.

    Args:
        way: the connection to the machine in between; None: there is none.

    Raises:
        KeptOut: the private key cannot be used.
        OSError, asyncssh.Error: as they come; `refusals.told` words them.
    """
    pinned = [asyncssh.import_public_key(door.host_key)] if door.host_key else []
    return await asyncssh.connect(
        door.address,
        door.port,
        tunnel=way or (),
        config=None,  # the stack's file is all there is: it works the same for everybody
        username=door.user,
        **_keys(door),
        preferred_auth="publickey",
        gss_host=None,
        x509_trusted_certs=None,
        known_hosts=(pinned, [], []),
        server_host_key_algs=_kinds(door.host_key),
        encryption_algs=CIPHERS,
        client_factory=lambda: visitor,
        connect_timeout=door.connect_timeout_s,
        keepalive_interval=KEEPALIVE_S,
        keepalive_count_max=KEEPALIVES,
    )


def _kinds(pinned: str | None) -> list[str]:
    """Kinds of host keys in the order in which they are asked for."""
    kind = pinned.split(" ")[0] if pinned else ""
    first = ("rsa-sha2-512", "rsa-sha2-256") if kind == "ssh-rsa" else (kind,)
    return sorted(HOST_KEY_KINDS, key=lambda name: name not in first)


def _keys(door: Door) -> dict[str, Any]:
    """Which keys are tried; a key that is named is the only one."""
    if door.key is None:
        return {}
    path = ROOT / Path(door.key).expanduser()
    try:
        return {"client_keys": [asyncssh.read_private_key(path)], "agent_path": None}
    except (OSError, asyncssh.KeyImportError, asyncssh.KeyEncryptionError) as e:
        raise no_key(door.key, e) from e
