"""Finds the Tetouan data: the user's folder, else a download, else the simulator."""

import hashlib
import http.client
import io
import logging
import os
import time
import urllib.request
import zipfile
import zlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bentos.energy import cells, simulator
from bentos.energy.features import WEATHER
from bentos.recipe import ROOT, BuildError, Data

log = logging.getLogger(__name__)

FOLDER_VARIABLE: Final = "BENTOFLEET_DATA_DIR"
FILE: Final = Path("tetouan") / "power_consumption.csv"
CACHE: Final = ROOT / "build" / "data"
URL: Final = "https://archive.ics.uci.edu/static/public/849/power+consumption+of+tetouan+city.zip"
SHA256: Final = "d5f8e1062bbc30c0f4855d61d33103f5185ad4e70ed0e5a42393975d536dcb55"
ROWS: Final = 52416
HEADER: Final = (
    "DateTime",
    "Temperature",
    "Humidity",
    "Wind Speed",
    "general diffuse flows",
    "diffuse flows",
    "Zone 1 Power Consumption",
    "Zone 2  Power Consumption",  # two spaces, in the file as it is published
    "Zone 3  Power Consumption",
)

_LICENCE = "CC BY 4.0"
_CITATION = (
    "A. Salam and A. El Hibaoui, Power Consumption of Tetouan City, UCI Machine Learning "
    "Repository, data set 849, https://doi.org/10.24432/C5B034"
)
_SILENCE_S = 15.0
_DOWNLOAD_S = 120.0
_MAX_DOWNLOAD_BYTES = 20_000_000
_CHUNK_BYTES = 1 << 16
_SHOWN_CHARACTERS = 60
# What a network, a proxy's page instead of the file, or a cut-off archive can raise.
_NO_DOWNLOAD = (
    BuildError,
    OSError,
    EOFError,
    http.client.HTTPException,
    zipfile.BadZipFile,
    zlib.error,
)


@dataclass(frozen=True, kw_only=True)
class Table:
    """The data, ready for `features.encode`.

    Attributes:
        times: of the rows, on the data's clock, in order.
        items: the rows as the service takes them.
        power_kw: (n, 3) float64, the zones.
    """

    times: list[datetime]
    items: list[dict[str, object]]
    power_kw: NDArray[np.float64]


def find() -> tuple[bytes, Data]:
    """The CSV's bytes and what they are.

    Raises:
        BuildError: BENTOFLEET_DATA_DIR is set and its file is missing or is not the data set.
    """
    if folder := os.environ.get(FOLDER_VARIABLE):
        path = Path(folder).expanduser() / FILE
        return _checked(path), _real(f"UCI data set 849, {FILE.name} in {FOLDER_VARIABLE}")
    try:
        return _downloaded(CACHE / FILE), _real(f"UCI data set 849, {URL}")
    except _NO_DOWNLOAD as error:
        log.warning(
            "energy: THE DATA IS SIMULATED, because the real data could not be downloaded (%s). "
            "Scores will say nothing about the real city. Set %s to a folder with %s.",
            error,
            FOLDER_VARIABLE,
            FILE,
        )
    content = simulator.make_csv(HEADER)
    return content, Data(
        source="simulated by bentos/energy/simulator.py, calibrated on UCI data set 849",
        sha256=hashlib.sha256(content).hexdigest(),
        rows=ROWS,
        simulated=True,
        licence="Apache-2.0",
        citation=f"Averages from: {_CITATION}",
    )


def parse(content: bytes) -> Table:
    """The rows of a CSV that was found.

    Raises:
        BuildError: a value that no meter and no weather gives; it names row and column.
    """
    try:
        parsed = list(cells.rows(content, HEADER))
    except ValueError as error:
        raise BuildError(f"energy: {error}. Get the data again.") from error
    return _table(parsed)


def _table(parsed: list[tuple[datetime, list[float]]]) -> Table:
    times: list[datetime] = []
    items: list[dict[str, object]] = []
    power = []
    for moment, numbers in parsed:
        item: dict[str, object] = dict(zip(WEATHER, numbers[: len(WEATHER)], strict=True))
        item["timestamp"] = moment
        times.append(moment)
        items.append(item)
        power.append(numbers[len(WEATHER) :])
    return Table(times=times, items=items, power_kw=np.array(power, dtype=np.float64))


def _real(source: str) -> Data:
    return Data(
        source=source,
        sha256=SHA256,
        rows=ROWS,
        simulated=False,
        licence=_LICENCE,
        citation=_CITATION,
    )


def _checked(path: Path) -> bytes:
    """The file's bytes, if it is the data set; the commonest faults are named before the hash."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BuildError(
            f"{path}: cannot be read ({error.strerror}). Put the Tetouan data there, or unset "
            f"{FOLDER_VARIABLE} to download it."
        ) from error
    if fault := _fault(content):
        raise BuildError(f"{path}: {fault}. Get the file again from UCI data set 849, {URL}")
    return content


def _fault(content: bytes) -> str | None:
    if not content.strip():
        return "is empty"
    first, *rest = content.splitlines()
    header = first.decode("utf-8", errors="replace").split(",")
    if tuple(header) != HEADER:
        wrong = next(
            (name for name in header if name not in HEADER), first.decode(errors="replace")
        )
        return f"should have the columns {', '.join(HEADER)} (got {wrong[:_SHOWN_CHARACTERS]!r})"
    if len(rest) != ROWS:
        return f"should have {ROWS} rows (got {len(rest)})"
    digest = hashlib.sha256(content).hexdigest()
    if digest != SHA256:
        if cell := cells.first_wrong(content, HEADER):
            return cell
        return f"was altered: its sha256 should be {SHA256} (got {digest})"
    return None


def _downloaded(path: Path) -> bytes:
    """The cached file, after a download where it is not there or not whole."""
    if path.is_file():
        content = path.read_bytes()
        if not _fault(content):
            return content
    log.info("energy: downloading the Tetouan data from %s", URL)
    content = _unzipped(_fetch(URL))
    if fault := _fault(content):
        raise BuildError(f"{URL}: {fault}")
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(path)  # never half a file under the real name
    return content


def _fetch(url: str) -> bytes:
    content = b""
    stop = time.monotonic() + _DOWNLOAD_S
    with urllib.request.urlopen(url, timeout=_SILENCE_S) as reply:  # noqa: S310  ours, https
        while chunk := reply.read(_CHUNK_BYTES):
            content += chunk
            if len(content) > _MAX_DOWNLOAD_BYTES:
                raise BuildError(f"{url}: is larger than {_MAX_DOWNLOAD_BYTES} bytes")
            if time.monotonic() > stop:
                raise BuildError(f"{url}: took longer than {_DOWNLOAD_S:g} s")
    return content


def _unzipped(archive: bytes) -> bytes:
    with zipfile.ZipFile(io.BytesIO(archive)) as files:
        tables = [entry for entry in files.infolist() if entry.filename.endswith(".csv")]
        if len(tables) != 1 or tables[0].file_size > _MAX_DOWNLOAD_BYTES:
            raise BuildError(f"{URL}: should hold one CSV file (got {files.namelist()})")
        return files.read(tables[0])
