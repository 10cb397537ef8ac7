"""The metrics of the service: names, labels, buckets. Standard library only."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Metric:
    """A metric that a scrape of the inner port shows.

    Attributes:
        kind: counter | gauge | histogram.
        buckets: upper bounds of a histogram, in the metric's unit.
    """

    name: str
    kind: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()


REQUESTS_TOTAL = Metric(
    "bentofleet_requests_total",
    "counter",
    ("model", "route", "code", "traffic"),
    "Requests answered.",
)
REQUEST_DURATION = Metric(
    "bentofleet_request_duration_seconds",
    "histogram",
    ("model", "route", "traffic"),
    "From the request's headers to its answer.",
    (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1, 2.5, 5, 10),
)
INFERENCE_DURATION = Metric(
    "bentofleet_inference_duration_seconds",
    "histogram",
    ("model", "runtime", "device"),
    "One run of a model, for a whole batch.",
    (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5),
)
BATCH_SIZE = Metric(
    "bentofleet_batch_size",
    "histogram",
    ("model",),
    "Items in one run of a model.",
    (1, 2, 4, 8, 16, 32, 64, 128),
)
QUEUE_DEPTH = Metric(
    "bentofleet_queue_depth",
    "gauge",
    ("model",),
    "Items taken in that wait for a run of the model.",
)
WORKERS = Metric("bentofleet_workers", "gauge", (), "Live worker processes behind this port.")
MODEL_INFO = Metric(
    "bentofleet_model_info",
    "gauge",
    ("model", "version", "runtime", "device"),
    "1 for each model that is loaded and gave its golden answers.",
)
MODEL_RATE = Metric(
    "bentofleet_model_rate",
    "gauge",
    ("model", "device"),
    "Items a second, one by one: the best of a few short runs when the model was loaded. "
    "Of a model on a card also what the same model does on this CPU.",
)
RELEASE_INFO = Metric(
    "bentofleet_release_info", "gauge", ("release",), "1 for the release that runs."
)
CARD_BUSY = Metric(
    "bentofleet_card_busy_ratio", "gauge", ("card",), "Share of time in which the card works."
)
CARD_VRAM_USED = Metric(
    "bentofleet_card_vram_used_bytes", "gauge", ("card",), "The card's memory in use."
)
CARD_VRAM_SIZE = Metric("bentofleet_card_vram_size_bytes", "gauge", ("card",), "The card's memory.")
CARD_POWER = Metric("bentofleet_card_power_watts", "gauge", ("card",), "What the card draws.")
CARD_TEMPERATURE = Metric(
    "bentofleet_card_temperature_celsius", "gauge", ("card",), "Of the card's chip."
)
CARD_FAN = Metric("bentofleet_card_fan_rpm", "gauge", ("card",), "Turns a minute.")
CARD_CLOCK = Metric(
    "bentofleet_card_clock_hertz",
    "gauge",
    ("card", "clock"),
    "The card's clocks at the moment: core or memory.",
)
CARD_METRICS = (
    CARD_BUSY,
    CARD_VRAM_USED,
    CARD_VRAM_SIZE,
    CARD_POWER,
    CARD_TEMPERATURE,
    CARD_FAN,
    CARD_CLOCK,
)
"""Of each card by its PCI address, where there is one: the same in all replicas of a host."""

SERVED_METRICS = (
    REQUESTS_TOTAL,
    REQUEST_DURATION,
    INFERENCE_DURATION,
    BATCH_SIZE,
    QUEUE_DEPTH,
    WORKERS,
    MODEL_INFO,
    MODEL_RATE,
    RELEASE_INFO,
)
