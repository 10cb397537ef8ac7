"""Mixed load for `MINUTES`, a release every two minutes, and one fault after the other."""

import logging
import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from harness import faults
from harness.crowd import Crowd
from harness.figures import percentile_ms, within
from harness.stack import is_as_before, provider_of, wait_until

from bentos import catalog

if TYPE_CHECKING:
    from harness.figures import Figures
    from harness.stack import LiveStack

pytestmark = [pytest.mark.live, pytest.mark.soak]

log = logging.getLogger("soak")

MINUTES = float(os.environ.get("MINUTES", "30"))
RELEASE_EVERY_S = 120
REPLICAS_BACK_S = 15
LIVE_BACK_S = 90


class Site:
    """The stack under load, what is done to it, and what came of it."""

    def __init__(self, stack: "LiveStack", folder: Path, crowd: Crowd) -> None:
        self.stack, self.crowd = stack, crowd
        self.bad = faults.BadReleases(stack, folder)
        self.releases = 0
        self.took_s: dict[str, list[float]] = {}
        self.down: list[tuple[float, float]] = []
        """When nothing could answer: all replicas killed, the edge or the host restarted."""

    def release(self) -> None:
        """A good release."""
        self.stack.change(service={"docs": not self.stack.settings["service"]["docs"]})
        done = self.stack.make_up()
        assert done.returncode == 0, done.stdout + done.stderr
        self.releases += 1
        log.info("release %d; %s", self.releases, dict(self.crowd.statuses))

    def fault(self, name: str) -> None:
        """One fault of `FAULTS`; how long it took to be over is kept."""
        seconds = FAULTS[name](self)
        self.took_s.setdefault(name, []).append(round(seconds, 1))
        log.info("%s: %.1f s; %s", name, seconds, dict(self.crowd.statuses))

    def while_down(self, work: Callable[["LiveStack"], float]) -> float:
        """A fault that takes everything away: what users see meanwhile is counted by itself."""
        started = time.time()
        try:
            return work(self.stack)
        finally:
            self.down.append((started - 0.5, time.time() + 2))


def kill_one(site: Site) -> float:
    """One replica's process."""
    return faults.kill_replicas(site.stack, 1)


def kill_all(site: Site) -> float:
    """Every replica's process."""
    return site.while_down(lambda s: faults.kill_replicas(s, s.live().replicas))


def restart_edge(site: Site) -> float:
    """The edge, which then must know who is live."""
    return site.while_down(faults.restart_edge)


def reboot(site: Site) -> float:
    """All containers, and then the start unit."""
    return site.while_down(faults.reboot)


def refuse(kind: str) -> Callable[[Site], float]:
    """A bad release, which must be refused while live goes on."""

    def work(site: Site) -> float:
        before, started = site.stack.live(), time.monotonic()
        site.bad.deploy(kind)
        done = site.stack.make_up()
        site.bad.undo()
        assert done.returncode != 0
        assert site.stack.live() == before
        return time.monotonic() - started

    return work


def interrupt(who: str, sent: signal.Signals) -> Callable[[Site], float]:
    """A release whose `pulumi up` or provider gets a signal in the gate: live comes back alone."""

    def work(site: Site) -> float:
        stack, before = site.stack, site.stack.live()
        stack.change(service={"docs": not stack.settings["service"]["docs"]})
        process = stack.start_up_to_the_gate()
        os.kill(process.pid if who == "pulumi" else provider_of(process.pid), sent)
        started = time.monotonic()
        process.communicate(timeout=120)
        assert process.returncode != 0
        if who == "pulumi":
            wait_until(lambda: is_as_before(stack, before), "live is not alone again")
        assert stack.machine().edge_live() == before.slot
        seconds = time.monotonic() - started
        stack.change(service={"docs": not stack.settings["service"]["docs"]})
        return seconds

    return work


