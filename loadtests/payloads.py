"""Draws the requests that a load test sends to a model. Sends nothing."""

from collections.abc import Iterator
from itertools import cycle
from random import Random

from bentos.spec import ModelSpec
from service import contract

VARIANTS = 256
"""Different requests per model; then they come again in the same order."""


def draw(spec: ModelSpec, seed: int) -> tuple[contract.ExampleRequest, ...]:
    """Requests within the spec's ranges; the same seed draws the same ones.

    Raises:
        ValueError: the model takes photos, and there are none to send.
    """
    rng = Random(f"{seed}:{spec.name}")  # noqa: S311  varied, not secret
    once: dict[contract.ExampleRequest, contract.ExampleRequest] = {}  # a photo is kept once
    drawn = (contract.example_request(spec, rng=rng) for _ in range(VARIANTS))
    return tuple(once.setdefault(request, request) for request in drawn)


def endless(spec: ModelSpec, seed: int) -> Iterator[contract.ExampleRequest]:
    """The drawn requests, again and again."""
    return cycle(draw(spec, seed))
