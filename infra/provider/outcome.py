"""How a step of a walk ends that does not pass: the candidate is bad, or nothing can be said."""

from infra.connection import HostError
from infra.provider import floor, gate, replicas


class StepFailed(Exception):
    """The candidate is not good enough: its arguments are the reasons, a line each."""


class Unsure(Exception):
    """Nothing can be said of the candidate: its arguments are the reasons, a line each."""


FAILED = (StepFailed, replicas.NotReady, floor.TooSlow)
"""What says that the candidate is not good enough."""

UNSURE = (Unsure, gate.GateDidNotRun, floor.TooBusy, HostError)
"""What says nothing of the candidate: the verdict is inconclusive, and it is not promoted."""
