"""Hosts of a stack that live in memory: files, containers, and edges that send users on.

What an edge does with its runtime API and its checks is done here at once. Before each effect the
users are looked at (`harness.users`), so that a test can end a run anywhere.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from harness.memory_line import MemoryConnection
from harness.users import MemoryFleet, number_of
from infra.commands import edge, weights
from infra.commands.containers import (
    RELEASE_LABEL,
    SLOT_LABEL,
    SPEC_LABEL,
    Container,
    Running,
)
from infra.commands.edge import Server
from infra.connection import HostError, Unreachable
from infra.host import SLOTS, Host
from infra.provider import live
from infra.provider.machine import Answer, Machine
from service import contract

NOTHING_LIVE = {"live": "none", "canary": "0", "release_a": "none", "release_b": "none"}


class MemoryMachine(Machine):
    """One host; faults are planted by name.

    Attributes:
        map: what its running edge goes by.
        weights: of the servers of its users' backends, by HAProxy's names.
        refuses: slot that its edge cannot make live.
        unseen: hosts that this edge cannot reach.
        dead: it answers nobody.
        fleet: whom it tells of each effect.
    """

    def __init__(self, host: Host, faults: Iterable[str] = ()) -> None:
        super().__init__(host, MemoryConnection(host.stack), "podman")  # type: ignore[arg-type]
        self.faults = set(faults)
        self.files: dict[str, str] = {}
        self.there: dict[str, Running] = {}
        self.map = dict(NOTHING_LIVE)
        self.count = 2
        self.weights: dict[str, int] = {}
        self.refuses: str | None = None
        self.drained: set[tuple[str, int]] = set()
        self.unchecked: set[tuple[str, int]] = set()
        self.in_work: set[tuple[str, int]] = set()
        self.unseen: set[str] = set()
        self.dead = False
        self.fleet: MemoryFleet | None = None

    # -- what is done to it ---------------------------------------------------------------------

    def _effect(self) -> None:
        self.answer()
        if self.fleet is not None:
            self.fleet.before_effect(self)

    def answer(self) -> None:
        """Whether it is there at all."""
        if self.dead:
            raise Unreachable(f"{self.host.name}: does not answer.")

    def _log(self, what: str) -> None:
        if self.fleet is not None:
            self.fleet.log.append(f"{self.host.name}: {what}")

    def write(self, path: PurePosixPath, content: str, mode: str = "0644") -> None:
        self._effect()
        self.files[str(path)] = content

    def append(self, path: PurePosixPath, line: str, most_bytes: int) -> None:
        """No effect: it changes nothing that users meet, and is written beside the work."""
        self.answer()
        self.files[str(path)] = f"{self.files.get(str(path), '')}{line}\n"

    def remove(self, path: PurePosixPath) -> None:
        self._effect()
        self.files.pop(str(path), None)

    def ensure(self, wanted: Container, there: Sequence[Running]) -> bool:
        found = self.there.get(wanted.name)
        self.answer()
        if found and found.is_running and not found.differs_from(wanted):
            return False
        self._effect()
        self._log(f"{wanted.name} started")
        self.there[wanted.name] = Running(
            name=wanted.name,
            status="exited" if "does not start" in self.faults else "running",
            image_id="image",
            labels={**wanted.labels, SPEC_LABEL: wanted.spec},
            started_at="",
            restarts=0,
            image=wanted.image,
        )
        return True

    def stop(self, names: Sequence[str], timeout_s: int) -> None:
        for name in names:
            self._effect()
            self._end(name)

    def remove_container(self, name: str) -> None:
        self._effect()
        self._end(name)

    def _end(self, name: str) -> None:
        gone = self.there.pop(name, None)
        self._log(f"{name} ended")
        if gone is not None and gone.is_running and self.fleet is not None:
            self.fleet.ended(self, gone)

    def edge_command(self, command: str) -> str:
        self.answer()
        if command.startswith("show map"):
            return "".join(f"0x1 {key} {value}\n" for key, value in self.map.items())
        self._effect()
        for one in command.strip().split(";"):
            self._do(one.split())
        return ""

    def _do(self, words: list[str]) -> None:
        match words:
            case ["set", "map", _, key, value]:
                self._set(key, value)
            case ["set", "server", server, "weight", weight]:
                self.weights[server.partition("/")[2]] = int(weight)
            case ["set", "server", server, "state", "drain"]:
                self.drained.add(_place(server))
            case ["set", "server", server, "state", "ready"]:
                self.drained.discard(_place(server))
            case ["disable", "health", server]:
                self.unchecked.add(_place(server))
            case ["enable", "health", server]:
                self.unchecked.discard(_place(server))
            case _:
                raise AssertionError(f"no such command (got {' '.join(words)})")

    def _set(self, key: str, value: str) -> None:
        if key == "live" and value == self.refuses:
            raise HostError(f"{self.host.name}: the edge is gone.")
        if value != self.map[key]:
            self._log(f"{key} {value}")
        if key.startswith("release_") and self.map[key] not in (value, "none"):
            slot, was = key.removeprefix("release_"), self.map[key]
            places = {(slot, number_of(c)) for c in self.up(slot)} - self.unchecked
            if self.fleet is not None:
                self.fleet.cut(self, places, f"release {was} was taken away")
        self.map[key] = value

    # -- what it tells --------------------------------------------------------------------------

    def read(self, path: PurePosixPath) -> str | None:
        self.answer()
        return self.files.get(str(path))

    def names_in(self, folder: PurePosixPath) -> list[str]:
        self.answer()
        return [PurePosixPath(f).name for f in self.files if PurePosixPath(f).parent == folder]

    def containers(self) -> list[Running]:
        self.answer()
        return list(self.there.values())

    def image_id(self, tag: str) -> str | None:
        return "image"

    def image_tags(self, repository: str) -> list[str]:
        return []

    def run(self, argv: Any, stdin: Any = "", timeout_s: float = 60.0) -> str:
        self.answer()
        return ""

    def get(self, port: int, path: str, timeout_s: float = 5.0) -> Answer:
        if self.dead or "does not start" in self.faults:
            return Answer(0, {}, "connection refused")
        for c in self.there.values():
            if port == self.host.ports.replica(str(c.labels[SLOT_LABEL]), number_of(c)):
                if self._is_bad(c):
                    why = {"reasons": ["energy: golden answer 3 differs"]}
                    return Answer(503, {}, json.dumps(why))
                return Answer(200, {contract.RELEASE_HEADER: c.labels[RELEASE_LABEL]}, "{}")
        return Answer(0, {}, "connection refused")

    def _is_bad(self, container: Running) -> bool:
        """Only what was started by the run that is tested can be."""
        return "never ready" in self.faults and not container.started_at

    def edge_servers(self) -> list[Server]:
        self.answer()
        assert self.fleet is not None
        servers = [server for slot in SLOTS for server in self._servers(slot)]
        self.fleet.route()
        return servers

    def _servers(self, slot: str) -> list[Server]:
        work = {number for of, number in self.in_work if of == slot}
        self.in_work = {place for place in self.in_work if place[0] != slot}
        up = {number_of(c) for c in self.up(slot)}
        own = [
            Server(
                group="slot",
                slot=slot,
                name=edge.server(number),
                status="UP" if number in up else "DOWN",
                sessions=int(number in work),
            )
            for number in range(1, self.count + 1)
        ]
        if not self.host.entry:
            return own
        whole = weights.of_own_replicas(weights.BEST, self.count)
        users = [
            replace(s, group="users", sessions=0, weight=self.weights.get(s.name, whole))
            for s in own
        ]
        assert self.fleet is not None
        return [*own, *users, *(self._seen(p, slot) for p in self.fleet.machines if p != self)]

    def _seen(self, peer: "MemoryMachine", slot: str) -> Server:
        weight = self.weight_of(peer)
        up = "UP" if weight else "DRAIN"
        return Server(
            group="users",
            slot=slot,
            name=peer.host.name,
            status=up if self.sees(peer, slot) else "DOWN",
            is_own=False,
            weight=weight,
        )

    def weight_of(self, peer: "MemoryMachine") -> int:
        """What another host gets of this entry's users."""
        return self.weights.get(f"{edge.PEER_PREFIX}{peer.host.name}", 0)

    # -- whom its edge sends requests to --------------------------------------------------------

    def replicas(self, slot: str) -> list[Running]:
        """The replicas of a slot, running or not."""
        return [c for c in self.there.values() if c.labels.get(SLOT_LABEL) == slot]

    def up(self, slot: str) -> list[Running]:
        """Those that its edge sends requests to."""
        wanted = self.map[edge.release_key(slot)]
        return [
            c
            for c in self.replicas(slot)
            if c.is_running
            and not self._is_bad(c)
            and (c.labels[RELEASE_LABEL] == wanted or (slot, number_of(c)) in self.unchecked)
            and (slot, number_of(c)) not in self.drained
        ]

    def sees(self, peer: "MemoryMachine", slot: str) -> bool:
        """Whether the check of another host passes: it serves what this edge offers."""
        answers = {c.labels[RELEASE_LABEL] for c in peer.up(slot)}
        out_of_reach = peer.dead or peer.host.name in self.unseen
        return not out_of_reach and answers == {self.map[edge.release_key(slot)]}

    def routes(self, slot: str) -> list[tuple["MemoryMachine", Running]]:
        """The replicas that users who are sent to a slot of this entry can come to."""
        assert self.fleet is not None
        peers = [
            p for p in self.fleet.machines if p != self and self.weight_of(p) and self.sees(p, slot)
        ]
        return [(m, c) for m in (self, *peers) for c in m.up(slot)]

    @property
    def share(self) -> float:
        """The part of the users that goes to the slot that is not live."""
        return int(self.map["canary"]) / edge.BASIS_POINTS

    # -- what happens to it ---------------------------------------------------------------------

    def put_back_by_watcher(self) -> None:
        """What the edge's watcher does when a walker has died."""
        on_disk = edge.parse_map(
            "".join(f"0x1 {line}\n" for line in (self.read(self.paths.live_map) or "").splitlines())
        )
        self.map |= {"live": on_disk.get("live", "none"), "canary": "0"}

    def reboot(self) -> None:
        """The machine starts anew: the edge by its files, and the replicas that are on record."""
        self.dead = False
        now = live.read(self)
        self.map = dict(NOTHING_LIVE)
        if now is not None:
            self.map |= {"live": now.slot, edge.release_key(now.slot): now.release}
        self.drained.clear()
        self.unchecked.clear()
        for name, c in self.there.items():
            is_live = now is not None and c.labels[RELEASE_LABEL] == now.release
            self.there[name] = replace(c, status="running" if is_live else "exited")


def _place(server: str) -> tuple[str, int]:
    """Slot and number of a replica by HAProxy's names: `users_a/r1`."""
    backend, _, name = server.partition("/")
    return backend[-1], int(name.removeprefix("r"))
