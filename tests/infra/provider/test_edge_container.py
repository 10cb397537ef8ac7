"""The edge in a real container on this machine: a certificate made, served, changed, removed."""

import http.client
import ipaddress
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from harness.console import KeptConsole

from infra.commands import edge as commands
from infra.connection import Local
from infra.host import Host, Paths
from infra.images import engine as engines
from infra.images import manifest
from infra.provider import edge
from infra.provider.edge import Edge
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain

ROOT = Path(__file__).resolve().parents[3]
PORT, HTTP_PORT, PORTS_FROM = 32_890, 32_891, 32_700
HOST = Host(
    name="here",
    address="127.0.0.1",
    connection="local",
    accelerator="cpu",
    stack="edge-test",
    ports_from=PORTS_FROM,
)


class Place(Local):
    """This machine, the stack's folder being the test's."""

    def __init__(self, root: Path) -> None:
        super().__init__(HOST)
        self._root = root

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self._root)))


class Site:
    """The edge of one host, and what it was last made with."""

    def __init__(self, machine: Machine, image: manifest.BuiltImage) -> None:
        self.machine = machine
        self._image = image
        self.inputs: Plain = {}
        self.shown = ""

    def make(self, **changes: Any) -> None:
        self.inputs = {
            "image": self._image.tag,
            "image_id": self._image.image_id,
            "address": "127.0.0.1",
            "port": PORT,
            "replicas": 1,
            "jwks": '{"keys": []}',
            **changes,
        }
        self.inputs["tls"] = {"http_port": HTTP_PORT, **self.inputs.get("tls", {})}
        console = KeptConsole()
        self.shown = Edge().create(self.inputs, console)["served_certificate"]

    def ask(self, shown: str | None = None) -> int:
        """Status of one request, the host checked with the certificate that it shows."""
        context = ssl.create_default_context(cadata=self.shown if shown is None else shown)
        client = http.client.HTTPSConnection("127.0.0.1", PORT, timeout=20, context=context)
        client.request("GET", "/livez")
        status = client.getresponse().status
        client.close()
        return status

    def look(self) -> set[str]:
        return set(Edge().look(self.inputs).values())

    def destroy(self) -> None:
        console = KeptConsole()
        Edge().delete(self.inputs, console)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    """A place for an edge on this machine, empty before and after."""
    try:
        engine = engines.choose(os.environ.get("BENTOFLEET_ENGINE"), engines.why_silent)
        image = manifest.load_fresh(ROOT, {"edge"})["edge"]
    except ValueError as e:
        pytest.skip(f"no edge image to run: {e}")
    if engines.Engine(engine).image_id(image.tag) is None:
        pytest.skip(f"no edge image to run: {engine} has no {image.tag}. Run `make image`.")
    machine = Machine(HOST, Place(tmp_path / "stack"), engine)
    for folder in (machine.paths.edge, machine.paths.keys):
        Path(folder).mkdir(parents=True)
    monkeypatch.setattr(edge, "machine_of", lambda _: machine)
    site = Site(machine, image)
    machine.remove_container(machine.edge_name)
    yield site
    machine.remove_container(machine.edge_name)


