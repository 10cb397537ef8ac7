"""Brings an image to a host without a registry: the host pulls from this process, through SSH.

Only layers that the host lacks go over the line, compressed, and what came over whole is not sent
again after the line was cut.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from infra import complaints
from infra.commands import containers, images
from infra.complaints import last_line
from infra.connection import Unreachable
from infra.images import archive, layers
from infra.images import engine as engines
from infra.images.layers import Lack, Packed
from infra.images.store import NotPacked, Store
from infra.provider.console import Console
from infra.provider.machine import Machine
from infra.provider.registry import Registry
from infra.provider.resource import Refused

ROOT = Path(__file__).resolve().parents[2]

ATTEMPTS = 4
"""Pulls of one step before it is given up."""

PAUSE_S = 2.0
LEAST_PULL_S = 300.0
SLOWEST_BYTES_PER_S = 16 * 1024
"""A step may take as long as a line of 128 kbit/s needs for it, and the engine to unpack it."""

PROGRESS_S = 2.0
MB = 1e6

_making = threading.Lock()
_registries: dict[int, Registry] = {}


def registry(stopped: threading.Event) -> Registry:
    """The one registry of this process; Ctrl-C ends what goes over the line."""
    with _making:
        if id(stopped) not in _registries:
            _registries[id(stopped)] = Registry(stopped.is_set)
        return _registries[id(stopped)]


@cache
def store() -> Store:
    """The blobs of this repository, read through once per process."""
    return Store(ROOT)


def pack(source: str, image_id: str) -> Packed:
    """The image that was built here, ready to be sent.

    Raises:
        Refused: this machine has no engine that answers, or not that image.
    """
    try:
        return store().pack(engines.find(), source, image_id)
    except (ValueError, NotPacked) as e:
        raise Refused(str(e)) from e


class Sending:
    """One image on its way to one host."""

    def __init__(self, machine: Machine, packed: Packed, tag: str, console: Console) -> None:
        self._machine = machine
        self._packed = packed
        self._tag = tag
        self._console = console
        self._registry = registry(console.stopped)
        self._role = _repository(tag).rpartition("/")[2]
        self._name = _name(machine, tag)
        self._there: set[int] = set()
        self._loads = False

    @property
    def _where(self) -> str:
        return f"{self._machine.host.name}: image {self._role}"

    def run(self) -> str:
        """Until the host has the image under its tag; the id that its engine gave it.

        Raises:
            Refused: the host's engine did not take it.
            Unreachable: the line was cut, again and again.
        """
        started, before = time.monotonic(), self._registry.sent(self._name)
        lacking = self._look()
        self._loads = self._has_a_network_of_its_own()
        for count in layers.steps(self._packed, lacking):
            self._step(count)
        found = self._machine.image_id(self._tag)
        # what was loaded, and not pulled by its digest, may have a name that only its engine knows
        if found is None or not (self._loads or found in self._named(self._packed).ids):
            msg = f"{self._where}: the engine has another image than was sent. Run it again."
            raise Refused(msg)
        clear(self._machine, self._tag)
        sent = self._registry.sent(self._name) - before
        self._console.say(
            f"{self._where}: {sent / MB:.1f} MB sent of {self._packed.size / MB:.1f} MB, "
            f"{len(self._packed.layers) - len(lacking.missing)} of {len(self._packed.layers)} "
            f"layers were there ({time.monotonic() - started:.0f} s)"
        )
        return found

    def _look(self) -> Lack:
        by_chain = images.is_docker(self._machine.engine)
        found = layers.lack(self._packed, layers_there(self._machine), by_chain=by_chain)
        self._there = set(range(len(self._packed.layers))) - set(found.missing)
        return found

    def _has_a_network_of_its_own(self) -> bool:
        engine = self._machine.engine
        if not images.is_docker(engine):
            return False
        return images.is_rootless(self._machine.run(images.security(engine)))

    def _named(self, part: Packed) -> Packed:
        """The part as this host's engine finds again what it has of it."""
        if images.is_docker(self._machine.engine):
            return part
        return layers.plainly(part, self._there)

    def _step(self, count: int) -> None:
        """The lowest `count` layers as an image with a name, so that the host keeps them."""
        is_whole = count == len(self._packed.layers)
        part = (
            self._packed if is_whole else layers.first(self._packed, count, _repository(self._tag))
        )
        tag = self._tag if is_whole else f"{part_repository(self._tag)}:{part.digest[7:19]}"
        self._until_there(part, tag)
        self._there.update(range(count))

    def _until_there(self, part: Packed, tag: str) -> None:
        """What broke off is tried again: with luck the line is back, or was only slow."""
        left = ATTEMPTS
        while True:
            left -= 1
            try:
                return self._load(part, tag) if self._loads else self._pull(part, tag)
            except (Unreachable, _PullFailed) as e:
                self._refuse_if_stopped()
                if left == 0 or (isinstance(e, _PullFailed) and e.cure):
                    raise self._given_up(e) from e
                self._console.say(f"{self._where}: broke off ({e}); it goes on from there")
            self._console.stopped.wait(PAUSE_S)
            self._refuse_if_stopped()
            self._look()  # by now something may be gone that was there

    def _pull(self, part: Packed, tag: str) -> None:
        """The host's engine gets the part from the registry here."""
        connection, engine = self._machine.connection, self._machine.engine
        part = self._named(part)
        self._registry.offer(part, store().path)
        port = connection.reverse_port(self._registry.port)
        reference = f"{images.LOOPBACK}:{port}/{self._name}@{part.digest}"
        with self._progress():
            self._run(images.pull(engine, reference, _time_for(part)), part)
        self._machine.run(containers.tag_image(engine, reference, tag))
        self._machine.run(containers.remove_tag(engine, reference))

    def _load(self, part: Packed, tag: str) -> None:
        """The host's engine reads the part from its standard input."""
        content = archive.without(part, tag, self._there, store().files)
        self._registry.count(self._name, len(content))
        self._run(images.load(self._machine.engine, _time_for(part)), part, content)

    def _run(self, argv: list[str], part: Packed, stdin: bytes = b"") -> None:
        timeout_s = _time_for(part) + images.KILL_S
        done = self._machine.connection.run(argv, stdin, timeout_s)
        if done.status != 0:
            cure = complaints.cure({self._machine.engine: done.err}, "")
            raise _PullFailed(last_line(done.err), cure)

    def _given_up(self, error: Exception) -> Exception:
        if not isinstance(error, _PullFailed):
            return error
        if error.cure:
            return Refused(f"{self._where}: the engine did not pull it ({error}). {error.cure}")
        msg = (
            f"{self._where}: the engine did not pull it ({error}). What came over is kept: run it "
            "again."
        )
        return Refused(msg)

    def _refuse_if_stopped(self) -> None:
        if self._console.stopped.is_set():
            msg = f"{self._where}: interrupted. What came over is kept: run it again."
            raise Refused(msg)

    @contextmanager
    def _progress(self) -> Iterator[None]:
        """Tells on a terminal how far it is."""
        over = threading.Event()
        start = self._registry.sent(self._name)

        def tell() -> None:
            last = start
            while not over.wait(PROGRESS_S):
                now = self._registry.sent(self._name)
                if now > last:
                    last = now
                    line = f"{self._where}: {(now - start) / MB:.0f} MB"
                    self._console.say(f"{line} of at most {self._packed.size / MB:.0f} MB", True)

        thread = threading.Thread(target=tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()


def _time_for(part: Packed) -> float:
    return LEAST_PULL_S + part.size / SLOWEST_BYTES_PER_S


class _PullFailed(Exception):
    """The engine's last words, and the cure where they are known."""

    def __init__(self, said: str, cure: str) -> None:
        super().__init__(said)
        self.cure = cure


def layers_there(machine: Machine) -> list[list[str]]:
    """The layers of each image on the host."""
    found = sorted(set(machine.run(images.ids(machine.engine)).split()))
    if not found:
        return []
    done = machine.connection.run(images.layers(machine.engine, found))
    return images.parse_layers(done.out)  # one may have gone in between: the others count


def part_repository(tag: str) -> str:
    """Where the parts of an image on its way are tagged."""
    return f"{tag.rpartition(':')[0]}-part"


def clear(machine: Machine, tag: str) -> None:
    """Removes what this or an interrupted run has left of an image on its way."""
    told = machine.run(images.names(machine.engine))
    parts = images.tagged(told, part_repository(tag))
    for name in [*parts, *images.pulled(told, _name(machine, tag))]:
        machine.run(containers.remove_tag(machine.engine, name))


def _repository(tag: str) -> str:
    """The tag without registry and version, such as `bentofleet-demo/service`."""
    return tag.partition("/")[2].rpartition(":")[0]


def _name(machine: Machine, tag: str) -> str:
    """Under which name this host pulls: one of its own, so that its bytes can be counted.

    A hash, because not every host's name may stand in an image's.
    """
    host = hashlib.sha256(machine.host.name.encode()).hexdigest()[:8]
    return f"{_repository(tag)}/{host}"