def drift(site: Site) -> float:
    """A replica removed and the edge's file changed by hand, mended by `up --refresh`."""
    stack, machine, started = site.stack, site.stack.machine(), time.monotonic()
    machine.remove_container(stack.replicas()[0].name)
    machine.write(machine.paths.config, "# by hand\n" + str(machine.read(machine.paths.config)))
    done = stack.up("--refresh")
    assert done.returncode == 0, done.stdout
    return time.monotonic() - started


FAULTS: dict[str, Callable[[Site], float]] = {
    "one replica killed": kill_one,
    "pulumi killed in the gate": interrupt("pulumi", signal.SIGKILL),
    "release that answers 500": refuse("answers 500"),
    "all replicas killed": kill_all,
    "provider killed in the gate": interrupt("provider", signal.SIGKILL),
    "changed by hand": drift,
    "edge restarted": restart_edge,
    "Ctrl-C in the gate": interrupt("pulumi", signal.SIGINT),
    "release that does not start": refuse("does not start"),
    "host rebooted": reboot,
}


@pytest.fixture
def site(stack: "LiveStack", tmp_path: Path) -> Iterator[Site]:
    """A live release, and users of every model."""
    stack.change(slo={"latency_p95_ms": 5000}, service={"docs": True, "threads": 1})
    stack.change(service={"memory_mib": 1024}, rollout={"ready_timeout_s": 30})
    done = stack.make_up()
    assert done.returncode == 0, done.stdout + done.stderr
    tabular = [n for n, spec in catalog.MODELS.items() if not hasattr(spec.takes, "max_pixels")]
    photos = [n for n in catalog.MODELS if n not in tabular]
    mix = (*tabular * 5, *photos)
    with Crowd(stack.url, stack.token(), kept=6, fresh=6, pause_s=0.2, models=mix) as crowd:
        made = Site(stack, tmp_path, crowd)
        yield made
        made.bad.remove()


def test_a_long_day_of_releases_and_faults_loses_nobody(site: Site, figures: "Figures") -> None:
    end = time.monotonic() + MINUTES * 60
    names = cycle(FAULTS)
    while time.monotonic() < end:
        next_release = time.monotonic() + RELEASE_EVERY_S
        site.crowd.renew(site.stack.token())
        site.release()
        while time.monotonic() < min(next_release, end):
            site.fault(next(names))
            time.sleep(5)
    site.release()  # whatever the last fault left, the next run converges
    report(site, figures)
    figures.check()


def report(site: Site, figures: "Figures") -> None:
    answers = list(site.crowd.answers)
    down = set(within(answers, site.down))
    up = [a for a in answers if a not in down]
    figures.figures["mixed"] = {
        "minutes": MINUTES,
        "releases": site.releases,
        "faults": site.took_s,
        "requests": len(answers),
        "statuses": count(answers),
        "statuses while nothing could answer": count(down),
        "p50_ms": percentile_ms(up, 0.5),
        "p99_ms": percentile_ms(up, 0.99),
    }
    figures.promise("mixed load: requests", len(answers), at_least=MINUTES * 500)
    figures.promise("mixed load: requests lost", sum(a.status == 0 for a in up), at_most=0)
    figures.promise(
        "mixed load: answers that are not 2xx", sum(a.status not in (0, 200) for a in up), at_most=0
    )
    for name, bound_s in BOUNDS_S.items():
        if name in site.took_s:
            worst = max(site.took_s[name])
            figures.promise(f"{name}: seconds until all is well", worst, at_most=bound_s)


BOUNDS_S = {
    "one replica killed": REPLICAS_BACK_S,
    "all replicas killed": REPLICAS_BACK_S,
    "pulumi killed in the gate": LIVE_BACK_S,
    "provider killed in the gate": LIVE_BACK_S,
    "Ctrl-C in the gate": LIVE_BACK_S,
    "host rebooted": LIVE_BACK_S,
}


def count(answers: object) -> dict[str, int]:
    return {str(s): n for s, n in sorted(Counter(a.status for a in answers).items())}  # type: ignore[attr-defined]
