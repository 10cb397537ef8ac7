"""A fleet on this machine: for each host a real HAProxy with our configuration and stand-ins."""

import http.client
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from typing import cast

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from harness.proxies import START_TIMEOUT_S, Program, Replica, Running, free_ports
from infra.commands import edge, fleet, haproxy, weights
from infra.config import MAX_REPLICAS
from infra.config_edge import Edge
from infra.connection import Connection
from infra.host import SLOTS, Host, Paths, Ports
from infra.provider import live, traffic
from infra.provider.machine import Machine

PORTS = 100
REPLICAS = 2


def identity(name: str) -> tuple[str, str]:
    """A certificate of a host for the other hosts, and its key."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    both = [x509.ExtendedKeyUsageOID.SERVER_AUTH, x509.ExtendedKeyUsageOID.CLIENT_AUTH]
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage(both), critical=False)
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), key.private_bytes(*form).decode()


class SiteMachine(Machine):
    """A host of the fleet as the provider works on it: its files and its edge."""

    def __init__(self, host: Host, root: Path, site: "Site") -> None:
        paths = Paths(PurePosixPath(str(root)))
        super().__init__(host, cast(Connection, SimpleNamespace(paths=lambda: paths)), "none")
        self._site = site

    def read(self, path: PurePosixPath) -> str | None:
        file = Path(path)
        return file.read_text() if file.exists() else None

    def write(self, path: PurePosixPath, content: str, mode: str = "0644") -> None:
        Path(path).write_text(content)

    def edge_command(self, command: str) -> str:
        return self._site.command(command)


class Site:
    """One host: its edge, and a stand-in for each replica of each slot that has a release.

    Attributes:
        number: it listens for the others on 127.0.0.number.
        reached_by: what the others are told of where that is.
    """

    def __init__(self, sites: "Fleet", name: str, number: int, *, entry: bool) -> None:
        self._sites, self.name, self.number, self.entry = sites, name, number, entry
        self.first = sites.first + PORTS * (number - 1)
        self.ports = Ports(self.first)
        self.root = sites.folder / name
        self.folder = self.root / "edge"
        (self.folder / "tls").mkdir(parents=True)
        self.certificate, self.key = identity(name)
        self.replicas: dict[str, list[Replica]] = {}
        host = Host(
            name=name,
            address=self.address,
            connection="local",
            accelerator="cpu",
            stack="fleet",
            ports_from=self.first,
            entry=entry,
        )
        self.machine = SiteMachine(host, self.root, self)
        self.reached_by = self.address
        self.edge: Running | None = None

    @property
    def address(self) -> str:
        """Where it listens for the other hosts."""
        return f"127.0.0.{self.number}"

    @property
    def port(self) -> int:
        """Where users reach its edge."""
        return self.first + 90

    def run(self, slot: str, release: str) -> list[Replica]:
        """Starts the replicas of a release in a slot."""
        self.end(slot)
        numbers = range(1, REPLICAS + 1)
        self.replicas[slot] = [Replica(self.ports.replica(slot, n), release) for n in numbers]
        return self.replicas[slot]

    def end(self, slot: str) -> None:
        """Kills the replicas of a slot."""
        for replica in self.replicas.pop(slot, []):
            replica.kill()

    def configure(self) -> None:
        """Writes the edge's files, as the provider does."""
        others = [s for s in self._sites.sites if s is not self]
        seen = fleet.Fleet(
            name=self.name,
            entry=self.entry,
            peers=tuple(fleet.Peer(s.name, s.reached_by, s.entry) for s in others),
            inner_bind=self.address if others else None,
        )
        settings = Edge.model_validate(
            {
                "address": "127.0.0.1",
                "port": self.port,
                "ports_from": self.first,
                "inner_ports_from": self._sites.inner_ports_from,
            }
        )
        given = haproxy.config(settings, self.ports, REPLICAS, seen)
        text = haproxy.with_weights(given, self.name, self._sites.weights)
        (self.folder / "haproxy.cfg").write_text(self._sites.program.written(text, self.folder))
        (self.folder / "tls" / "inner.pem").write_text(self.key + self.certificate)
        (self.folder / "tls" / "peers.pem").write_text("".join(s.certificate for s in others))

    def log(self) -> str:
        """What its edge printed until now."""
        return (self._sites.folder / f"{self.name}.log").read_text(errors="replace")

    def start(self) -> None:
        """Starts the edge with what stands in its files."""
        self.edge = self._sites.program.start(self.folder, self._sites.folder / f"{self.name}.log")

    def command(self, text: str) -> str:
        """Asks the edge's runtime API."""
        assert self.edge is not None
        return self.edge.command(text)

    def servers(self, group: str, slot: str) -> dict[str, edge.Server]:
        """What the edge says of the servers of a group, by name."""
        told = self.machine.edge_servers()
        return {s.name: s for s in told if (s.group, s.slot) == (group, slot)}

    def up(self, group: str, slot: str) -> set[str]:
        """The servers of a group that take requests."""
        return {name for name, server in self.servers(group, slot).items() if server.is_up}

    def stop(self) -> None:
        """Ends all of it."""
        if self.edge is not None:
            self.edge.kill()
        for slot in SLOTS:
            self.end(slot)


