"""What keeps us out of a host, in the words of a person: the end of a line `host: …`."""

import os
import socket
from dataclasses import dataclass

import asyncssh

from infra import host_keys


@dataclass(frozen=True, kw_only=True)
class Door:
    """Where a host is entered and as whom: what tells one SSH connection from another.

    Attributes:
        key: private key's file; None: the agent's keys, then those in ~/.ssh.
        host_key: the only public host key that is let through; None: none is.
        via: the door of the machine in between; None: there is none.
    """

    address: str
    port: int
    user: str
    key: str | None
    host_key: str | None
    connect_timeout_s: float
    boot_timeout_s: float
    via: "Door | None" = None

    @property
    def place(self) -> str:
        """Address and port."""
        address = f"[{self.address}]" if ":" in self.address else self.address
        return f"{address}:{self.port}"


class Silent(Exception):
    """The machine does not answer: what is wrong and what to do, without the host's name."""


class KeptOut(Exception):
    """The machine answers, and we may not or will not go in: the same."""


TAKE_OUT = "or take the host out (`out: true`)"


def may_be_booting(error: Exception) -> bool:
    """Whether another try may succeed: refused, reset, or ended before anybody was let in."""
    if isinstance(error, asyncssh.ChannelOpenError):  # what a machine in between tells of it
        return "refused" in error.reason.lower()
    if isinstance(error, ConnectionError | asyncssh.ConnectionLost):
        return True
    # one name with several addresses, all of which refuse
    return isinstance(error, OSError) and error.errno is None and "refused" in str(error).lower()


def told(
    door: Door, error: Exception, offered: asyncssh.SSHKey | None, asked_s: float
) -> Silent | KeptOut:
    """The failed try in words.

    Args:
        offered: the host key that was not let through, if that was the cause.
        asked_s: how long the machine was asked, seconds.
    """
    match error:
        case asyncssh.HostKeyNotVerifiable() if offered is not None:
            return KeptOut(_host_key(door, offered))
        case asyncssh.KeyExchangeFailed():
            return KeptOut(
                f"{door.place} speaks no SSH that we do ({_reason(error)}). "
                "Update its OpenSSH, or allow its default algorithms again."
            )
        case asyncssh.PermissionDenied():
            return KeptOut(_not_let_in(door))
        case TimeoutError():
            return Silent(
                f"{door.place} does not answer (waited {door.connect_timeout_s:g} s). Switch it on "
                f"and look at its address and network, {TAKE_OUT}."
            )
        case socket.gaierror():
            return Silent(
                f"the name {door.address} is not known ({error.strerror}). "
                f"Correct `address`, {TAKE_OUT}."
            )
    if may_be_booting(error):
        return Silent(
            f"{door.place} refuses connections ({_reason(error)}; asked for {asked_s:.0f} s). "
            f"Start sshd there, look at `port`, {TAKE_OUT}."
        )
    return Silent(
        f"{door.place} cannot be reached ({_reason(error)}). "
        f"Look at its address and network, {TAKE_OUT}."
    )


def _host_key(door: Door, offered: asyncssh.SSHKey) -> str:
    line = host_keys.public_key(offered.export_public_key().decode())
    shown = f"{line.split(' ')[0]} {host_keys.fingerprint(line)}"
    if door.host_key is None:
        return (
            f"the host key of {door.place} is not known (got {shown}). If `ssh-keygen -lf "
            f"{host_keys.file_of(line)}` shows the same on the host, "
            f'add `host_key: "{line}"` to it.'
        )
    pinned = host_keys.fingerprint(door.host_key)
    return (
        f"the host key of {door.place} has changed (got {shown}, pinned is {pinned}): another "
        "machine may be answering. If the host was set up anew and shows the new key on its own "
        "screen, pin that one."
    )


def _not_let_in(door: Door) -> str:
    tried = door.key or "the agent's keys and those in ~/.ssh"
    return (
        f"{door.place} does not let {door.user} in (tried {tried}). Add the public key to "
        f"~{door.user}/.ssh/authorized_keys there, or correct `user` and `key`."
    )


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno)  # asyncio's own words repeat the address
    return str(error).rstrip(".") or type(error).__name__


def no_key(path: str, error: Exception) -> KeptOut:
    """A private key's file that cannot be used."""
    if isinstance(error, asyncssh.KeyEncryptionError) or "passphrase" in str(error).lower():
        return KeptOut(
            f"the key {path} is protected by a passphrase. "
            f"Add it to the agent (`ssh-add {path}`) and remove `key`."
        )
    return KeptOut(
        f"the key {path} cannot be read ({_reason(error)}). "
        "Name the file of a private key in `key`, or remove it to use the agent's."
    )
