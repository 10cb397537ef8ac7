"""Releases swapped under many users, on kept and on fresh connections: exact counts."""

from datetime import datetime
from typing import TYPE_CHECKING

import pytest
from harness.figures import percentile_ms, within

if TYPE_CHECKING:
    from harness.crowd import Crowd
    from harness.figures import Figures
    from harness.stack import LiveStack

pytestmark = pytest.mark.live

USERS = 16
SWAPS = 4
SOAK_SWAPS = 8
SOAK_REQUESTS = 20_000


def swap(stack: "LiveStack", crowd: "Crowd", times: int) -> list[dict[str, float]]:
    """Swaps releases under the crowd; when each step of each walk began and ended."""
    releases, walks = {stack.output("release")}, []
    for number in range(times):
        stack.change(service={"docs": number % 2 == 1})
        done = stack.up()
        assert done.returncode == 0, done.stdout
        releases.add(stack.output("release"))
        walks.append(
            {
                edge: datetime.fromisoformat(step["started_at"]).timestamp()
                + (step["duration_s"] if edge.endswith("end") else 0)
                for step in stack.latest_verdict()["steps"]
                for edge in (f"{step['step']} start", f"{step['step']} end")
            }
        )
    assert crowd.lost == []
    assert set(crowd.statuses) == {200}
    assert set(crowd.releases) == releases
    assert len(releases) == 2
    return walks


def start(stack: "LiveStack") -> None:
    stack.change(slo={"latency_p95_ms": 5000}, service={"docs": True, "threads": 1})
    done = stack.up()
    assert done.returncode == 0, done.stdout


def test_no_request_is_lost_while_releases_are_swapped(stack: "LiveStack") -> None:
    start(stack)

    with stack.crowd(kept=USERS, fresh=USERS, pause_s=0.1) as crowd:
        swap(stack, crowd, SWAPS)

    assert crowd.statuses[200] > SWAPS * USERS


@pytest.mark.soak
def test_no_request_of_many_is_lost_and_swaps_do_not_slow_users_down(
    stack: "LiveStack", figures: "Figures"
) -> None:
    start(stack)

    with stack.crowd(kept=USERS, fresh=USERS, pause_s=0.15) as crowd:
        walks = swap(stack, crowd, SOAK_SWAPS)
        crowd.wait_for(lambda c: len(c.answers) >= SOAK_REQUESTS, timeout_s=600)

    moves = [(w["promote start"], w["drain end"]) for w in walks]
    busy = set(within(crowd.answers, [(w["ready start"], w["drain end"]) for w in walks]))
    moved = within(crowd.answers, moves)
    still = [a for a in crowd.answers if a not in busy]
    figures.figures["swaps"] = {
        "swaps": SOAK_SWAPS,
        "requests": len(crowd.answers),
        "statuses": {str(status): count for status, count in crowd.statuses.items()},
        "p99_ms": {
            "steady": percentile_ms(still, 0.99),
            "promote and drain": percentile_ms(moved, 0.99),
            "whole walks, with the gate on the same machine": percentile_ms(busy, 0.99),
        },
        "requests_in": {"steady": len(still), "promote and drain": len(moved), "walks": len(busy)},
    }
    figures.promise("swaps: requests", len(crowd.answers), at_least=SOAK_REQUESTS)
    figures.promise("swaps: requests lost", len(crowd.lost), at_most=0)
    figures.promise("swaps: answers that are not 2xx", not_2xx(crowd), at_most=0)
    ratio = percentile_ms(moved, 0.99) / percentile_ms(still, 0.99)
    figures.promise("swaps: p99 while traffic moves / p99 steady", ratio, at_most=3)
    figures.check()


def not_2xx(crowd: "Crowd") -> int:
    return sum(n for status, n in crowd.statuses.items() if status and not 200 <= status < 300)