class Fleet:
    """The hosts, in the order in which they were added.

    Attributes:
        weights: that every entry has in its configuration.
    """

    def __init__(self, program: Program, folder: Path) -> None:
        self.program, self.folder = program, folder
        self.first = free_ports(4 * PORTS)
        self.sites: list[Site] = []
        self.weights: dict[str, int] = {}

    @property
    def inner_ports_from(self) -> int:
        """By which the hosts reach each other, each at its own address."""
        return self.first + 98

    def add(self, name: str, *, entry: bool = False) -> Site:
        """One more host, not started yet."""
        site = Site(self, name, len(self.sites) + 1, entry=entry)
        self.sites.append(site)
        self.weights[name] = weights.BEST
        return site

    def start(self, slot: str, release: str) -> None:
        """Starts every host with a release that is live; waits until all take users' requests."""
        for site in self.sites:
            self.record(site, slot, release)
            site.configure()
            site.run(slot, release)
            site.start()
        self.await_up(slot)

    def record(self, site: Site, slot: str, release: str) -> None:
        """Writes what is live into the file of a host."""
        now = live.Live(
            release=release, slot=slot, replicas=REPLICAS, since="2026-01-01", image="x:1"
        )
        live.write(site.machine, now)

    def candidate(self, slot: str, release: str) -> None:
        """Starts a release beside the one that is live, and offers it to the entries' users."""
        for site in self.sites:
            site.run(slot, release)
            traffic.offer(site.machine, slot, release)
        self.await_up(slot)

    def await_up(self, slot: str) -> None:
        """Until every entry sees every host in a slot."""
        names = {site.name for site in self.sites}
        for site in self.sites:
            if site.entry:
                own = {edge.server(n) for n in range(1, REPLICAS + 1)}
                wanted = own | (names - {site.name})
                wait_until(lambda: site.up("users", slot) == wanted, site.log)  # noqa: B023
            else:
                wait_until(lambda: len(site.up("inner", slot)) == REPLICAS, site.log)  # noqa: B023

    def stop(self) -> None:
        """Ends every host."""
        for site in self.sites:
            site.stop()


def wait_until(is_so: Callable[[], bool], told: Callable[[], object]) -> None:
    """Asks until it is so; else the test fails with what is told."""
    deadline = time.monotonic() + START_TIMEOUT_S
    while True:
        with suppress(OSError):
            if is_so():
                return
        assert time.monotonic() < deadline, told()
        time.sleep(0.05)


class Users:
    """Ask all the time, half of them on a new connection each time, until they are stopped.

    Attributes:
        statuses: of their answers; 0: there was none.
        slots: which slot answered, by the port of the replica that the answer names.
        hosts: which host did.
    """

    def __init__(self, sites: Fleet, port: int, count: int = 8) -> None:
        self._sites, self._port = sites, port
        self.statuses: Counter[int] = Counter()
        self.slots: Counter[str] = Counter()
        self.hosts: Counter[str] = Counter()
        self.faults: list[str] = []
        self._stopped, self._lock = threading.Event(), threading.Lock()
        self._threads = [
            threading.Thread(target=self._ask, args=(n % 2 == 0,), daemon=True)
            for n in range(count)
        ]

    def __enter__(self) -> "Users":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        for thread in self._threads:
            thread.join(90)

    def more(self, count: int) -> None:
        """Waits until so many more have been answered, or not."""
        enough = self.statuses.total() + count
        wait_until(lambda: self.statuses.total() >= enough, lambda: self.statuses)

    def forget(self) -> None:
        """Counts anew."""
        with self._lock:
            for counter in (self.statuses, self.slots, self.hosts):
                counter.clear()

    def _ask(self, stays: bool) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self._port, timeout=80)
        while not self._stopped.is_set():
            try:
                client.request("POST", "/v1/energy/predict", b"x" * 100)
                reply = client.getresponse()
                status, body = reply.status, reply.read()
            except (OSError, http.client.HTTPException) as e:
                client.close()
                status, body = 0, b""
                self.faults.append(repr(e))
            if not stays:
                client.close()
            with self._lock:
                self.statuses[status] += 1
                self._place(body)
        client.close()

    def _place(self, body: bytes) -> None:
        _, _, port = body.rpartition(b"replica on ")
        if port.isdigit():
            number, place = divmod(int(port) - self._sites.first, PORTS)
            self.hosts[self._sites.sites[number].name] += 1
            self.slots[SLOTS[place // MAX_REPLICAS]] += 1
