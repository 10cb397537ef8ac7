"""The part of a stack's file that says when a canary is worse than live: `analysis`."""

from collections.abc import Iterator
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from infra import faults
from infra.section import Name, Section

RELEASE_MARK = "{release}"
"""What stands in a query for the id of the release that is asked about."""


def _prometheus_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
        raise ValueError(
            f"is no address of a Prometheus (got {faults.shown(text)}). "
            "Write it as in http://192.0.2.20:9090."
        )
    if parts.username or parts.password:
        raise ValueError(
            "holds a user or password (not shown). Put a token into a file, `token_file`."
        )
    return text.rstrip("/")


class Prometheus(Section):
    """Where queries are asked, from the machine on which `pulumi up` runs."""

    url: Annotated[str, AfterValidator(_prometheus_url)] = Field(
        max_length=2048, description="its address, such as `http://192.0.2.20:9090`"
    )
    token_file: str = Field(
        default="",
        max_length=4096,
        description="path of a file that holds a bearer token, readable by you alone; empty: none",
    )
    timeout_s: int = Field(default=10, ge=1, le=120, description="time in which it must answer")


class Query(Section):
    """One figure that must stay within its bounds while a canary runs."""

    name: Name = Field(description="short name, used in reasons and reports")
    query: str = Field(
        min_length=1,
        max_length=4096,
        description="PromQL that gives one number; `{release}` in it stands for the release's id",
    )
    at_most: float | None = Field(default=None, description="largest value that is good")
    at_least: float | None = Field(default=None, description="smallest value that is good")
    ratio_to_live_at_most: float | None = Field(
        default=None, gt=0, description="largest good share of the live release's value"
    )
    ratio_to_live_at_least: float | None = Field(
        default=None, gt=0, description="smallest good share of the live release's value"
    )

    @property
    def compares(self) -> bool:
        """Whether the live release is asked about too."""
        return self.ratio_to_live_at_most is not None or self.ratio_to_live_at_least is not None


class Analysis(Section):
    """What makes a canary worse than live; both are measured over the same time."""

    error_ratio_above_live: float = Field(
        default=0.005, ge=0, le=1, description="most that the share of errors may lie above live's"
    )
    p95_ratio: float = Field(
        default=1.5, ge=1, le=100, description="most that the p95 may be, as a multiple of live's"
    )
    answer_shift: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="share of the compared requests that may be answered otherwise than by live "
        "while the model's version is the same",
    )
    prometheus: Prometheus | None = Field(
        default=None, description="where `queries` are asked; null: nowhere"
    )
    queries: list[Query] = Field(
        default_factory=list, max_length=20, description="figures of the business, as PromQL"
    )


def contradictions(analysis: Analysis) -> Iterator[str]:
    """One line for each thing in it that no single value is to blame for."""
    if analysis.queries and analysis.prometheus is None:
        yield (
            "analysis.prometheus: is missing beside `queries` (got none). "
            "Name where they are asked, or remove them."
        )
    names = [query.name for query in analysis.queries]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"analysis.queries: two have one name (got {name}). Give each its own."
    for query in analysis.queries:
        yield from (f"analysis.queries: {query.name}: {line}" for line in _of_one(query))


def _of_one(query: Query) -> Iterator[str]:
    bounds = (query.at_most, query.at_least)
    if all(bound is None for bound in bounds) and not query.compares:
        yield "has no bound (got none). Give `at_most`, `at_least` or a `ratio_to_live_…`."
    if query.compares and RELEASE_MARK not in query.query:
        yield f"is compared with live, and does not name {RELEASE_MARK}. Put it into the query."
