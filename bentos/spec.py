"""What a model takes and gives: the one description that training, service and load test share.

Standard library only, so that the load test and the Pulumi program can read it.
"""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Number:
    """A finite number in a table row.

    Attributes:
        minimum: smallest value taken, in `unit`; a smaller one is the client's error.
        maximum: largest value taken, in `unit`.
    """

    name: str
    unit: str
    minimum: float
    maximum: float
    description: str
    example: float


@dataclass(frozen=True, kw_only=True)
class Timestamp:
    """An ISO 8601 date and time in a table row, with or without zone (without: local time)."""

    name: str
    description: str
    example: str


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of a few texts in a table row, spelled as they stand in `values`."""

    name: str
    values: tuple[str, ...]
    description: str
    example: str


Column = Number | Timestamp | Choice


@dataclass(frozen=True, kw_only=True)
class Table:
    """Rows as JSON objects.

    Attributes:
        batch_items: most rows in one batch request.
    """

    columns: tuple[Column, ...]
    batch_items: int = 1000


@dataclass(frozen=True, kw_only=True)
class Photo:
    """Pictures as JPEG, PNG or WebP.

    Attributes:
        max_bytes: largest file taken, in bytes.
        max_pixels: most pixels (width x height), read from the header before decoding.
        batch_items: most photos in one batch request.
        examples: folder of photographs that load tests and examples send.
    """

    max_bytes: int
    max_pixels: int
    batch_items: int
    examples: Path


@dataclass(frozen=True, kw_only=True)
class Field:
    """One field of a model's answer.

    Attributes:
        schema: the field's JSON schema (OpenAPI 3.1).
        example: a value that the model really gives.
    """

    name: str
    schema: dict[str, object]
    example: object


@dataclass(frozen=True, kw_only=True)
class Bar:
    """A measure that a model must reach to be published: `measure >= at_least`."""

    measure: str
    at_least: float


@dataclass(frozen=True, kw_only=True)
class Primary:
    """The measure that decides whether a new version is good enough to follow the live one.

    Both measures stand at the top of the metrics, as numbers.

    Attributes:
        baseline: measure of the simplest way to answer on the same items, which the model has to
            reach; None where there is no such way.
        lower_is_better: for errors, such as a mean absolute error.
        slack: by how much a new version may be worse than the live one, in the measure's unit.
        protocol: raise it when the measuring itself changes (other items, another split): scores
            of different protocols are never compared.
    """

    measure: str
    baseline: str | None = None
    lower_is_better: bool = False
    slack: float = 0.0
    protocol: int = 1


@dataclass(frozen=True, kw_only=True)
class ModelSpec:
    """Everything that is not code about one model.

    Attributes:
        name: URL part, store name and metric label: `[a-z][a-z0-9_]*`.
        answer: the model's own fields, in order.
        bars: measures below which the model is not published.
        max_batch: most items in one run of the model.
        deadline_ms: after it a request is answered 504.
        queue_items: waiting items beyond which a request is answered 503.
        golden_tolerance: largest absolute difference to a stored golden answer.
        primary: compared with the baseline and with the live version before a new one is
            published; None: the first bar's measure, without a baseline.
        retrain_tolerance: how far a metric may lie from the published one when the model is made
            again from the same inputs; relative where the metric is above 1. Metrics whose name
            ends in `_s` or `_ms` are times and not compared.
    """

    name: str
    title: str
    summary: str
    takes: Table | Photo
    answer: tuple[Field, ...]
    bars: tuple[Bar, ...]
    max_batch: int
    deadline_ms: int
    queue_items: int
    golden_tolerance: float
    primary: Primary | None = None
    retrain_tolerance: float = 1e-6

    def compared(self) -> Primary:
        """What a new version is compared by."""
        return self.primary or Primary(measure=self.bars[0].measure)
