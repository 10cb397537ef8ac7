"""One machine in a stack's file: how it is reached, and what does the work on it."""

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from infra import addresses, host_keys
from infra.section import Address, Name, Section

User = Annotated[
    str, AfterValidator(addresses.user_name), Field(json_schema_extra={"pattern": addresses.USER})
]
HostKey = Annotated[str, AfterValidator(host_keys.public_key)]
KeyPath = Annotated[str, Field(min_length=1, max_length=4096)]


class Jump(Section):
    """A machine in between, through which a host is reached."""

    address: Address = Field(description="IP address or DNS name of the machine in between")
    user: User = Field(description="who logs in there")
    port: int = Field(default=22, ge=1, le=65535, description="where its sshd listens")
    key: KeyPath | None = Field(
        default=None, description="private key's file; null: as for the host itself"
    )
    host_key: HostKey | None = Field(default=None, description="its public host key")


class HostEntry(Section):
    """One machine of the stack."""

    name: Name = Field(description="short name, used in resource names, messages and reports")
    address: Address = Field(description="IP address or DNS name that clients reach it by")
    connection: Literal["ssh", "local"] = Field(
        default="ssh",
        description="`ssh`, or `local`: this machine, without SSH; another machine is refused",
    )
    user: User | None = Field(
        default=None, description="who logs in over SSH; needed unless `connection: local`"
    )
    port: int = Field(default=22, ge=1, le=65535, description="where the host's sshd listens")
    key: KeyPath | None = Field(
        default=None,
        description="private key's file, `~` is the home folder; null: the agent's keys, then "
        "those in ~/.ssh",
    )
    host_key: HostKey | None = Field(
        default=None,
        description="public host key, such as `ssh-ed25519 AAAA…`: another one is refused; "
        "without it a run is refused with the line to add",
    )
    jump: Jump | None = Field(default=None, description="a machine in between")
    sudo: bool = Field(
        default=False,
        description="act as root, by `sudo -n`; else as the user: rootless, unless that is root",
    )
    connect_timeout_s: int = Field(
        default=10, ge=1, le=300, description="a host that is silent for so long is dead"
    )
    boot_timeout_s: int = Field(
        default=20,
        ge=0,
        le=900,
        description="how long a host that refuses connections is asked again: it may be booting",
    )
    accelerator: Literal["cpu", "vulkan"] = Field(
        default="cpu", description="what does the work on this host"
    )
    software_device: bool = Field(
        default=False, description="for tests: lets a processor stand in for the card of `vulkan`"
    )
    engine: Literal["auto", "docker", "podman"] = Field(
        default="auto", description="container engine; `auto`: the one that is there"
    )
    entry: bool = Field(
        default=False,
        description="takes the users' traffic for the whole stack; where no host says so, the "
        "first one that takes part",
    )
    inner_address: Address | None = Field(
        default=None,
        description="IP address or DNS name by which the stack's other hosts reach it; null: "
        "`address`",
    )
    out: bool = Field(
        default=False, description="takes the host out of traffic, walk and checks; it stays as is"
    )


_OVER_SSH = ("user", "key", "host_key", "jump", "sudo")
"""What says how to log in, and so nothing where nobody does."""


def entries(hosts: Sequence[HostEntry]) -> list[HostEntry]:
    """The hosts that take users' traffic: those that say so, else the first that takes part."""
    there = [host for host in hosts if not host.out]
    return [host for host in there if host.entry] or there[:1]


def contradictions(hosts: Sequence[HostEntry]) -> Iterator[str]:
    """One line for each thing in a list of hosts that no single value is to blame for."""
    for host in hosts:
        yield from (f"hosts: {host.name}: {line}" for line in _of_one(host))
    if hosts and all(host.out for host in hosts):
        yield "hosts: every host is out. Leave at least one without `out: true`."
        return
    entries = [host for host in hosts if host.entry]
    if entries and all(host.out for host in entries):
        yield (
            f"hosts: every entry is out (got {entries[0].name}). "
            "Write `entry: true` for a host that takes part."
        )


def _of_one(host: HostEntry) -> Iterator[str]:
    if host.connection == "ssh" and host.user is None:
        yield "`user` is missing. Name who logs in over SSH, or write `connection: local`."
    if host.connection == "local":
        given = [key for key in _OVER_SSH if getattr(host, key)]
        if given:
            yield (
                f"`{given[0]}` has no meaning with `connection: local`. "
                "Remove it, or write `connection: ssh`."
            )
    if host.software_device and host.accelerator == "cpu":
        yield "`software_device` has no meaning with `accelerator: cpu`. Remove it."
