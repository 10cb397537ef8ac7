"""Where the data comes from, and every way in which it can be wrong."""

import hashlib
import io
import logging
import threading
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bentos.energy import data
from bentos.recipe import BuildError

HEADER = ",".join(data.HEADER)
ROW = "1/1/2017 0:00,6.559,73.8,0.083,0.051,0.119,34055.6962,16128.87538,20240.96386"
FETCH = data._fetch  # before the fixtures replace it
GOOD = f"{HEADER}\n{ROW}\n{ROW.replace('0:00', '0:10')}\n".encode()


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Two rows stand for the year, and nothing is found unless a test puts it there."""
    monkeypatch.setattr(data, "ROWS", 2)
    monkeypatch.setattr(data, "SHA256", hashlib.sha256(GOOD).hexdigest())
    monkeypatch.setattr(data, "CACHE", tmp_path / "cache")
    monkeypatch.setattr(data, "_fetch", unreachable)
    monkeypatch.delenv("BENTOFLEET_DATA_DIR", raising=False)


def unreachable(url: str) -> bytes:
    """There is no network."""
    raise OSError("Name or service not known")


def zipped(content: bytes, name: str = "Tetuan City power consumption.csv") -> bytes:
    """An archive as UCI makes it."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr(name, content)
    return archive.getvalue()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes | None], Path]:
    """Sets BENTOFLEET_DATA_DIR to a folder with this file in it."""

    def put(content: bytes | None) -> Path:
        path = tmp_path / "given" / "tetouan" / "power_consumption.csv"
        path.parent.mkdir(parents=True)
        if content is not None:
            path.write_bytes(content)
        monkeypatch.setenv("BENTOFLEET_DATA_DIR", str(tmp_path / "given"))
        return path

    return put


def test_the_users_folder_comes_first(folder: Callable[[bytes | None], Path]) -> None:
    folder(GOOD)
    content, found = data.find()
    assert content == GOOD
    assert (found.simulated, found.rows, found.sha256) == (False, data.ROWS, data.SHA256)
    assert "BENTOFLEET_DATA_DIR" in found.source
    assert found.licence == "CC BY 4.0"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        pytest.param(None, "cannot be read (No such file or directory)", id="missing"),
        pytest.param(b"", "is empty", id="empty"),
        pytest.param(b"\n\n", "is empty", id="blank lines"),
        pytest.param(GOOD[: len(GOOD) // 2], "should have 2 rows (got 1)", id="cut in a row"),
        pytest.param(GOOD[:45], "(got 'gene')", id="cut in the header"),
        pytest.param(f"{HEADER}\n".encode(), "should have 2 rows (got 0)", id="no rows"),
        pytest.param(GOOD + GOOD, "should have 2 rows (got 5)", id="too many rows"),
        pytest.param(
            GOOD.replace(b"Humidity", b"Moisture"), "(got 'Moisture')", id="another column"
        ),
        pytest.param(
            GOOD.replace(b"Zone 2  Power", b"Zone 2 Power"),
            "(got 'Zone 2 Power Consumption')",
            id="one space only",
        ),
        pytest.param(
            GOOD.replace(b"Temperature,Humidity", b"Humidity,Temperature"),
            "(got 'DateTime,Humidity,Temperature,",
            id="columns swapped",
        ),
        pytest.param(b"\x89PNG\r\n\x1a\n" * 9, "should have the columns DateTime", id="no table"),
        pytest.param(b"a" * 200_000, f"(got '{'a' * 60}')", id="one long line"),
        pytest.param(GOOD.replace(b"6.559", b"6.558"), "was altered: its sha256", id="altered"),
        pytest.param(GOOD.replace(b"\n", b"\r\n"), "was altered: its sha256", id="line ends"),
    ],
)
def test_a_wrong_file_in_the_users_folder_is_one_line_and_no_simulation(
    folder: Callable[[bytes | None], Path], content: bytes | None, fault: str
) -> None:
    path = folder(content)
    with pytest.raises(BuildError) as error:
        data.find()
    line = str(error.value)
    assert line.startswith(f"{path}: ")
    assert fault in line
    assert "\n" not in line


TEMPERATURE = "row 2, column 'Temperature': should be a number from -30 to 60"
POWER = "column 'Zone 1 Power Consumption': should be a number from 0 to 100000"


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("6.559", "500", f"{TEMPERATURE} (got '500')"),
        ("6.559", "-273.15", f"{TEMPERATURE} (got '-273.15')"),
        ("6.559", "NaN", f"{TEMPERATURE} (got 'NaN')"),
        ("6.559", "inf", f"{TEMPERATURE} (got 'inf')"),
        ("6.559", "", f"{TEMPERATURE} (got '')"),
        ("6.559", "warm", f"{TEMPERATURE} (got 'warm')"),
        ("6.559", "9" * 400, f"{TEMPERATURE} (got '{'9' * 40}')"),
        ("73.8", "101", "row 2, column 'Humidity': should be a number from 0 to 100 (got '101')"),
        ("0.083", "-1", "row 2, column 'Wind Speed': should be a number from 0 to 75 (got '-1')"),
        ("34055.6962", "-34055.6962", f"row 2, {POWER} (got '-34055.6962')"),
        ("34055.6962", "34055696.2", f"row 2, {POWER} (got '34055696.2')"),
        ("34055.6962", "nan", f"row 2, {POWER} (got 'nan')"),
        (",34055.6962", "", "row 2 should have 9 values (got 8)"),
        ("34055.6962", "34055,6962", "row 2 should have 9 values (got 10)"),
        (
            "1/1/2017 0:10",
            "13/1/2017 0:10",
            "row 2, column 'DateTime': should be a time such as 7/14/2017 14:30 "
            "(got '13/1/2017 0:10')",
        ),
        (
            "1/1/2017 0:10",
            "1/1/2017 0:00",
            "row 2, column 'DateTime': should be later than the row before it "
            "(got '1/1/2017 0:00')",
        ),
    ],
)
def test_a_value_that_cannot_be_is_named_by_row_and_column(
    folder: Callable[[bytes | None], Path], old: str, new: str, told: str
) -> None:
    head, first, second = GOOD.decode().splitlines()
    assert old in second
    content = "\n".join((head, first, second.replace(old, new), "")).encode()
    path = folder(content)
    with pytest.raises(BuildError) as error:
        data.find()
    assert str(error.value).startswith(f"{path}: {told}. Get the file again")
    with pytest.raises(BuildError) as parsed:
        data.parse(content)
    assert str(parsed.value) == f"energy: {told}. Get the data again."


