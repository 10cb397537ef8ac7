"""Asks the hosts, all at a time, and holds what they say against what the stack wants."""

import os
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from ipaddress import ip_address
from pathlib import Path

from infra.complaints import last_line
from infra.config import Stack
from infra.config_edge import PORTS, SELF_SIGNED
from infra.connection import Connection, HostError, connect
from infra.doctor import expiry, facts, line
from infra.doctor.checks import card, clock, driver, engine, kernel, ports, registry, room, system
from infra.doctor.facts import Facts
from infra.doctor.here import split
from infra.doctor.kinds import Finding, Kind, ok
from infra.doctor.wanted import Wanted
from infra.host import Host

SCRIPT = Path(__file__).with_name("gather.sh")
SCRIPT_TIMEOUT_S = 60.0
REACH_TIMEOUT_S = 3.0
AT_A_TIME = 32
ENGINE_VARIABLE = "BENTOFLEET_ENGINE"

CLOSED = Kind("error", "ssh.closed", "{what}", "{cure}")
NOTHING_ELSE = Kind(
    "unchecked",
    "host.not-asked",
    "nothing else of this host was looked at",
    "Mend what is named above, then run this again.",
)
CUT_OFF = Kind(
    "unchecked",
    "host.cut-off",
    "the host did not tell all that was asked",
    "Run this again; if it stays so, run `sh` there and look whether it works.",
)
OUT_OF_REACH = Kind(
    "warning",
    "edge.out-of-reach",
    "the edge runs, and this machine does not reach it at {address}:{port}",
    "Open the port in the host's firewall, `sudo ufw allow {port}/tcp` for ufw, if users come the "
    "same way.",
)


OTHER_PORT = Kind(
    "warning",
    "edge.other-port",
    "the edge runs, and does not listen on port {port} yet, which the stack's file names",
    "`make up` lets it listen there; until then users reach it where it was.",
)


@dataclass(frozen=True)
class Report:
    """What was found on one machine.

    Attributes:
        address: empty for the machine that runs Pulumi.
        is_out: the stack's file takes it out, so it was not looked at.
    """

    name: str
    address: str
    findings: tuple[Finding, ...]
    took_s: float = 0.0
    is_out: bool = False


def all_hosts(
    settings: Stack, hosts: Sequence[Host], opener: Callable[[Host], Connection] = connect
) -> list[Report]:
    """A report of each host, in their order; a host that hangs holds up no other."""
    with ThreadPoolExecutor(max_workers=AT_A_TIME) as pool:
        return list(pool.map(lambda host: _of_host(settings, host, opener), hosts))


def _of_host(settings: Stack, host: Host, opener: Callable[[Host], Connection]) -> Report:
    if host.out:
        return Report(host.name, host.address, (), is_out=True)
    start = time.monotonic()
    try:
        connection = opener(host)
        try:
            found = tuple(_ask(settings, host, connection))
        finally:
            connection.close()
    except HostError as e:
        what, cure = split(str(e).removeprefix(f"{host.name}: "))
        found = (CLOSED.found(what=what, cure=cure), NOTHING_ELSE.found())
    return Report(host.name, host.address, found, time.monotonic() - start)


def _ask(settings: Stack, host: Host, connection: Connection) -> Iterator[Finding]:
    asks = wanted(settings, host, connection)
    argv = ["sh", "-s", "--", asks.stack, asks.engine, asks.folder, asks.accelerator, asks.registry]
    asked_s = time.time()
    done = connection.run(argv, SCRIPT.read_text(), SCRIPT_TIMEOUT_S)
    answered_s = time.time()
    told = facts.parse(done.out)
    if not told.is_whole:
        last = last_line(done.err)
        yield CUT_OFF.found(got=f"exit status {done.status}: {last}")
    if host.connection == "ssh":
        yield ok("ssh.open", f"as {told.one('user') or host.user}")
        yield from line.check(connection)
    yield from of_facts(told, asks, asked_s, answered_s)
    if host.entry and ports.edge_runs(told, asks):  # no other edge takes users
        if ports.edge_listens(told, settings.edge.port):
            yield from _of_edge(settings, host, connection)
        else:
            yield OTHER_PORT.found(port=settings.edge.port)


def wanted(settings: Stack, host: Host, connection: Connection) -> Wanted:
    """What the stack wants of a host."""
    return Wanted(
        name=host.name,
        stack=host.stack,
        accelerator=host.accelerator,
        software_device=host.software_device,
        folder=str(connection.paths().root),
        is_root=connection.is_root,
        user=host.user,
        replicas=settings.service.replicas,
        memory_mib=settings.service.memory_mib,
        registry=(settings.images.registry or "").partition("/")[0],
        engine=_engine(host),
        listens_at=settings.edge.address,
        listens_on=settings.edge.listens_on,
        ports_from=host.ports_from,
        ports=PORTS,
    )


def _engine(host: Host) -> str:
    """The engine that is wanted, as the provider takes it."""
    given = host.engine if host.engine != "auto" else os.environ.get(ENGINE_VARIABLE)
    return Path(given or "auto").name


def of_facts(told: Facts, asks: Wanted, asked_s: float, answered_s: float) -> Iterator[Finding]:
    """Findings about what a host told. Pure.

    Args:
        told: by the host.
        asks: what the stack wants.
        asked_s: this machine's time before the question.
        answered_s: this machine's time after the answer.
    """
    installable = asks.is_root and system.is_tried(told)
    yield from system.check(told, asks, os.uname().machine)
    yield from engine.check(told, asks, installable)
    yield from room.check(told, asks, engine.in_use(told))
    yield from ports.check(told, asks)
    yield from clock.check(told, asked_s, answered_s)
    yield from registry.check(told, asks)
    if asks.accelerator != "vulkan":
        return
    yield from driver.check(told, asks)
    if asks.needs_card:
        for found in driver.usable(told):
            yield from card.check(found)
        yield from kernel.check(told)
    if mesa := told.one("mesa"):  # of a replica that runs; what is built is asked on this machine
        yield from card.check_mesa(mesa)


def _of_edge(settings: Stack, host: Host, connection: Connection) -> Iterator[Finding]:
    """Whether the edge is reached from here, and its certificate as clients see it."""
    edge = settings.edge
    at = ip_address(edge.address)
    address, port = (edge.address if at.is_loopback else host.address), edge.port
    if at.is_loopback and host.connection == "ssh":
        address, port = "127.0.0.1", connection.local_port(edge.port)
    where = f"{host.address}:{edge.port}"
    try:
        with socket.create_connection((address, port), timeout=REACH_TIMEOUT_S):
            yield ok("edge.in-reach", where)
    except OSError as e:
        yield OUT_OF_REACH.found(got=e.strerror or e, address=host.address, port=edge.port)
        if edge.has_tls:
            yield expiry.CERTIFICATE_UNCHECKED.found(got="the edge is not reached", where=where)
        return
    if edge.has_tls:
        yield from _of_certificate(settings, address, port, where)


def _of_certificate(settings: Stack, address: str, port: int, where: str) -> Iterator[Finding]:
    try:
        pem = ssl.get_server_certificate((address, port), timeout=REACH_TIMEOUT_S)
    except (OSError, ValueError) as e:
        yield expiry.CERTIFICATE_UNCHECKED.found(got=e, where=where)
        return
    is_ours = settings.edge.tls.certificate == SELF_SIGNED
    renew = expiry.RENEW_SELF_SIGNED if is_ours else expiry.RENEW_OWN
    yield from expiry.of_certificate(where, pem, renew, datetime.now(UTC))
