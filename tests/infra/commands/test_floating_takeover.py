"""Two real keepalived on one network: the address is at one of them, and users reach it there."""

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from harness.network import Network, why_no_network

from infra.commands import containers, floating
from infra.images import engine as engines
from infra.images import manifest

ROOT = Path(__file__).resolve().parents[3]
NETWORK, STACK, METRICS = 240, "address-test", 21066
DEADLINE_S = 40
"""More than any takeover takes, also on a machine with much else to do."""

# Stands in for an edge: answers on all addresses by the host's name.
EDGE = """\
import http.server, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(sys.argv[2].encode())
    def log_message(self, *words):
        pass
http.server.HTTPServer(("", int(sys.argv[1])), Handler).serve_forever()
"""


class Entry:
    """A host in a network name space of its own, with a stand-in for its edge and keepalived."""

    def __init__(self, network: Network, name: str, number: int, image: str, folder: Path) -> None:
        self.name, self.address = name, network.address(number)
        self._image, self._folder = image, folder
        self._container = f"bentofleet-test-{uuid.uuid4().hex[:12]}"
        self._edge: subprocess.Popen[bytes] | None = None
        self._space = subprocess.Popen(
            ["unshare", "--net", "sleep", "infinity"], start_new_session=True
        )
        wait_until(lambda: self._is_apart(), "a name space")
        network.join(number, self._space.pid)
        self._inside("ip", "link", "set", "lo", "up")

    def _is_apart(self) -> bool:
        with suppress(OSError):
            space = Path(f"/proc/{self._space.pid}/ns/net").readlink()
            return space != Path("/proc/self/ns/net").readlink()
        return False

    def _inside(self, *words: str) -> str:
        argv = ["nsenter", "--net", "--target", str(self._space.pid), *words]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def has(self, ip: str) -> bool:
        return ip in self._inside("ip", "-oneline", "address", "show", "to", ip)

    def start_edge(self) -> None:
        inside = ["nsenter", "--net", "--target", str(self._space.pid)]
        argv = [*inside, sys.executable, "-c", EDGE, str(METRICS), self.name]
        self._edge = subprocess.Popen(argv, start_new_session=True)

    def kill_edge(self) -> None:
        assert self._edge is not None
        self._edge.kill()
        self._edge.wait()

    def start(self, entries: list[tuple[str, str]], ip: str) -> None:
        """Starts keepalived as `provider.floating` does, in this network instead of the host's."""
        self.write(entries, ip)
        wanted = floating.container(stack=STACK, image=self._image, folder=str(self._folder))
        argv = containers.run("podman", wanted)
        argv[argv.index(wanted.name)] = self._container
        argv[argv.index("--network") + 1] = f"ns:/proc/{self._space.pid}/ns/net"
        subprocess.run(argv, check=True, capture_output=True)

    def write(self, entries: list[tuple[str, str]], ip: str, router_id: int = 51) -> None:
        text = floating.config(
            stack=STACK,
            host=self.name,
            address=f"{ip}/24",
            interface="eth0",
            router_id=router_id,
            entries=entries,
            edge_metrics=METRICS,
        )
        (self._folder / floating.CONFIG_NAME).write_text(text)

    def send(self, signal: str) -> None:
        subprocess.run(containers.kill("podman", self._container, signal), check=True)

    def crash(self) -> None:
        """Its process is killed, which the engine did not ask for."""
        argv = ["podman", "inspect", "--format", "{{.State.Pid}}", self._container]
        pid = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        os.kill(int(pid), 9)

    def stop(self) -> None:
        subprocess.run(containers.stop("podman", [self._container], 10), capture_output=True)

    def start_again(self) -> None:
        subprocess.run(["podman", "start", self._container], check=True, capture_output=True)

    def log(self) -> str:
        argv = ["podman", "logs", self._container]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    def close(self) -> None:
        subprocess.run(containers.remove("podman", self._container), capture_output=True)
        if self._edge is not None:
            self._edge.kill()
            self._edge.wait()
        self._space.kill()
        self._space.wait()


class Pair:
    """The two of them, and this machine as their user."""

    def __init__(self, network: Network, image: str, folder: Path) -> None:
        self.network = network
        self.ip = f"198.18.{NETWORK}.100"
        self.entries = {}
        for number, name in ((11, "one"), (12, "two")):
            (folder / name).mkdir()
            self.entries[name] = Entry(network, name, number, image, folder / name)

    @property
    def all_of(self) -> list[tuple[str, str]]:
        return [(entry.name, entry.address) for entry in self.entries.values()]

    def start(self) -> None:
        for entry in self.entries.values():
            entry.start_edge()
            entry.start(self.all_of, self.ip)

    def holders(self) -> list[str]:
        return [name for name, entry in self.entries.items() if entry.has(self.ip)]

    def answers(self) -> str:
        """Who answers at the address; nobody: empty."""
        argv = ["curl", "--silent", "--max-time", "1", f"http://{self.ip}:{METRICS}/"]
        return subprocess.run(argv, capture_output=True, text=True, check=False).stdout

    def comes_to(self, name: str) -> None:
        """Waits until one host alone has the address, and users reach it there."""
        told = lambda: "\n".join(entry.log() for entry in self.entries.values())  # noqa: E731
        wait_until(lambda: self.holders() == [name] and self.answers() == name, told)


def wait_until(is_so: Callable[[], bool], what: object) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_so():
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.1)


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    if why := why_no_network():
        pytest.skip(why)
    if shutil.which("curl") is None:
        pytest.skip("there is no curl. Install it.")
    try:
        engine = engines.choose(os.environ.get("BENTOFLEET_ENGINE"), engines.why_silent)
        image = manifest.load_fresh(ROOT, {"edge"})["edge"]
    except ValueError as e:
        pytest.skip(f"no edge image to run: {e}")
    if engine != "podman":
        pytest.skip(f"{engine} puts no container into a name space of ours, as podman does")
    if engines.Engine(engine).image_id(image.tag) is None:
        pytest.skip(f"no edge image to run: {engine} has no {image.tag}. Run `make image`.")
    network = Network(NETWORK)
    made = Pair(network, image.tag, tmp_path)
    try:
        yield made
    finally:
        for entry in made.entries.values():
            entry.close()
        network.close()


def test_the_address_goes_to_the_other_entry_when_an_edge_dies_and_does_not_come_back(
    pair: Pair,
) -> None:
    pair.start()
    pair.comes_to("one")

    pair.entries["one"].kill_edge()
    pair.comes_to("two")

    pair.entries["one"].start_edge()
    pair.entries["two"].kill_edge()
    pair.comes_to("one")


@pytest.mark.soak
def test_the_address_is_at_one_entry_whatever_happens_to_keepalived_or_its_host(
    pair: Pair,
) -> None:
    one, two = pair.entries.values()
    pair.start()
    pair.comes_to("one")

    one.crash()  # the engine starts it again, and it gives up what it still had
    pair.comes_to("two")

    two.write(pair.all_of, pair.ip)
    two.send("HUP")
    for _ in range(20):
        assert pair.holders() == ["two"]
        time.sleep(0.1)

    two.stop()
    pair.comes_to("one")

    two.start_again()
    pair.comes_to("one")
    pair.network.unplug(11)  # nobody hears of it any more, and it cannot know
    wait_until(lambda: pair.answers() == "two", "the other entry answers")
    pair.network.plug(11)
    wait_until(lambda: len(pair.holders()) == 1, "one of the two has it")
