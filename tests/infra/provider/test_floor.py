"""The floor of readiness on a host that lives in memory: pass, fail, and what cannot be said."""

from functools import partial
from pathlib import PurePosixPath
from types import SimpleNamespace
from typing import Any

import pytest

from infra.commands import rates
from infra.commands.edge import Server
from infra.commands.rates import Rate
from infra.host import Paths, Ports
from infra.provider import floor
from infra.provider.live import Live

LIVE = Live(release="old", slot="a", replicas=2, since="2026-01-01", image="x")


class Host:
    """What `floor` asks of a machine.

    Attributes:
        takes: requests that live takes between two looks.
    """

    def __init__(self, rate: float | None = 100.0, takes: int = 0) -> None:
        self.host = SimpleNamespace(name="one", ports=Ports(21000))
        self.paths = Paths(PurePosixPath("/memory"))
        self.files: dict[str, str] = {}
        self.rate, self.takes, self._taken = rate, takes, 0
        self.asked: list[tuple[int, str]] = []

    def get(self, port: int, path: str) -> Any:
        self.asked.append((port, path))
        line = f'bentofleet_model_rate{{model="energy",device="cpu"}} {self.rate}\n'
        return SimpleNamespace(text="" if self.rate is None else line)

    def read(self, path: PurePosixPath) -> str | None:
        return self.files.get(str(path))

    def write(self, path: PurePosixPath, content: str) -> None:
        self.files[str(path)] = content

    def edge_servers(self) -> list[Server]:
        self._taken += self.takes
        up = partial(Server, group="users", status="UP")
        return [
            up(slot="a", name="r1", requests=self._taken),
            up(slot="a", name="two", is_own=False, requests=90 * self._taken),
            up(slot="b", name="r1", requests=5 * self._taken),
        ]

    def has_recorded(self, per_s: float) -> None:
        known = {"energy": Rate("cpu", per_s, None, "1", "1")}
        self.files["/memory/releases/rates.json"] = rates.to_json(known)


def plan(least: float = 0.3, replicas: int = 2) -> Any:
    return SimpleNamespace(models={"energy": "1"}, replicas=replicas, env={}, floor=least)


def check(host: Any, least: float = 0.3) -> floor.Measured:
    watch = floor.Watch(host, LIVE)
    return floor.check(host, plan(least), "b", watch)


def test_a_first_release_is_asked_for_its_rates_and_passes() -> None:
    host = Host()

    measured = check(host)

    assert measured.rates["energy"].per_s == 100
    assert host.asked == [(21048, "/metrics"), (21049, "/metrics")]


def test_a_candidate_at_its_floor_passes_and_one_below_it_fails() -> None:
    host = Host(rate=30)
    host.has_recorded(100)
    check(host)

    host.rate = 29
    with pytest.raises(floor.TooSlow) as caught:
        check(host)
    assert str(caught.value) == (
        "one: floor: energy does 29 items/s on its own, below 0.3 x the 100 recorded for this "
        "host. Look with `make doctor`; where the host is meant to be slower now, remove "
        "/memory/releases/rates.json on it"
    )


def test_below_the_floor_while_live_took_traffic_nothing_can_be_said() -> None:
    host = Host(rate=29, takes=10_000)
    host.has_recorded(100)

    with pytest.raises(floor.TooBusy, match=r"below 0\.3 x the 100 .*; live took \S+ requests/s"):
        check(host)


def test_what_an_entry_sends_to_other_hosts_is_no_work_for_it() -> None:
    host: Any = Host(takes=100)

    assert floor.Watch(host, LIVE)._answered() == 200  # at the second look


def test_a_rate_that_is_missing_is_no_pass() -> None:
    host = Host(rate=None)
    host.has_recorded(100)

    with pytest.raises(floor.TooBusy, match="one: floor: the candidate tells no rate of energy"):
        check(host)


def test_without_a_floor_the_rates_are_only_measured() -> None:
    host = Host(rate=1)
    host.has_recorded(100)

    assert check(host, least=0).rates["energy"].per_s == 1


def test_what_was_recorded_of_a_model_that_left_the_release_does_not_count() -> None:
    host = Host()
    host.files["/memory/releases/rates.json"] = rates.to_json(
        {"retired": Rate("cpu", 1e9, None, "1", "1")}
    )

    assert check(host).rates.keys() == {"energy"}


def test_a_promotion_records_the_rates_for_the_next_release() -> None:
    host = Host(rate=50)
    measured = check(host)

    floor.record(host, measured)  # type: ignore[arg-type]

    assert floor.recorded(host)["energy"].per_s == 50  # type: ignore[arg-type]


def test_nothing_measured_leaves_the_record_as_it_was() -> None:
    host = Host()
    host.has_recorded(100)
    before = dict(host.files)

    floor.record(host, None)  # type: ignore[arg-type]
    floor.record(host, floor.Measured({}, was_busy=False))  # type: ignore[arg-type]

    assert host.files == before


def test_where_nothing_is_live_nobody_took_traffic() -> None:
    host: Any = Host(takes=10_000)

    assert floor.Watch(host, None).live_rps() == 0


def test_an_edge_that_was_reloaded_meanwhile_counts_from_nothing() -> None:
    host: Any = Host(takes=10)
    watch = floor.Watch(host, LIVE)
    host._taken = -50

    assert watch.live_rps() == 0
