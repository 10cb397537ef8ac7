"""The part of a stack's file that says how a candidate becomes live: `rollout`."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, Field

from infra import faults
from infra.section import Section

RELEASE = r"^[0-9a-f]{12}$"
TIME_OF_DAY = r"^([01][0-9]|2[0-3]):[0-5][0-9]$"
LEAST_SAMPLES = 59
"""With fewer answers not even the slowest bounds their 95th percentile (`loadtests.slo`)."""

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def _time_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(
            f"is no time zone (got {faults.shown(name)}). Write it as in Europe/Madrid, or UTC."
        ) from None
    return name


class CanaryStep(Section):
    """A share of the users' requests that the candidate gets, and for how long."""

    weight: int = Field(ge=1, le=99, description="percent of the users' requests")
    hold_s: int = Field(
        default=60, ge=5, le=86_400, description="how long the two releases are compared at least"
    )


class Hours(Section):
    """When releases may be made."""

    start: str = Field(pattern=TIME_OF_DAY, description="time of day, such as `22:00`")
    end: str = Field(
        pattern=TIME_OF_DAY, description="time of day; before `start`: on the next day"
    )
    days: list[Day] = Field(
        default_factory=lambda: list(DAYS),
        min_length=1,
        description="days on which the time begins",
    )
    timezone: Annotated[str, AfterValidator(_time_zone)] = Field(
        default="UTC", description="such as `Europe/Madrid`"
    )


class Rollout(Section):
    """How a candidate becomes live."""

    canary: list[CanaryStep] = Field(
        default_factory=lambda: [
            CanaryStep(weight=5, hold_s=60),
            CanaryStep(weight=50, hold_s=60),
        ],
        max_length=10,
        description="steps between the gate and all the traffic; []: none",
    )
    settle_s: int = Field(
        default=5,
        ge=0,
        le=600,
        description="after each change of the share, before anything is compared",
    )
    min_samples: int = Field(
        default=500,
        ge=LEAST_SAMPLES,
        le=1_000_000,
        description="requests that the candidate must have had in a step; the gate's own fill up "
        "what users do not bring",
    )
    max_hold_s: int = Field(
        default=600,
        ge=10,
        le=604_800,
        description="longest time of a step; too few requests by then: inconclusive",
    )
    hours: Hours | None = Field(
        default=None,
        description="when `pulumi up` may change anything; null: always; `NOW=1` overrides",
    )
    pin: str | None = Field(
        default=None,
        pattern=RELEASE,
        description="keeps this release live, whatever was built; `make rollback` writes it, "
        "`make unpin` removes it",
    )
    keep: int = Field(default=3, ge=1, le=50, description="releases whose images are kept")
    parallel: int = Field(
        default=10, ge=1, le=100, description="hosts worked on at a time, after the first"
    )
    ready_timeout_s: int = Field(
        default=120, ge=5, le=3600, description="time in which a replica must become ready"
    )
    drain_timeout_s: int = Field(
        default=60, ge=1, le=3600, description="time the old release has to finish its requests"
    )
    floor: float = Field(
        default=0.3,
        ge=0,
        le=1,
        description="least share of a host's recorded rate that a candidate must reach; 0: any",
    )


def contradictions(rollout: Rollout) -> Iterator[str]:
    """One line for each thing in it that no single value is to blame for."""
    for before, after in pairwise(rollout.canary):
        if after.weight <= before.weight:
            yield (
                f"rollout.canary: a weight is not above the one before (got {after.weight} after "
                f"{before.weight}). Let the weights rise."
            )
    for step in rollout.canary:
        if step.hold_s > rollout.max_hold_s:
            yield (
                f"rollout.max_hold_s: is shorter than a step of the canary "
                f"(got {rollout.max_hold_s}). Give at least {step.hold_s}."
            )
            break
    if rollout.hours is not None and rollout.hours.start == rollout.hours.end:
        yield (
            f"rollout.hours: begin and end together (got {rollout.hours.start}). "
            "Give another `end`, or remove `hours`."
        )
