"""What the graphics cards of this machine do, read from Linux's sysfs and hwmon at each scrape.

A container sees its host's sysfs, so every replica of a host tells the same of the same card.
"""

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import prometheus_client
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from service.contract import metrics
from service.contract.metrics import Metric

DRM = Path("/sys/class/drm")
DRIVER = "amdgpu"
_WAIT_S = 1.0
_YOUNG_S = 30.0
"""A reading that was finished within this may still be shown."""

_OF_DEVICE = (
    (metrics.CARD_BUSY, "gpu_busy_percent", 1e-2),
    (metrics.CARD_VRAM_USED, "mem_info_vram_used", 1.0),
    (metrics.CARD_VRAM_SIZE, "mem_info_vram_total", 1.0),
)
_OF_HWMON = (
    (metrics.CARD_TEMPERATURE, ("temp1_input",), 1e-3),
    (metrics.CARD_FAN, ("fan1_input",), 1.0),
    # `power1_input` since Linux 6.6, `power1_average` before: whichever there is
    (metrics.CARD_POWER, ("power1_input", "power1_average"), 1e-6),
)
"""Metric, file, and what one of the file's units is in the metric's: percent, millidegrees,
microwatts. Source: Linux Documentation/gpu/amdgpu/thermal.rst."""

_CLOCKS = {"sclk": "core", "mclk": "memory"}
_MHZ = 1e6


@dataclass(frozen=True)
class Sample:
    """One value of one card."""

    metric: Metric
    labels: tuple[str, ...]
    value: float


def read(drm: Path) -> list[Sample]:
    """What can be read of each card that the driver `amdgpu` has; what cannot is left out.

    It may take seconds: an RX 580's driver asks the card for its power up to ten times, half a
    second apart, until the answer is above zero (`smu7_get_gpu_power` in Linux).
    """
    samples: list[Sample] = []
    for device in _devices(drm):
        samples.extend(_of_card(device, device.resolve().name))
    return samples


def _devices(drm: Path) -> list[Path]:
    """The folder of each card's PCI device; outputs (`card0-DP-1`) are no cards."""
    found = (path / "device" for path in sorted(drm.glob("card*")) if path.name[4:].isdigit())
    return [device for device in found if (device / "driver").resolve().name == DRIVER]


def _of_card(device: Path, card: str) -> Iterator[Sample]:
    for metric, name, unit in _OF_DEVICE:
        if (value := _number(device / name)) is not None:
            yield Sample(metric, (card,), value * unit)
    monitors = sorted(device.glob("hwmon/hwmon*"))
    for file, label in _CLOCKS.items():
        if (value := _clock_hz(device, monitors, file)) is not None:
            yield Sample(metrics.CARD_CLOCK, (card, label), value)
    for metric, names, unit in _OF_HWMON:
        values = (_number(folder / name) for folder in monitors for name in names)
        if (value := next((v for v in values if v is not None), None)) is not None:
            yield Sample(metric, (card,), value * unit)


def _clock_hz(device: Path, monitors: list[Path], name: str) -> float | None:
    """The clock as it is measured; where that is not told, the level that is switched on."""
    for folder in monitors:
        for label in sorted(folder.glob("freq*_label")):
            if _text(label) == name:
                return _number(folder / label.name.replace("_label", "_input"))
    for line in (_text(device / f"pp_dpm_{name}") or "").splitlines():
        level = line.lower().partition(":")[2].strip()  # "2: 2000Mhz *"
        if level.endswith("mhz *"):
            return _parsed(level.removesuffix("mhz *"), _MHZ)
    return None


def _number(path: Path) -> float | None:
    text = _text(path)
    return None if text is None else _parsed(text, 1.0)


def _parsed(text: str, unit: float) -> float | None:
    try:
        return float(text) * unit
    except ValueError:
        return None


def _text(path: Path) -> str | None:
    """A file's content; None where the driver has no such file or cannot tell just now."""
    try:
        return path.read_text(encoding="ascii", errors="replace").strip()
    except OSError:
        return None


class Cards(Collector):
    """The cards' values in a scrape. Reading them never holds up the loop that answers requests."""

    def __init__(self, drm: Path | None = None, wait_s: float = _WAIT_S) -> None:
        """Reads nothing yet.

        Args:
            drm: the folder of the machine's display devices; None: where Linux has it.
            wait_s: that a scrape waits for a reading; one that takes longer is for the next scrape.
        """
        self._drm = drm or DRM
        self._wait_s = wait_s
        self._reading: Future[list[Sample]] | None = None
        self._read_at = -_YOUNG_S
        self._samples: list[Sample] = []

    async def refresh(self) -> None:
        """Reads the cards in a thread, one reading at a time."""
        if self._reading is None and self._drm.is_dir():
            self._reading = _in_thread(self._drm)
        if self._reading is None:
            return
        waiting = asyncio.wrap_future(self._reading)
        done, _ = await asyncio.wait([waiting], timeout=self._wait_s)
        if done:
            self._samples, self._read_at = waiting.result(), time.monotonic()
            self._reading = None
        else:
            waiting.cancel()  # only the waiting; the reading goes on

    def collect(self) -> Iterator[prometheus_client.Metric]:
        """The last reading; nothing where there is no card or the reading is old."""
        samples = self._samples if time.monotonic() - self._read_at < _YOUNG_S else []
        for metric in metrics.CARD_METRICS:
            of_metric = [sample for sample in samples if sample.metric is metric]
            if not of_metric:
                continue
            family = GaugeMetricFamily(metric.name, metric.meaning, labels=metric.labels)
            for sample in of_metric:
                family.add_metric(sample.labels, sample.value)
            yield family


def _in_thread(drm: Path) -> "Future[list[Sample]]":
    """As an executor, but the process can end while the driver is at it."""
    future: Future[list[Sample]] = Future()
    future.set_running_or_notify_cancel()  # it cannot be cancelled
    threading.Thread(target=_settle, args=(future, drm), name="cards", daemon=True).start()
    return future


def _settle(future: "Future[list[Sample]]", drm: Path) -> None:
    try:
        future.set_result(read(drm))
    except Exception:  # a driver's odd answer must not cost the rest of the scrape
        future.set_result([])
