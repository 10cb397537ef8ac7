"""What is measured: arrangements, loads, lengths, and their order. Runs nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

OURS, FASTAPI, BENTOML, MOSEC = "ours", "fastapi", "bentoml", "mosec"
RIVALS = (OURS, FASTAPI, BENTOML, MOSEC)
TABLES, PHOTOS = "tables", "photos"
YARDSTICK = "in-process"
"""Decode, preprocess and model in one loop without HTTP: what photos are held against."""

BARE_PATH = "/bare"
"""A server that only answers: what the tails of routes are read beside."""

FEW, MANY = 2, 20
"""Hosts of the two fleets on which a release's time is compared."""


@dataclass(frozen=True, kw_only=True)
class Load:
    """Users of one kind, each asking again as soon as it is answered."""

    what: str
    users: int

    @property
    def name(self) -> str:
        """As it stands in lines and figures."""
        return f"{self.what}, {self.users} user{'s' * (self.users > 1)}"


LOADS = (
    Load(what=TABLES, users=1),
    Load(what=TABLES, users=32),
    Load(what=TABLES, users=128),
    Load(what=PHOTOS, users=8),
)


@dataclass(frozen=True, kw_only=True)
class Arrangement:
    """One way to serve.

    Attributes:
        name: in figures.
        rival: who serves: one of `RIVALS`.
        title: for people.
        asks: whether tokens and values are checked; `values` alone, or neither.
        what: kinds of load that it takes.
    """

    name: str
    rival: str
    title: str
    asks: str
    what: tuple[str, ...] = (TABLES, PHOTOS)


EVERYTHING, VALUES, NOTHING = "tokens, values", "values", "nothing"

ARRANGEMENTS = (
    Arrangement(name="ours", rival=OURS, title="ours, everything on", asks=EVERYTHING),
    Arrangement(name="ours-open", rival=OURS, title="ours without tokens", asks=VALUES),
    Arrangement(name="fastapi", rival=FASTAPI, title="FastAPI", asks=NOTHING),
    Arrangement(name="fastapi-checked", rival=FASTAPI, title="FastAPI", asks=EVERYTHING),
    Arrangement(name="bentoml", rival=BENTOML, title="BentoML default", asks=NOTHING),
    Arrangement(
        name="bentoml-typed",
        rival=BENTOML,
        title="BentoML, pydantic result",
        asks=NOTHING,
        what=(TABLES,),
    ),
    Arrangement(name="bentoml-checked", rival=BENTOML, title="BentoML default", asks=EVERYTHING),
    Arrangement(name="mosec", rival=MOSEC, title="mosec, best setting", asks=NOTHING),
    Arrangement(name="mosec-checked", rival=MOSEC, title="mosec, best setting", asks=VALUES),
)


@dataclass(frozen=True, kw_only=True)
class Batching:
    """A setting of mosec."""

    size: int
    wait_ms: int

    @property
    def name(self) -> str:
        """As people read it."""
        return f"batches of {self.size}, {self.wait_ms} ms" if self.size > 1 else "no batches"


BATCHINGS = (
    Batching(size=1, wait_ms=0),
    Batching(size=8, wait_ms=1),
    Batching(size=32, wait_ms=1),
    Batching(size=64, wait_ms=2),
    Batching(size=128, wait_ms=2),
)


@dataclass(frozen=True, kw_only=True)
class Lengths:
    """How often and how long.

    Attributes:
        warm_s: for each arrangement and load, before anything counts.
        probe_s: for each setting of mosec and load.
        tables_s, photos_s: one burst in a round.
        route_s: one burst at one route.
        lone_s, crowd_s: the lone user, and the crowd after which it is measured again.
        fleet_rounds: releases on each fleet.
    """

    rounds: int
    route_rounds: int
    warm_s: float
    probe_s: float
    tables_s: float
    photos_s: float
    route_s: float
    lone_s: float
    crowd_s: float
    fleet_rounds: int
    batchings: tuple[Batching, ...]

    def burst_s(self, what: str) -> float:
        """Of one kind of load."""
        return self.tables_s if what == TABLES else self.photos_s


FULL = Lengths(
    rounds=5,
    route_rounds=5,
    warm_s=0.5,
    probe_s=0.5,
    tables_s=0.8,
    photos_s=1.6,
    route_s=0.8,
    lone_s=0.8,
    crowd_s=2.0,
    fleet_rounds=3,
    batchings=BATCHINGS,
)
QUICK = Lengths(
    rounds=2,
    route_rounds=2,
    warm_s=0.3,
    probe_s=0.4,
    tables_s=0.6,
    photos_s=1.2,
    route_s=0.8,
    lone_s=0.6,
    crowd_s=1.0,
    fleet_rounds=1,
    batchings=(BATCHINGS[0], BATCHINGS[3]),
)


def chosen(names: Sequence[str]) -> tuple[Arrangement, ...]:
    """The arrangements of these rivals; of all, where none is named.

    Raises:
        ValueError: no such rival.
    """
    unknown = [name for name in names if name not in RIVALS]
    if unknown:
        raise ValueError(
            f"--only: should name some of {', '.join(RIVALS)} (got {', '.join(unknown)})."
        )
    return tuple(a for a in ARRANGEMENTS if not names or a.rival in names)


def shuffled(
    arrangements: Sequence[str], loads: Sequence[Load], rng: Random
) -> Iterator[tuple[Load, list[str]]]:
    """One round: each load once, for each of them all arrangements, both in random order."""
    for load in rng.sample(loads, len(loads)):
        yield load, rng.sample(list(arrangements), len(arrangements))
