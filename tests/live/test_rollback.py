"""The way back under the real engine: at once, pinned, agreed to by the next `pulumi up`."""

import json

from harness.stack import LiveStack


def test_a_release_goes_back_stays_pinned_and_comes_again(stack: LiveStack) -> None:
    stack.change(rollout={"canary": [], "keep": 3}, service={"models": ["energy"], "replicas": 1})
    assert stack.up().returncode == 0
    first = stack.live().release
    stack.change(service={"memory_mib": 900})
    assert stack.up().returncode == 0
    second = stack.live().release
    token = stack.token()

    back = stack.run("python", "-m", "infra.rollback", "--stack", stack.name)

    assert back.returncode == 0, back.stdout + back.stderr
    assert stack.live().release == first
    status, answer = stack.post(token)
    assert (status, answer["release"]) == (200, first)

    held = stack.pulumi("preview", "-s", stack.name)
    assert f"holds back release {second}, which was built; {first} is served" in held
    there = {c.name: c.started_at for c in stack.machine().containers()}
    pinned = stack.up()
    assert pinned.returncode == 0, pinned.stdout + pinned.stderr
    assert {c.name: c.started_at for c in stack.machine().containers()} == there

    listed = json.loads(stack.python("infra.releases", "--stack", stack.name, "--json"))
    assert [(row["release"], row["live"], row["pinned"]) for row in listed] == [
        (first, True, True),
        (second, False, False),
    ]
    assert listed[1]["rolled_back_by"] is not None

    stack.python("infra.unpin", "--stack", stack.name)
    again = stack.up()
    assert again.returncode == 0, again.stdout + again.stderr
    assert stack.live().release == second
