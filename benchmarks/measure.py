"""The run: all servers up on one core, one of them under load at a time, in rounds."""

import contextlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

from benchmarks import hits, load, plan, servers
from benchmarks.load import Burst, Hit
from benchmarks.plan import Arrangement, Batching, Lengths, Load
from benchmarks.servers import Bench, Server
from benchmarks.yardstick import Yardstick

_SEED = 6
_LONE = Load(what=plan.TABLES, users=1)
_CROWD = Load(what=plan.TABLES, users=128)
_ROUTE_USERS = 8
_TRIES = 3  # of each of mosec's settings under each load


def say(line: str) -> None:
    """Tells how it goes."""
    sys.stdout.write(f"bench: {line}\n")
    sys.stdout.flush()


@dataclass(frozen=True)
class _Place:
    """A server, or mosec's one for a load."""

    arrangement: Arrangement
    batching: Batching | None = None


class Run:
    """One benchmark; `figures` is what it found."""

    def __init__(
        self, bench: Bench, lengths: Lengths, arrangements: Sequence[Arrangement], folder: Path
    ) -> None:
        """Starts nothing.

        Args:
            bench: what the servers share.
            lengths: how often and how long.
            arrangements: to measure.
            folder: for the bodies of requests.
        """
        self._bench = bench
        self._lengths = lengths
        self._wanted = arrangements
        self._folder = folder
        self._rng = Random(_SEED)  # noqa: S311  an order, no secret
        self._up: dict[_Place, Server] = {}
        self._settings: dict[Load, Batching] = {}
        self._yardstick: Yardstick | None = None
        self.figures: dict[str, Any] = {
            "faults": [],
            "mosec": [],
            "bursts": [],
            "lone": [],
            "routes": [],
            "memory_bytes": None,
        }

    def all(self) -> None:
        """Measures everything; every server is ended, however it ends."""
        with contextlib.ExitStack() as stack:
            stack.callback(self._stop)
            self._open()
            if not self._up:
                raise ValueError("No server is up. See the lines above.")
            self._warm()
            for number in range(1, self._lengths.rounds + 1):
                self._round(number)
            if ours := self._ours():
                self._lone_user(ours)
                self._routes(ours)
                self.figures["memory_bytes"] = ours.tree.memory_bytes()

    def _open(self) -> None:
        """Starts servers side by side: each takes seconds to import what it needs."""
        others = [a for a in self._wanted if a.rival != plan.MOSEC]
        say(f"starting {', '.join(a.name for a in others or self._wanted)}")
        for arrangement in others:
            self._up[_Place(arrangement)] = servers.start(self._bench, arrangement)
        for place in list(self._up):
            self._let_in(place)
        mosec = [a for a in self._wanted if a.rival == plan.MOSEC]
        if mosec:
            self._open_mosec(mosec)
        self._yardstick = Yardstick(self._bench)

    def _let_in(self, place: _Place) -> bool:
        try:
            servers.ready(self._up[place], self._bench, place.arrangement)
        except ValueError as fault:
            self._fault(str(fault))
            self._up.pop(place).tree.stop()
            return False
        return True

    def _open_mosec(self, arrangements: Sequence[Arrangement]) -> None:
        """Tries its settings with the first arrangement, then starts those that won."""
        try:
            servers.sync_mosec()
        except ValueError as fault:
            self._fault(str(fault))
            return
        self._choose(arrangements[0])
        for batching in dict.fromkeys(self._settings.values()):
            for arrangement in arrangements:
                place = _Place(arrangement, batching)
                if place not in self._up:
                    self._up[place] = servers.start(self._bench, arrangement, batching)
                    self._let_in(place)

    def _choose(self, arrangement: Arrangement) -> None:
        """Finds the best setting for each load, all by turns, and ends the others' servers."""
        tried = [_Place(arrangement, b) for b in self._lengths.batchings]
        for place in tried:
            self._up[place] = servers.start(self._bench, arrangement, place.batching)
        tried = [place for place in tried if self._let_in(place)]
        for each in plan.LOADS:
            rates = self._rates(tried, each)
            if not rates:
                continue
            best = max(rates, key=lambda batching: rates[batching])
            self._settings[each] = best
            named = {batching.name: round(rate, 1) for batching, rate in rates.items()}
            told = {"what": each.what, "users": each.users, "best": best.name, "rps": named}
            self.figures["mosec"].append(told)
            say(f"mosec, {each.name}: {best.name}, {rates[best]:,.0f}/s")
        for place in tried:
            if place.batching not in self._settings.values():
                self._up.pop(place).tree.stop()

    def _rates(self, places: Sequence[_Place], each: Load) -> dict[Batching, float]:
        """The best burst of each setting, without those where something failed."""
        bursts: dict[Batching, list[Burst]] = {p.batching: [] for p in places if p.batching}
        for _ in range(_TRIES):
            for place in self._rng.sample(places, len(places)):
                if place.batching:
                    found = self._burst(place, each, self._lengths.probe_s)
                    bursts[place.batching].append(found)
        return {
            batching: max(burst.rps for burst in found)
            for batching, found in bursts.items()
            if not any(burst.failed for burst in found)
        }

    def _warm(self) -> None:
        say("warming up")
        for each in plan.LOADS:
            for place in self._places(each).values():
                self._burst(place, each, self._lengths.warm_s)

    def _round(self, number: int) -> None:
        names = [a.name for a in self._wanted]
        for each, order in plan.shuffled([*names, plan.YARDSTICK], plan.LOADS, self._rng):
            places, told = self._places(each), []
            for name in order:
                if name in places:
                    figures = self._measured(places[name], each)
                elif self._yardstick and name == plan.YARDSTICK and each.what == plan.PHOTOS:
                    figures = _figures(*self._yardstick.work(self._lengths.photos_s))
                else:
                    continue
                given = {"arrangement": name, "what": each.what, "users": each.users}
                self.figures["bursts"].append({**given, "round": number, **figures})
                failed = f" ({figures['failed']} failed)" if figures["failed"] else ""
                told.append(f"{name} {figures['rps']:,.0f}{failed}")
            say(f"round {number} of {self._lengths.rounds}, {each.name}, per s: {', '.join(told)}")

    def _measured(self, place: _Place, each: Load) -> dict[str, Any]:
        tree = self._up[place].tree
        before = tree.cpu_s()
        burst = self._burst(place, each, self._lengths.burst_s(each.what))
        return _figures(burst, tree.cpu_s() - before)

    def _lone_user(self, ours: Server) -> None:
        hit, lengths = self._bench.hits[plan.TABLES], self._lengths
        for number in range(1, lengths.rounds + 1):
            before = load.burst(ours.url, hit, _LONE.users, lengths.lone_s)
            crowd = load.burst(ours.url, hit, _CROWD.users, lengths.crowd_s)
            after = load.burst(ours.url, hit, _LONE.users, lengths.lone_s)
            self.figures["lone"].append(
                {
                    "round": number,
                    "before_ms": before.p50_ms,
                    "after_ms": after.p50_ms,
                    "failed": before.failed + crowd.failed + after.failed,
                }
            )
            ours.tree.trim()
        told = median(row["after_ms"] / row["before_ms"] for row in self.figures["lone"])
        say(f"a lone user's p50 after {_CROWD.users} users: {told:.2f} x before")

    def _routes(self, ours: Server) -> None:
        described = servers.described(ours.url)
        token = self._bench.hits[plan.TABLES].token or ""
        bare = servers.bare(self._bench)
        asked = [(ours, hit) for hit in hits.routes(self._folder, token, described)]
        try:
            self._route_rounds([*asked, (bare, Hit(method="GET", path=plan.BARE_PATH))])
        finally:
            bare.tree.stop()

    def _route_rounds(self, asked: Sequence[tuple[Server, Hit]]) -> None:
        for number in range(1, self._lengths.route_rounds + 1):
            for server, hit in self._rng.sample(asked, len(asked)):
                burst = load.burst(server.url, hit, _ROUTE_USERS, self._lengths.route_s)
                self.figures["routes"].append(_route(hit, number, burst))
                server.tree.trim()
            say(f"routes at {_ROUTE_USERS} users: round {number} of {self._lengths.route_rounds}")

    def _burst(self, place: _Place, each: Load, seconds: float) -> Burst:
        server = self._up[place]
        hit = _fitting(self._bench.hits[each.what], place.arrangement)
        burst = load.burst(server.url, hit, each.users, seconds)
        server.tree.trim()
        return burst

    def _places(self, each: Load) -> dict[str, _Place]:
        """By name, the servers that are up for this load."""
        fitting = (p for p in self._up if each.what in p.arrangement.what)
        setting = self._settings.get(each)
        return {p.arrangement.name: p for p in fitting if p.batching in (None, setting)}

    def _ours(self) -> Server | None:
        found: Iterator[Server] = (
            server for place, server in self._up.items() if place.arrangement.name == "ours"
        )
        return next(found, None)

    def _fault(self, line: str) -> None:
        self.figures["faults"].append(line)
        say(f"{line} It is left out.")

    def _stop(self) -> None:
        for server in self._up.values():
            server.tree.stop()
        if self._yardstick:
            self._yardstick.stop()


def _fitting(hit: Hit, arrangement: Arrangement) -> Hit:
    """Who checks no token is sent none."""
    if arrangement.asks == plan.EVERYTHING:
        return hit
    return replace(hit, token=None)


def _figures(burst: Burst, cpu_s: float) -> dict[str, Any]:
    return {
        "requests": burst.requests,
        "failed": burst.failed,
        "rps": round(burst.rps, 2),
        "p50_ms": burst.p50_ms,
        "p99_ms": burst.p99_ms,
        "cpu_us": round(cpu_s / max(1, burst.requests) * 1e6, 2),
    }


def _route(hit: Hit, number: int, burst: Burst) -> dict[str, Any]:
    return {
        "method": hit.method,
        "path": hit.path,
        "round": number,
        "requests": burst.requests,
        "failed": burst.failed,
        "p50_ms": burst.p50_ms,
        "p99_ms": burst.p99_ms,
    }
