"""What happened between two looks at both sides of a canary. Pure: asks nobody."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from infra.commands.edge import Server
from infra.commands.scrape import Key, Page
from infra.provider.sides import Look, Replica, Sides, Snapshot
from loadtests.analysis import CANDIDATE, LIVE, Side, Window
from loadtests.durations import NONE, Durations
from loadtests.reasons import Finding, finding
from service import contract

Choose = Callable[[Sequence[Server]], list[Server]]


@dataclass(frozen=True)
class _Counted:
    """What entries counted.

    Attributes:
        failed: requests without an answer below 500, or with one that broke off. HAProxy's own
            counters of errors count some twice and others never (2.6, tried).
    """

    requests: int
    failed: int


def window(sides: Sides, begin: Snapshot, last: Snapshot, now: Snapshot) -> Window:
    """Both sides from `begin` to `now`.

    Args:
        last: the look before `now`: who is down in both is not only down for a moment.
    """
    live = _counted(sides.of_live, begin, now)
    tried = _counted(sides.of_candidate, begin, now)
    offered = _counted(lambda s: [w for w in sides.ways(s) if not w.is_backup], begin, now)
    fallen = _counted(lambda s: [w for w in sides.ways(s) if w.is_backup], begin, now)
    # What falls to live was tried on replicas, or there was none: the larger number has both.
    candidate = _Counted(max(tried.requests, offered.requests), max(tried.failed, fallen.requests))
    return Window(
        duration_s=now.at_s - begin.at_s,
        share=sides.share,
        offered=offered.requests,
        fallen=fallen.requests,
        live=_side(LIVE, live, begin, now),
        candidate=_side(CANDIDATE, candidate, begin, now),
        faults=(
            *now.faults,
            *_backwards(sides, begin, now),
            *_restarts(begin, now),
            *_dead(last, now),
        ),
        candidate_down=_down(CANDIDATE, last, now),
    )


# -- entries ------------------------------------------------------------------------------------


def _counted(choose: Choose, begin: Snapshot, now: Snapshot) -> _Counted:
    requests = failed = 0
    for host, look in now.hosts.items():
        before = _by_name(choose(_look(begin, host).servers))
        for name, server in _by_name(choose(look.servers)).items():
            was = before.get(name)
            if was is None or _is_behind(server, was):
                continue  # `_backwards` tells of it
            more = server.requests - was.requests
            in_work = server.sessions - was.sessions
            good = server.answers - was.answers - (server.broken_answers - was.broken_answers)
            requests += more
            failed += max(0, more - good - in_work)
    return _Counted(requests, failed)


def _by_name(servers: Sequence[Server]) -> dict[tuple[str, str, str, bool], Server]:
    return {(s.group, s.slot, s.name, s.is_own): s for s in servers}


def _is_behind(server: Server, was: Server) -> bool:
    return (
        server.requests < was.requests
        or server.answers < was.answers
        or server.broken_answers < was.broken_answers
    )


def _backwards(sides: Sides, begin: Snapshot, now: Snapshot) -> Iterator[Finding]:
    """Entries whose counters began anew, or are gone."""
    for host, look in now.hosts.items():
        if not look.servers or look.faults:
            continue  # told already
        found, before = _by_name(look.servers), _by_name(_look(begin, host).servers)
        gone = [was for name, was in before.items() if name not in found]
        if any(name in found and _is_behind(found[name], was) for name, was in before.items()):
            yield finding("canary_counters_back", host=host)
        elif gone:
            side = LIVE if gone[0].slot == sides.live_slot else CANDIDATE
            yield finding("canary_counters_missing", host=host, side=side)


def _down(side: str, last: Snapshot, now: Snapshot) -> str:
    """The first entry that saw no replica of a side, twice; empty: none."""
    down = (h for h, look in now.hosts.items() if side in look.down and side in _look(last, h).down)
    return next(down, "")


def _dead(last: Snapshot, now: Snapshot) -> Iterator[Finding]:
    if host := _down(LIVE, last, now):
        yield finding("canary_live_down", host=host)


def _look(snapshot: Snapshot, host: str) -> Look:
    return snapshot.hosts.get(host) or Look()


# -- replicas -----------------------------------------------------------------------------------


def _side(side: str, counted: _Counted, begin: Snapshot, now: Snapshot) -> Side:
    by_model: dict[str, Durations] = {}
    refused = gate = 0
    for before, page in _pairs(side, begin, now):
        for (model, traffic), durations in page.durations.items():
            more = durations.since(before.durations.get((model, traffic), NONE))
            if not more.is_whole:
                continue  # `_restarts` tells of it
            by_model[model] = by_model.get(model, NONE).beside(more)
            gate += more.count if traffic == contract.TRAFFIC_GATE else 0
        refused += max(0, _total(page.refused) - _total(before.refused))
    asked = {model: durations for model, durations in by_model.items() if durations.count}
    return Side(
        attempts=counted.requests,
        errors=counted.failed,
        durations=asked,
        refused=refused,
        gate=gate,
    )


def _total(counts: Mapping[Key, int]) -> int:
    return sum(counts.values())


def _pairs(side: str, begin: Snapshot, now: Snapshot) -> Iterator[tuple[Page, Page]]:
    """The page of each replica of a side then and now; one that was not there then is left out."""
    before = _pages(begin)
    for replica, page in _pages(now).items():
        if replica.side == side and replica in before:
            yield before[replica], page


def _pages(snapshot: Snapshot) -> dict[Replica, Page]:
    return {r: page for look in snapshot.hosts.values() for r, page in look.pages.items()}


def _restarts(begin: Snapshot, now: Snapshot) -> Iterator[Finding]:
    found = _pages(now)
    for replica, was in _pages(begin).items():
        page = found.get(replica)
        if page is not None and _is_another(was, page):
            yield finding(
                "canary_restarted", host=replica.host, replica=replica.number, side=replica.side
            )


def _is_another(was: Page, now: Page) -> bool:
    """Whether a replica's process is another one than before: its counters began anew."""
    if was.started != now.started:
        return True
    return any(
        not now.durations.get(key, NONE).since(durations).is_whole
        for key, durations in was.durations.items()
    )
