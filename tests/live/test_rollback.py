"""The way back under the real engine: at once, pinned, agreed to by the next `pulumi up`."""

import copy
import json
from collections.abc import Iterator

import pytest
from harness.stack import LiveStack

pytestmark = pytest.mark.live


@pytest.fixture
def small(stack: LiveStack) -> Iterator[LiveStack]:
    """The stack with one small replica; the tests after these find it as it was."""
    before = copy.deepcopy(stack.settings)
    yield stack
    stack.settings = before
    stack.change()


def test_a_release_goes_back_stays_pinned_and_comes_again(small: LiveStack) -> None:
    small.change(rollout={"canary": [], "keep": 3}, service={"models": ["energy"], "replicas": 1})
    assert small.up().returncode == 0
    first = small.live().release
    small.change(service={"memory_mib": 900})
    assert small.up().returncode == 0
    second = small.live().release
    token = small.token()

    back = small.run("python", "-m", "infra.rollback", "--stack", small.name)

    assert back.returncode == 0, back.stdout + back.stderr
    assert small.live().release == first
    status, answer = small.post(token)
    assert (status, answer["release"]) == (200, first)

    held = small.pulumi("preview", "-s", small.name)
    assert f"holds back release {second}, which was built; {first} is served" in held
    there = {c.name: c.started_at for c in small.machine().containers()}
    pinned = small.up()
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    assert {c.name: c.started_at for c in small.machine().containers()} == there

    listed = json.loads(small.python("infra.releases", "--stack", small.name, "--json"))
    assert [(row["release"], row["live"], row["pinned"]) for row in listed] == [
        (first, True, True),
        (second, False, False),
    ]
    assert listed[1]["rolled_back_by"] is not None

    small.python("infra.unpin", "--stack", small.name)
    again = small.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert small.live().release == second
