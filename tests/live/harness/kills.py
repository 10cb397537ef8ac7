"""The points at which a walk is killed: the commands that it runs on its host, in their order."""

from dataclasses import dataclass

Stages = tuple[tuple[tuple[str, ...], int], ...]
"""Words of a command or its input, and the how-manieth such command; one after another."""

RUN = (("run --detach",), 1)
BOTH_RUN = (("run --detach",), 2)
MOVE = (("set map", "live.map live "), 1)
"""Not the first change of the edge's map: that one offers the candidate to the gate."""

STOP = (("stop --time",), 1)
REMEMBER = (("mv -f", "/releases/"), 1)
UNLOCK = (("rm -rf", "walk.lock"), 1)


@dataclass(frozen=True)
class Point:
    """One moment of a walk.

    Attributes:
        when: `before` or `after` the last command of `stages`.
    """

    name: str
    when: str
    stages: Stages


POINTS = (
    Point("before the lock is taken", "before", ((("ln ", "walk.lock"), 1),)),
    Point("before the first candidate starts", "before", (RUN,)),
    Point("after the first candidate started", "after", (RUN,)),
    Point("after every candidate started", "after", (BOTH_RUN,)),
    Point("while the edge is asked for the candidates", "after", (BOTH_RUN, (("show stat",), 1))),
    Point("in the gate", "after", (BOTH_RUN, (("mv -f", "walk.lock"), 2))),
    Point("before the promotion is written down", "before", ((("mv -f", "live.map"), 1),)),
    Point("between the record and the edge", "before", (MOVE,)),
    Point("after the edge moved the traffic", "after", (MOVE,)),
    Point("before the old release is stopped", "before", (MOVE, STOP)),
    Point("after the old release was stopped", "after", (MOVE, STOP)),
    Point("after the first old container was removed", "after", (MOVE, (("rm --force",), 1))),
    Point("before the release is remembered", "before", (MOVE, REMEMBER)),
    Point("after the release was remembered", "after", (MOVE, REMEMBER)),
    Point("before the lock is given back", "before", (MOVE, UNLOCK)),
    Point("after the lock was given back", "after", (MOVE, UNLOCK)),
)
BY_NAME = {point.name: point for point in POINTS}
