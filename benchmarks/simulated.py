"""Hosts that are only simulated: the walk's own commands are answered, each after a fixed time.

Files, containers and the edge's runtime state lie in memory. What no walk asks for is refused.
"""

import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import PurePosixPath
from typing import Any

from benchmarks.simulated_edge import SimulatedEdge
from infra.commands import edge, files
from infra.commands.containers import (
    NUMBER_LABEL,
    RELEASE_LABEL,
    ROLE_LABEL,
    SLOT_LABEL,
    STACK_LABEL,
)
from infra.commands.replica import ROLE
from infra.connection import Done, HostError
from infra.host import SLOTS, Host, Paths
from infra.provider.machine import Answer, Machine
from service import contract
from service.contract import metrics

ENGINE = "podman"
IMAGE_ID = "0" * 64


@dataclass(frozen=True)
class Pace:
    """How long things take on a simulated host.

    Attributes:
        command_s: each command, the way there and back included.
        start_s: until a replica that was started is ready.
    """

    command_s: float
    start_s: float


@dataclass
class _Container:
    name: str
    image: str
    labels: Mapping[str, str]
    env: list[str]
    memory_mib: int
    started: float


class SimulatedHost:
    """One host, as a connection: what it is told to run, it answers as a real one would."""

    def __init__(self, host: Host, replicas: int, pace: Pace) -> None:
        self.host = host
        self.edge = SimulatedEdge(host, replicas, self.ready)
        self._pace = pace
        self._lock = threading.Lock()
        self._files: dict[str, str] = {}
        self._there: dict[str, _Container] = {}
        self.commands = 0
        self.replica_started: float | None = None
        """When the latest replica was started, seconds of `time.monotonic()`."""
        edge_labels = {STACK_LABEL: host.stack, ROLE_LABEL: "edge"}
        name = f"bentofleet-{host.stack}-edge"
        self._there[name] = _Container(name, "edge", edge_labels, [], edge.MEMORY_MIB, 0.0)

    # -- what every connection can do -----------------------------------------------------------

    is_root = True

    def run(self, argv: Sequence[str], stdin: str | bytes = "", timeout_s: float = 60.0) -> Done:
        """Answers a command after its time.

        Raises:
            HostError: no walk has needed it so far.
        """
        time.sleep(self._pace.command_s)
        given = stdin.decode() if isinstance(stdin, bytes) else stdin
        with self._lock:
            self.commands += 1
            if argv[0] == ENGINE:
                return self._engine(argv[1], list(argv[2:]), given)
            if argv[:3] == ["rm", "-rf", "--"]:
                self._remove(argv[3])
                return Done(0, "", "")
            if argv[0] == "sh" and (script := _SCRIPTS.get(argv[2])):
                return script(self, list(argv[4:]), given)
        raise self._unknown(argv)

    def _unknown(self, argv: Sequence[str]) -> HostError:
        shown = " ".join(argv)
        return HostError(f"{self.host.name}: simulated: no such command (got {shown}).")

    def paths(self) -> Paths:
        """Where the stack's things lie."""
        return Paths(PurePosixPath("/simulated") / self.host.stack)

    def operator(self) -> str:
        """Who runs this."""
        return "bench@simulated"

    def machine_id(self) -> str:
        """Its own."""
        return self.host.name

    def local_port(self, port: int) -> int:
        """Nothing listens there."""
        return port

    def reverse_port(self, local_port: int) -> int:
        """Nothing listens there."""
        return local_port

    def home(self) -> PurePosixPath:
        """Of root."""
        return PurePosixPath("/root")

    def has(self, program: str) -> bool:
        """It has what is asked for."""
        return True

    def openings(self) -> int:
        """Its line is never cut."""
        return 1

    def close(self) -> None:
        """Nothing is open."""

    # -- files ----------------------------------------------------------------------------------

    def _read(self, words: list[str], given: str) -> Done:
        content = self._files.get(words[0])
        return Done(4, "", "") if content is None else Done(0, content, "")

    def _write(self, words: list[str], given: str) -> Done:
        self._files[words[0]] = given
        return Done(0, "", "")

    def _write_new(self, words: list[str], given: str) -> Done:
        if words[0] in self._files:
            return Done(1, "", "")
        return self._write(words, given)

    def _append(self, words: list[str], given: str) -> Done:
        self._files[words[0]] = f"{self._files.get(words[0], '')}{words[1]}\n"
        return Done(0, "", "")

    def _list(self, words: list[str], given: str) -> Done:
        folder = PurePosixPath(words[0])
        names = [PurePosixPath(f).name for f in self._files if PurePosixPath(f).parent == folder]
        return Done(0, "".join(f"{name}\n" for name in sorted(names)), "")

    def _age(self, words: list[str], given: str) -> Done:
        return Done(0, "0", "") if words[0] in self._files else Done(1, "", "")

    def _remove(self, path: str) -> None:
        for name in [f for f in self._files if f == path or f.startswith(f"{path}/")]:
            del self._files[name]

    # -- containers -----------------------------------------------------------------------------

    def _engine(self, verb: str, words: list[str], given: str) -> Done:
        if (act := _VERBS.get(verb)) is None:
            raise self._unknown([ENGINE, verb, *words])
        return Done(0, act(self, words, given), "")

    def _start(self, words: list[str], given: str) -> str:
        named: dict[str, list[str]] = {}
        for flag, value in pairwise(words):
            named.setdefault(flag, []).append(value)
        labels = dict(pair.partition("=")[::2] for pair in named["--label"])
        name, memory = named["--name"][0], named["--memory"][0].removesuffix("m")
        started = self.replica_started = time.monotonic()
        env = named.get("--env", [])
        self._there[name] = _Container(name, words[-1], labels, env, int(memory), started)
        return ""

    def _ids(self, words: list[str], given: str) -> str:
        return "".join(f"{name}\n" for name in self._there)

    def _inspect(self, words: list[str], given: str) -> str:
        return json.dumps([_inspected(self._there[name]) for name in words[2:]])

    def _remove_containers(self, words: list[str], given: str) -> str:
        for name in words:
            self._there.pop(name, None)
        return ""

    def _exec(self, words: list[str], given: str) -> str:
        return self.edge.command(given)

    def _nothing(self, words: list[str], given: str) -> str:
        return ""

    def _image_id(self, words: list[str], given: str) -> str:
        return IMAGE_ID

    def ready(self, slot: str) -> dict[int, str]:
        """The ready replicas of a slot: number -> release."""
        since = time.monotonic() - self._pace.start_s
        return {
            int(c.labels[NUMBER_LABEL]): c.labels[RELEASE_LABEL]
            for c in list(self._there.values())
            if c.labels.get(ROLE_LABEL) == ROLE
            and c.labels[SLOT_LABEL] == slot
            and c.started <= since
        }

    def releases(self) -> set[str]:
        """The releases of the replicas there."""
        return {c.labels[RELEASE_LABEL] for c in self._there.values() if RELEASE_LABEL in c.labels}


