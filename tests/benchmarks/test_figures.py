"""Medians, ratios, and what counts as reached."""

import pytest

from benchmarks import figures, plan

_, AT_32, AT_128, AT_8 = plan.LOADS


def by_wanted(document, words):
    (found,) = (each for each in figures.reaches(document) if words in each.wanted)
    return found


def change(document, arrangement, load, **values):
    for row in document["bursts"]:
        if (row["arrangement"], row["users"]) == (arrangement, load.users):
            row.update(values)


def test_a_cell_is_the_median_of_its_rounds_with_slowest_and_fastest(document):
    cell = figures.cell(document, "ours", AT_32)
    assert (cell.rps, cell.low, cell.high, cell.rounds) == (9000, 4500, 18000, 3)
    assert figures.spread(cell) == 0.75
    assert figures.cell(document, "ours", AT_128) is None


def test_ratios_are_taken_inside_each_round(document):
    assert figures.in_rounds(document, AT_32, "ours", "fastapi") == 4.5
    assert figures.in_rounds(document, AT_32, "ours", "fastapi", "cpu_us") == 0.125
    assert figures.in_rounds(document, AT_32, "ours", "mosec") is None


def test_everything_that_was_reached_is_met(document):
    found = figures.reaches(document)
    assert [each.met for each in found] == [True] * 8
    assert [each.off for each in found] == [0.0] * 8


@pytest.mark.parametrize(
    ("words", "arrangement", "load", "values", "off"),
    [
        ("4 x FastAPI", "fastapi", AT_32, {"rps": 4500.0}, 0.5),
        ("20 x BentoML", "bentoml", AT_32, {"rps": 900.0}, 0.5),
        ("a quarter", "fastapi", AT_32, {"cpu_us": 100.0}, 1.0),
        ("in-process", plan.YARDSTICK, AT_8, {"rps": 100.0}, 1 - 0.45 / 0.85),
    ],
    ids=["FastAPI", "BentoML", "CPU", "photos"],
)
def test_what_was_missed_is_told_as_a_share_of_its_limit(
    document, words, arrangement, load, values, off
):
    change(document, arrangement, load, **values)
    found = by_wanted(document, words)
    assert found.met is False
    assert found.off == pytest.approx(off)


def test_a_figure_at_its_limit_is_met(document):
    change(document, "fastapi", AT_32, cpu_us=200.0)
    assert by_wanted(document, "a quarter").met is True


def test_an_arrangement_with_failed_answers_is_compared_with_nothing(document):
    document["bursts"][1]["failed"] = 1
    assert figures.in_rounds(document, AT_32, "ours", "fastapi") is None
    found = by_wanted(document, "4 x FastAPI")
    assert (found.measured, found.met) == (None, None)


def test_a_lone_user_who_waits_longer_after_the_crowd_misses(document):
    for row in document["lone"]:
        row["after_ms"] = 0.6
    found = by_wanted(document, "lone user")
    assert (found.measured, found.met) == ("3.00 x", False)
    assert found.off == pytest.approx(1.0)


def test_one_route_with_a_long_tail_misses_and_is_named(document, route):
    document["routes"] += [route("/docs", 1.0, 10.0, number=n) for n in (1, 2)]
    found = by_wanted(document, "every route")
    assert found.met is False
    assert found.measured == "10.0 x at most, at /docs; 1 of 3 routes beyond it"


def test_a_route_that_fails_is_never_met(document, route):
    document["routes"].append(route("/docs", 1.0, 1.0, failed=2))
    found = by_wanted(document, "every route")
    assert (found.met, found.measured) == (False, "requests failed at /docs")


def test_what_was_left_out_is_not_measured(document):
    document |= {"bursts": [], "lone": [], "routes": [], "memory_bytes": None, "fleet": {}}
    assert {each.met for each in figures.reaches(document)} == {None}


def test_the_server_that_only_answers_is_no_route_of_ours_and_stands_beside_them(document, route):
    document["routes"].append(route(plan.BARE_PATH, 1.0, 20.0))
    found = by_wanted(document, "every route")
    assert found.met is True
    assert found.measured == (
        "4.0 x at most, at /readyz; 0 of 2 routes beyond it (a server that only answers: 20.0 x)"
    )
