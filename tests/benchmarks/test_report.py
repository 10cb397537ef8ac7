"""The page, the plot and the command that makes them anew."""

import json

import pytest

from benchmarks import __main__ as command
from benchmarks import plan, plot, report

AT_32 = plan.LOADS[1]


def line_of(page, *words):
    (found,) = (line for line in page.splitlines() if all(word in line for word in words))
    return found


def test_the_page_tells_machine_versions_date_and_load(document):
    page = report.render(document)
    for words in (
        "2026-11-25T08:00:00+00:00",
        "Some CPU, 2 cores",
        "wrk 4.1.0",
        "`energy:0123456789ab`",
        "0.1 / 0.2 / 0.3 before and 1.1 / 1.2 / 1.3 after",
        "make bench",
    ):
        assert words in page


def test_every_reach_has_its_verdict(document):
    document["memory_bytes"] = 300_000_000
    document["lone"] = []
    for row in document["bursts"]:
        row["cpu_us"] = 100.4 if row["arrangement"] == "ours" else 400.0
    page = report.render(document)
    assert "| 4.5 x | **met** |" in line_of(page, "4 x FastAPI")
    assert "| 300 MB | **missed** by 20% |" in line_of(page, "under 250 MB")
    assert "| 0.251 of it | **missed** by less than 1% |" in line_of(page, "a quarter")
    assert "| not measured | not measured |" in line_of(page, "lone user")


def test_a_table_compares_with_fastapi_of_the_same_rounds(document):
    row = line_of(report.render(document), "**ours, everything on**", "9,000")
    assert (
        row
        == "| **ours, everything on** | tokens, values | 9,000 | 75% | 4.50 | 1.00 | 3.00 | 50.0 |"
    )


def test_an_arrangement_that_failed_shows_how_often_and_no_rate(document, burst):
    document["bursts"].append(burst("mosec", AT_32, 1, 5000.0, failed=12))
    row = line_of(report.render(document), "mosec, best setting", "failed")
    assert "failed: 12 answers" in row
    assert "5,000" not in row


def test_the_best_setting_of_mosec_stands_out(document):
    assert "| tables, 32 users | 900 | **4,000** |" in report.render(document)


def test_what_did_not_start_is_told(document):
    document["faults"] = ["mosec: its packages cannot be had (no route)."]
    assert "## Left out\n\n- mosec: its packages cannot be had" in report.render(document)


def test_a_page_of_two_rivals_has_no_table_of_the_others(document):
    document |= {"mosec": [], "routes": []}
    page = report.render(document)
    assert "mosec's settings" not in page
    assert "Tables, 128 users" not in page


def test_the_same_figures_draw_the_same_plot(document):
    drawn = plot.draw(document)
    assert drawn == plot.draw(json.loads(json.dumps(document)))
    for words in ("ours, everything on", "9,000", "tables, 32 users", "not measured"):
        assert words in drawn


def test_page_and_plot_are_made_anew_from_the_figures(document, tmp_path, capsys):
    (tmp_path / command.JSON_FILE).write_text(json.dumps(document))
    assert command.main(["--page", "--out", str(tmp_path)]) == 0
    assert (tmp_path / command.PAGE_FILE).read_text() == report.render(document)
    assert (tmp_path / command.PLOT_FILE).read_text() == plot.draw(document)
    assert "bench: met: tables at 32 users: at least 4 x FastAPI" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--page", "--out", "/nonexistent"], "bench: --page: /nonexistent/performance.json is"),
        (["--only", "litserve", "--quick"], "bench: --only: should name some of"),
    ],
    ids=["no figures", "no such rival"],
)
def test_what_is_wrong_is_one_line(arguments, line, capsys, monkeypatch):
    monkeypatch.setattr(command.load, "find", lambda: None)
    assert command.main(arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith(line)
    assert told.count("\n") == 1