def own_pair(called: str) -> tuple[str, str]:
    """A certificate for 127.0.0.1 and its key; a client finds it by its name."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, called)])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=60))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, SHA256())
    )
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return made.public_bytes(Encoding.PEM).decode(), key.private_bytes(*form).decode()


@contextmanager
def crowd(site: Site, trusted: str) -> Iterator[Counter[str]]:
    """Users that ask all the time, on a new connection each, and what became of it."""
    stop, seen = threading.Event(), Counter[str]()

    def ask() -> None:
        while not stop.is_set():
            try:
                seen[str(site.ask(trusted))] += 1
            except (OSError, http.client.HTTPException) as e:
                seen[repr(e)] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    yield seen
    stop.set()
    for thread in threads:
        thread.join()


def wait_until(is_so: Callable[[], bool], what: object = "") -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


SELF_SIGNED = {"tls": {"certificate": "self-signed"}}


def test_the_certificate_that_a_host_made_is_served_and_stays(site: Site) -> None:
    site.make(**SELF_SIGNED)
    first, started = site.shown, site.machine.containers()

    assert site.ask() == 503  # nothing is live, which the edge says by TLS
    assert site.look() == {AS_DECLARED}
    site.make(**SELF_SIGNED)
    assert site.shown == first
    assert site.machine.containers() == started


def test_a_new_certificate_is_served_without_losing_anybody(site: Site) -> None:
    old, old_key = own_pair("old")
    new, new_key = own_pair("new")
    site.make(tls={"certificate": "own"}, certificate=old, certificate_key=old_key)
    started = site.machine.containers()

    with crowd(site, old + new) as seen:
        wait_until(lambda: seen["503"] >= 20, seen)
        site.make(tls={"certificate": "own"}, certificate=new, certificate_key=new_key)
        enough = seen["503"] + 20
        wait_until(lambda: seen["503"] >= enough, seen)

    assert set(seen) == {"503"}
    assert site.ask(new) == 503
    with pytest.raises(ssl.SSLCertVerificationError):
        site.ask(old)
    assert site.machine.containers() == started  # a reload, no new container


def test_the_key_can_be_read_by_the_edge_and_by_nobody_else_in_the_container(site: Site) -> None:
    site.make(**SELF_SIGNED)
    machine = site.machine
    inside = "/etc/bentofleet/edge/tls/edge.pem"

    def reads(*user: str) -> bool:
        argv = [machine.engine, "exec", *user, machine.edge_name, "cat", inside]
        return machine.connection.run(argv).status == 0

    assert reads()
    assert not reads("--user", "10003:10003")
    assert not reads("--user", "10002:10002")


def test_turning_tls_off_takes_the_key_away(site: Site) -> None:
    site.make(**SELF_SIGNED)
    site.make()

    client = http.client.HTTPConnection("127.0.0.1", PORT, timeout=20)
    client.request("GET", "/livez")
    assert client.getresponse().status == 503
    client.close()
    assert not (Path(site.machine.paths.edge) / "tls").exists()
    assert site.look() == {AS_DECLARED}


def test_destroying_it_leaves_neither_container_nor_key(site: Site) -> None:
    site.make(**SELF_SIGNED)

    site.destroy()

    assert site.machine.containers() == []
    assert [p for p in Path(site.machine.paths.root).rglob("*") if p.is_file()] == []


def is_running(machine: Machine) -> bool:
    return [c.is_running for c in machine.containers()] == [True]


def test_an_edge_without_users_ends_as_soon_as_it_is_asked_to(site: Site) -> None:
    site.make()
    machine = site.machine

    machine.run([machine.engine, "kill", "--signal", "USR1", machine.edge_name])

    wait_until(lambda: not is_running(machine))
    state = machine.run(
        [machine.engine, "inspect", "--format", "{{.State.ExitCode}}", machine.edge_name]
    )
    assert state.strip() == "0"  # and so the engine does not start it again


def test_an_edge_whose_worker_is_killed_ends_and_the_engine_starts_it_again(site: Site) -> None:
    site.make(**SELF_SIGNED)
    machine = site.machine
    show = [machine.engine, "exec", "--interactive", machine.edge_name, *commands.WORKERS]
    (worker,) = commands.parse_workers(machine.run(show, stdin=commands.show_workers()))

    machine.run([machine.engine, "exec", machine.edge_name, "sh", "-c", f"kill -9 {worker}"])

    def is_back() -> bool:
        done = machine.connection.run(show, commands.show_workers())
        return done.status == 0 and bool(commands.parse_workers(done.out))

    wait_until(lambda: machine.containers()[0].restarts > 0 and is_back())
    assert site.ask() == 503
