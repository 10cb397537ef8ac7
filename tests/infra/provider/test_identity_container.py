"""Hosts that get other keys between them, in real containers on this machine, under users."""

import http.client
import os
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from harness.console import KeptConsole
from harness.edges import identity as stranger
from harness.proxies import Replica

from infra.commands import certificate
from infra.connection import Local
from infra.host import Host, Paths
from infra.images import engine as engines
from infra.images import manifest
from infra.provider import edge, identity, live, reload, traffic, trust
from infra.provider.edge import Edge
from infra.provider.identity import Identity
from infra.provider.live import Live
from infra.provider.machine import Machine
from infra.provider.resource import AS_DECLARED, Plain
from infra.provider.trust import Trust

pytestmark = pytest.mark.soak

ROOT = Path(__file__).resolve().parents[3]
PORT, INNER_PORT, NAMES = 32_990, 32_992, ("one", "two")
RELEASE = Live(release="r", slot="a", replicas=1, since="2026-01-01T00:00:00+00:00", image="x:1")
CONSOLE = KeptConsole()


class Place(Local):
    """This machine, the stack's folder being the test's."""

    def __init__(self, host: Host, root: Path) -> None:
        super().__init__(host)
        self._root = root

    def paths(self) -> Paths:
        return Paths(PurePosixPath(str(self._root)))


class Pair:
    """An entry without replicas of its own, and a host with one: all users' requests go over."""

    def __init__(self, engine: str, image: str, folder: Path) -> None:
        self._image = image
        self.machines = {
            name: Machine(host, Place(host, folder / name), engine)
            for name, host in ((name, _host(name, number)) for number, name in enumerate(NAMES))
        }
        self.states: dict[str, Plain] = {}
        ports = self.machines["two"].host.ports
        self._replica = Replica(ports.replica("a", 1), RELEASE.release)
        for machine in self.machines.values():
            for path in (machine.paths.edge, machine.paths.keys):
                Path(path).mkdir(parents=True)
            live.write(machine, RELEASE)

    def up(self) -> None:
        for name in NAMES:
            state = self.states.get(name, {})
            self.states[name] = {
                **self._inputs(name),
                **Identity().update(state, self._inputs(name), CONSOLE),
            }
        for name in NAMES:
            Trust().create(self.trust(name), CONSOLE)
        for name in NAMES:
            Edge().create(self.edge(name), CONSOLE)

    def _inputs(self, name: str) -> Plain:
        return {"host": {"name": name}, "image": self._image}

    def trust(self, name: str) -> Plain:
        (other,) = {*NAMES} - {name}
        peer = {"name": other, "certificates": self.states[other]["certificates"]}
        return {**self._inputs(name), "peers": [peer]}

    def edge(self, name: str) -> Plain:
        (other,) = {*NAMES} - {name}
        address = self.machines[other].host.address
        return {
            **self._inputs(name),
            "address": self.machines[name].host.address,
            "port": PORT,
            "replicas": 1,
            "jwks": '{"keys": []}',
            "inner_ports_from": INNER_PORT,
            "entry": name == "one",
            "peers": [{"name": other, "address": address, "entry": other == "one"}],
        }

    def ask(self) -> str:
        """What a user of the entry is answered, on a connection of its own."""
        client = http.client.HTTPConnection(self.machines["one"].host.address, PORT, timeout=20)
        try:
            client.request("GET", "/v1/models")
            return str(client.getresponse().status)
        except (OSError, http.client.HTTPException) as e:
            return repr(e)
        finally:
            client.close()

    def looks(self) -> set[str]:
        found: set[str] = set()
        for name in NAMES:
            found |= {*Identity().look(self.states[name]).values()}
            found |= {*Trust().look(self.trust(name)).values()}
            found |= {*Edge().look(self.edge(name)).values()}
        return found

    def close(self) -> None:
        self._replica.close()
        for machine in self.machines.values():
            machine.remove_container(machine.edge_name)


def _host(name: str, number: int) -> Host:
    return Host(
        name=name,
        address=f"127.0.0.{number + 2}",
        connection="local",
        accelerator="cpu",
        stack=f"identity-test-{name}",  # one engine has both hosts' containers
        ports_from=32_500 + 100 * number,
    )


@pytest.fixture
def pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    try:
        engine = engines.choose(os.environ.get("BENTOFLEET_ENGINE"), engines.why_silent)
        image = manifest.load_fresh(ROOT, {"edge"})["edge"]
    except ValueError as e:
        pytest.skip(f"no edge image to run: {e}")
    if engines.Engine(engine).image_id(image.tag) is None:
        pytest.skip(f"no edge image to run: {engine} has no {image.tag}. Run `make image`.")
    made = Pair(engine, image.tag, tmp_path)
    for module in (edge, identity, trust):
        monkeypatch.setattr(
            module, "machine_of", lambda given: made.machines[given["host"]["name"]]
        )
    try:
        with monkeypatch.context() as patch:  # made long ago: the next run makes others
            patch.setattr(certificate, "INNER_DAYS", certificate.INNER_RENEW_DAYS - 1)
            made.up()
        traffic.set_weights(made.machines["one"], {"one": 0, "two": 240})
        wait_until(lambda: made.ask() == "200", "the entry asks the other host")
        yield made
    finally:
        made.close()


@contextmanager
def crowd(pair: Pair) -> Iterator[Counter[str]]:
    """Users that ask all the time, and what became of it."""
    stop, seen = threading.Event(), Counter[str]()

    def ask() -> None:
        while not stop.is_set():
            seen[pair.ask()] += 1

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait_until(is_so: Callable[[], bool], what: object) -> None:
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)


def test_both_hosts_get_other_keys_and_no_user_loses_a_request(pair: Pair) -> None:
    before = {name: reload.key_pair(machine) for name, machine in pair.machines.items()}
    containers = [machine.containers() for machine in pair.machines.values()]

    with crowd(pair) as seen:
        wait_until(lambda: seen["200"] >= 50, seen)
        pair.up()
        enough = seen["200"] + 100
        wait_until(lambda: seen["200"] >= enough, seen)
        pair.up()  # takes the former ones away
        enough = seen["200"] + 100
        wait_until(lambda: seen["200"] >= enough, seen)

    assert {*seen} == {"200"}, seen
    for name, machine in pair.machines.items():
        assert not reload.key_pair(machine) & before[name]
        (other,) = {*NAMES} - {name}
        assert reload.trusted(pair.machines[other]) == reload.key_pair(machine)
    assert [machine.containers() for machine in pair.machines.values()] == containers
    assert pair.looks() == {AS_DECLARED}


def test_between_hosts_nobody_is_let_in_who_is_no_host_of_the_stack(
    pair: Pair, tmp_path: Path
) -> None:
    address = (pair.machines["two"].host.address, INNER_PORT)
    shown, key = stranger("one")
    (tmp_path / "stranger.pem").write_text(key + shown)
    own = pair.states["two"]["certificates"]

    def status(**given: Any) -> int:
        context = ssl.create_default_context(cadata=own)
        if given:
            context.load_cert_chain(**given)
        context.check_hostname = False
        with closing(http.client.HTTPSConnection(*address, timeout=20, context=context)) as client:
            client.request("GET", "/v1/models")
            reply = client.getresponse()
            reply.read()
            return reply.status

    with pytest.raises((ssl.SSLError, ConnectionError)):
        status()
    with pytest.raises((ssl.SSLError, ConnectionError)):
        status(certfile=tmp_path / "stranger.pem")
    assert status(certfile=str(pair.machines["one"].paths.inner_certificate)) == 200