def _inspected(container: _Container) -> dict[str, Any]:
    return {
        "Name": container.name,
        "State": {"Status": "running", "StartedAt": "2026-01-01T00:00:00Z"},
        "Image": IMAGE_ID,
        "Config": {"Labels": container.labels, "Image": container.image, "Env": container.env},
        "HostConfig": {"Memory": container.memory_mib << 20},
    }


_VERBS: dict[str, Callable[[SimulatedHost, list[str], str], str]] = {
    "run": SimulatedHost._start,
    "ps": SimulatedHost._ids,
    "inspect": SimulatedHost._inspect,
    "stop": SimulatedHost._nothing,  # what is stopped is removed after that
    "rm": SimulatedHost._remove_containers,
    "image": SimulatedHost._image_id,
    "images": SimulatedHost._nothing,
    "logs": SimulatedHost._nothing,
    "exec": SimulatedHost._exec,
}
_SCRIPTS: dict[str, Callable[[SimulatedHost, list[str], str], Done]] = {
    files.read("")[2]: SimulatedHost._read,
    files.write("", "", 0)[2]: SimulatedHost._write,
    files.write_new("", 0)[2]: SimulatedHost._write_new,
    files.append("", "", 0)[2]: SimulatedHost._append,
    files.list_folder("")[2]: SimulatedHost._list,
    files.age_s("")[2]: SimulatedHost._age,
}


class SimulatedMachine(Machine):
    """The provider's own machine on a simulated host: only HTTP leads elsewhere."""

    def __init__(self, host: Host, replicas: int, pace: Pace) -> None:
        self.simulated = SimulatedHost(host, replicas, pace)
        super().__init__(host, self.simulated, ENGINE)
        self._pace = pace

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        """What a replica answers there: ready, with its rate, once it has started."""
        time.sleep(self._pace.command_s)
        for slot in SLOTS:
            for number, release in self.simulated.ready(slot).items():
                if port == self.host.ports.replica(slot, number):
                    return Answer(200, {contract.RELEASE_HEADER: release}, "{}")
                if port == self.host.ports.metrics(slot, number):
                    labels = f'model="energy",device="{contract.CPU}"'
                    return Answer(200, {}, f"{metrics.MODEL_RATE.name}{{{labels}}} 1000\n")
        return Answer(503, {}, json.dumps({"reasons": ["energy: is being loaded"]}))
