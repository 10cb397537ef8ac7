"""The part of a stack's file that is about the proxy: `edge`, with every bound and default."""

import ipaddress
from collections.abc import Iterator, Sequence
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, Field

from infra import addresses, faults
from infra.config_hosts import HostEntry
from infra.section import Section
from service import contract

PORTS = 100
"""Loopback ports of a stack on a host (`infra.host.Ports`)."""

NO_TLS: Final = "none"
OWN: Final = "own"
SELF_SIGNED: Final = "self-signed"


class Tls(Section):
    """Whether users speak TLS with the edge, and with which certificate."""

    certificate: Literal["none", "own", "self-signed"] = Field(
        default=NO_TLS,
        description="`none`: no TLS; `own`: the one in `certificate_file` or "
        "`bentofleet:edge-certificate`; `self-signed`: each host makes one, for a lab",
    )
    certificate_file: str = Field(
        default="",
        max_length=4096,
        description="path where `pulumi up` runs, from the repository: the certificate and its "
        "chain (PEM); empty: `bentofleet:edge-certificate`",
    )
    key_file: str = Field(
        default="",
        max_length=4096,
        description="path of its private key (PEM); empty: `bentofleet:edge-key`",
    )
    redirect: bool = Field(
        default=True, description="with TLS: answer plain HTTP on `http_port` by where to go"
    )
    http_port: int = Field(
        default=8080, ge=1024, le=65535, description="port of that answer, beside `edge.port`"
    )


class Limits(Section):
    """How long a client may take, and how much of the edge it may have."""

    head_timeout_s: int = Field(
        default=10,
        ge=1,
        le=60,
        description="time for a request's head to arrive, with the first 256 KiB of its body",
    )
    silence_timeout_s: int = Field(
        default=30,
        ge=1,
        le=600,
        description="longest silence of a client in a TLS handshake, or that takes no more of its "
        "answer",
    )
    idle_timeout_s: int = Field(
        default=60, ge=1, le=3600, description="time that a connection may wait for a next request"
    )
    body_mib: int = Field(
        default=contract.DISCARD_BYTES >> 20,
        ge=1,
        le=1024,
        description="largest body that reaches a replica, in MiB; beyond it: 413. Replicas refuse "
        "smaller ones too, and read them to their end, so that whoever sends them sees the answer",
    )
    client_connections: int = Field(
        default=1000,
        ge=1,
        le=2000,
        description="connections at a time from one address; beyond it they are closed unanswered",
    )


class RateLimit(Section):
    """How often one token may be used; tokens with the scope `gate` are not limited."""

    requests: int = Field(
        default=0,
        ge=0,
        le=1_000_000,
        description="requests of /v1 per token and period; beyond it: 429; 0: no limit",
    )
    period_s: int = Field(default=10, ge=1, le=3600, description="length of the period")


def _with_prefix(text: str) -> str:
    try:
        if "/" in text:
            ipaddress.ip_interface(text)
            return text
    except ValueError:
        pass
    raise ValueError(
        f"is no IP address with its prefix (got {faults.shown(text)}). "
        "Write it as in 192.0.2.10/24."
    )


class Floating(Section):
    """An address that is always at an entry that lives (VRRP, by keepalived)."""

    address: Annotated[str, AfterValidator(_with_prefix)] = Field(
        description="IP address with the network's prefix, such as `192.0.2.10/24`"
    )
    interface: str = Field(
        pattern=r"^[A-Za-z0-9_.-]{1,15}$", description="the entries' network card, such as `eth0`"
    )
    router_id: int = Field(
        default=51, ge=1, le=255, description="number of this address in its network (VRRP)"
    )

    @property
    def ip(self) -> str:
        """The address without its prefix."""
        return str(ipaddress.ip_interface(self.address).ip)


class Edge(Section):
    """The proxy in front of the replicas."""

    address: Annotated[str, AfterValidator(addresses.to_listen_on)] = Field(
        default="0.0.0.0",  # noqa: S104 - an entry takes users' traffic from anywhere; the demo binds loopback
        description="IP address the edge listens on",
    )
    port: int = Field(
        default=8080,
        ge=1024,
        le=65535,
        description="port the edge listens on (it runs unprivileged)",
    )
    ports_from: int = Field(
        default=21000,
        ge=1024,
        le=65536 - PORTS,
        description="first of the 100 loopback ports used for replicas, metrics and candidates",
    )
    inner_ports_from: int = Field(
        default=8444,
        ge=1024,
        le=65534,
        description="first of the two ports by which hosts of the stack reach each other, by TLS; "
        "open between them only",
    )
    floating: Floating | None = Field(
        default=None, description="an address that moves between entries; null: none"
    )
    tls: Tls = Field(default_factory=Tls)
    limits: Limits = Field(default_factory=Limits)
    rate_limit: RateLimit = Field(default_factory=RateLimit)

    @property
    def listens_on(self) -> dict[str, int]:
        """Every port of the edge that users reach, by its key in the file."""
        ports = {"edge.port": self.port}
        if self.has_tls and self.tls.redirect:
            ports["edge.tls.http_port"] = self.tls.http_port
        return ports

    @property
    def inner_ports(self) -> dict[str, int]:
        """The ports between hosts, one for each slot, by the key that gives them."""
        first = self.inner_ports_from
        return {"edge.inner_ports_from": first, "edge.inner_ports_from + 1": first + 1}

    def ports_of(self, *, is_entry: bool, has_peers: bool) -> dict[str, int]:
        """Every port of a host that others reach, by its key in the file."""
        return {
            **(self.listens_on if is_entry else {}),
            **(self.inner_ports if has_peers else {}),
        }

    @property
    def has_tls(self) -> bool:
        """Whether users speak TLS."""
        return self.tls.certificate != NO_TLS


def contradictions(edge: Edge, hosts: Sequence[HostEntry]) -> Iterator[str]:
    """One line for each thing that edge and hosts together make impossible."""
    if edge.floating is None:
        return
    entries = [host for host in hosts if host.entry and not host.out]
    if len(entries) < 2:
        yield (
            f"edge.floating: has nowhere to move (got {len(entries)} hosts with `entry: true`). "
            "Name two, or remove it."
        )
    if not ipaddress.ip_address(edge.address).is_unspecified:
        yield (
            f"edge.floating: the edge would not answer there (edge.address is {edge.address}). "
            "Write `edge.address: 0.0.0.0`."
        )
    for host in hosts:
        if edge.floating.ip in (host.address, host.inner_address):
            yield (
                f"edge.floating: is {host.name}'s own address too (got {edge.floating.ip}). "
                "Give one that no machine has."
            )
    for host in entries:
        yield from _floating_at(edge.floating, host)


def _floating_at(floating: Floating, host: HostEntry) -> Iterator[str]:
    if host.connection == "ssh" and not host.sudo and host.user != "root":
        yield (
            f"edge.floating: {host.name} is worked on without root, which cannot move an "
            "address. Write `sudo: true` for it, or use a DNS name with two records."
        )
    address, version = (
        host.inner_address or host.address,
        ipaddress.ip_interface(floating.ip).version,
    )
    if not _is_ip(address, version):
        yield (
            f"edge.floating: {host.name} is not reached by an IPv{version} address, as the "
            f"floating one is (got {address}). Write its `inner_address` as one."
        )


def _is_ip(text: str, version: int) -> bool:
    try:
        return ipaddress.ip_address(text).version == version
    except ValueError:
        return False