def test_a_folder_in_the_files_place_is_one_line(folder: Callable[[bytes | None], Path]) -> None:
    folder(None).mkdir()
    with pytest.raises(BuildError, match=r"cannot be read \(Is a directory\)"):
        data.find()


class Uci:
    """A server that stands in for UCI's."""

    def __init__(self) -> None:
        self.body = zipped(GOOD)
        self.length: int | None = None  # that it tells, if not the true one; 0: no HTTP at all
        self.asked = 0


@pytest.fixture
def uci(monkeypatch: pytest.MonkeyPatch) -> Iterator[Uci]:
    """It is there, and its address is the one that is asked."""
    stand_in = Uci()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            stand_in.asked += 1
            if stand_in.length != 0:
                self.send_response(200)
                self.send_header("Content-Length", str(stand_in.length or len(stand_in.body)))
                self.end_headers()
            self.wfile.write(stand_in.body)

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setattr(data, "_fetch", FETCH)
    monkeypatch.setattr(data, "URL", f"http://127.0.0.1:{server.server_port}/data.zip")
    yield stand_in
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_download_is_checked_and_kept(uci: Uci, tmp_path: Path) -> None:
    content, found = data.find()
    assert content == GOOD
    assert not found.simulated
    assert data.URL in found.source
    assert (tmp_path / "cache" / data.FILE).read_bytes() == GOOD
    assert data.find()[0] == GOOD
    assert uci.asked == 1
    assert [path.name for path in (tmp_path / "cache" / "tetouan").iterdir()] == [data.FILE.name]


def test_a_damaged_copy_of_the_download_is_downloaded_again(uci: Uci, tmp_path: Path) -> None:
    data.find()
    (tmp_path / "cache" / data.FILE).write_bytes(GOOD[:90])
    assert data.find()[0] == GOOD
    assert uci.asked == 2


@pytest.mark.parametrize(
    ("body", "length", "reason"),
    [
        pytest.param(zipped(GOOD.replace(b"6.559", b"9")), None, "was altered", id="altered"),
        pytest.param(b"<html>log in first</html>", None, "not a zip file", id="a proxy's page"),
        pytest.param(zipped(GOOD)[:100], None, "not a zip file", id="a cut archive"),
        pytest.param(zipped(GOOD)[:200], 99_999, "not a zip file", id="a cut connection"),
        pytest.param(b"SSH-2.0-OpenSSH", 0, "SSH-2.0-OpenSSH", id="another protocol"),
        pytest.param(zipped(GOOD, "readme.txt"), None, "should hold one CSV", id="no table"),
        pytest.param(b"0" * 300, None, "larger than 200 bytes", id="too large"),
    ],
)
def test_a_download_that_is_not_the_data_is_simulated_instead_and_not_kept(
    uci: Uci,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    body: bytes,
    length: int | None,
    reason: str,
) -> None:
    uci.body, uci.length = body, length
    if reason.startswith("larger"):
        monkeypatch.setattr(data, "_MAX_DOWNLOAD_BYTES", 200)
    assert data.find()[1].simulated
    assert reason in caplog.text
    assert not (tmp_path / "cache").exists()


def test_without_data_and_network_it_is_simulated_and_says_so_loudly(
    caplog: pytest.LogCaptureFixture, simulated_csv: bytes
) -> None:
    content, found = data.find()
    assert content == simulated_csv
    assert found.simulated
    assert found.sha256 == hashlib.sha256(content).hexdigest()
    assert "simulator" in found.source
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert warning.getMessage().startswith("energy: THE DATA IS SIMULATED, because")
    assert "Name or service not known" in warning.getMessage()


def test_rows_are_parsed_as_the_service_takes_them() -> None:
    table = data.parse(GOOD)
    assert table.times == [datetime(2017, 1, 1, 0, 0), datetime(2017, 1, 1, 0, 10)]
    assert table.items[0] == {
        "timestamp": datetime(2017, 1, 1, 0, 0),
        "temperature_c": 6.559,
        "humidity_percent": 73.8,
        "wind_speed_m_s": 0.083,
        "general_diffuse_flows_w_m2": 0.051,
        "diffuse_flows_w_m2": 0.119,
    }
    assert table.power_kw[1].tolist() == [34055.6962, 16128.87538, 20240.96386]
