"""Rows: what is taken, and what each wrong one is told."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from bentos.catalog import MODELS
from bentos.spec import Choice, Number, Table, Timestamp
from service import contract
from service.api import tables
from service.api.problems import ProblemError

TAKES = Table(
    columns=(
        Timestamp(name="when", description="Moment.", example="2017-07-14T14:30:00"),
        Number(name="a", unit="m", minimum=-1, maximum=10, description="One.", example=3.5),
    ),
    batch_items=2,
)
GOOD = {"when": "2017-07-14T14:30:00", "a": 3}


def refusal(row):
    with pytest.raises(ProblemError) as caught:
        tables.check(row, TAKES)
    assert caught.value.kind.status == 422
    return {error.field: error.message for error in caught.value.errors}


def test_a_good_row_becomes_floats_and_datetimes():
    assert tables.check(GOOD, TAKES) == {"when": datetime(2017, 7, 14, 14, 30), "a": 3.0}
    assert type(tables.check(GOOD, TAKES)["a"]) is float


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2017-07-14T14:30", datetime(2017, 7, 14, 14, 30)),
        ("2017-07-14 14:30:05", datetime(2017, 7, 14, 14, 30, 5)),
        ("2017-07-14T14:30:05.25", datetime(2017, 7, 14, 14, 30, 5, 250000)),
        ("2017-07-14T14:30:00Z", datetime(2017, 7, 14, 14, 30, tzinfo=UTC)),
        ("2017-07-14t14:30:00z", datetime(2017, 7, 14, 14, 30, tzinfo=UTC)),
        (
            "2017-07-14T14:30:00+01:00",
            datetime(2017, 7, 14, 14, 30, tzinfo=timezone(timedelta(hours=1))),
        ),
        ("2016-02-29T00:00:00-05:30", None),
    ],
)
def test_timestamps_are_taken_with_and_without_zone(text, moment):
    value = tables.check({**GOOD, "when": text}, TAKES)["when"]
    assert moment is None or (value == moment and value.tzinfo == moment.tzinfo)


@pytest.mark.parametrize(
    "text",
    [
        "2017-07-14",
        "14:30",
        "2017-W28-5T14:30",
        "20170714T143000",
        "2017-13-01T00:00:00",
        "2017-02-29T00:00:00",
        "2017-07-14T24:00:00",
        "2017-07-14T14:30:60",
        "2017-07-14T14:30:00+25:00",
        "2017-07-14T14:30:00 Europe/Madrid",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-14:00",
        "٢٠١٧-07-14T14:30:00",
        "2017-07-14T14:30:00\n",
        "now",
        "",
        1500042600,
        None,
        True,
        ["2017-07-14T14:30:00"],
    ],
)
def test_other_timestamps_are_refused_by_name(text):
    assert set(refusal({**GOOD, "when": text})) == {"when"}


@pytest.mark.parametrize(
    ("value", "told"),
    [
        (True, "should be a number in m (got true)"),
        ("3", 'should be a number in m (got "3")'),
        (None, "should be a number in m (got null)"),
        ([3], "should be a number in m (got a list)"),
        ({"a": 3}, "should be a number in m (got an object)"),
        (10.001, "should be from -1 to 10 m (got 10.001)"),
        (-1.5, "should be from -1 to 10 m (got -1.5)"),
        (float("nan"), "should be from -1 to 10 m (got null)"),
        (float("inf"), "should be from -1 to 10 m (got null)"),
        (2**63, f"should be from -1 to 10 m (got {2**63})"),
        ("x" * 500, None),
    ],
)
def test_other_numbers_are_refused_with_unit_and_value(value, told):
    message = refusal({**GOOD, "a": value})["a"]
    assert told is None or message == told
    assert len(message) < 120


@pytest.mark.parametrize("edge", [-1, 10, -1.0, 10.0, 0, -0.0])
def test_the_ends_of_the_range_belong_to_it(edge):
    assert tables.check({**GOOD, "a": edge}, TAKES)["a"] == edge


COLUMNS = {
    f"{spec.name} {column.name}": (spec.takes, column)
    for spec in MODELS.values()
    if isinstance(spec.takes, Table)
    for column in spec.takes.columns
}
NEVER = (None, True, [], {}, [1], {"value": 1}, float("nan"), float("inf"), -float("inf"))


@pytest.mark.parametrize(("takes", "column"), COLUMNS.values(), ids=COLUMNS)
def test_each_field_of_each_model_takes_its_own_type_and_range_alone(takes, column):
    row = contract.example_row(takes.columns)
    wrong = [*NEVER, "", "x", "1", " ", "\0"]
    if isinstance(column, Number):
        for edge in (column.minimum, column.maximum):
            assert tables.check({**row, column.name: edge}, takes)[column.name] == edge
        width = column.maximum - column.minimum
        wrong += [column.minimum - width / 1e6, column.maximum + width / 1e6, 1e19, -1e308]
    else:
        wrong += [0, 1.5, column.example + " ", " " + column.example, column.example + "\n"]
    for value in wrong:
        with pytest.raises(ProblemError) as caught:
            tables.Rows(takes).check({**row, column.name: value})
        assert [error.field for error in caught.value.errors] == [column.name]
        if isinstance(column, Number):
            assert column.unit in caught.value.detail
    del row[column.name]
    with pytest.raises(ProblemError) as caught:
        tables.Rows(takes).check(row)
    assert [error.message for error in caught.value.errors] == ["is missing"]


CITY = Choice(name="city", values=("Boston", "New York"), description="Where.", example="Boston")


@pytest.mark.parametrize("city", CITY.values)
def test_a_choice_is_taken_as_it_stands(city):
    assert tables.check({"city": city}, Table(columns=(CITY,))) == {"city": city}


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("boston", '"boston"'),
        ("Boston ", '"Boston "'),
        ("Bost\u043en", '"Bost\u043en"'),
        ("", '""'),
        (0, "0"),
        (True, "true"),
        (None, "null"),
        (["Boston"], "a list"),
        ({"Boston": 1}, "an object"),
    ],
)
def test_any_other_choice_is_refused_with_the_values(given, shown):
    with pytest.raises(ProblemError) as caught:
        tables.check({"city": given}, Table(columns=(CITY,)))
    assert caught.value.kind.status == 422
    (error,) = caught.value.errors
    assert error.field == "city"
    assert error.message == f"should be one of: Boston, New York (got {shown})"


def test_all_wrong_fields_are_named_at_once():
    errors = refusal({"when": "x", "b": 1, "c": 2})
    assert errors["a"] == "is missing"
    assert errors["b"] == errors["c"] == "is unknown"
    assert "ISO 8601" in errors["when"]


@pytest.mark.parametrize("row", [None, [], "row", 3, True])
def test_what_is_no_object_is_refused_as_a_whole(row):
    assert set(refusal(row)) == {""}


def test_a_flood_of_unknown_fields_is_told_briefly():
    errors = refusal({**GOOD, **{f"field_{i}_{'x' * 200}": i for i in range(500)}})
    assert len(errors) <= 64
    assert max(map(len, errors)) <= 60


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"nonsense",
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": -1e999}',
        b"\xff\xfe",
        b'"\\ud800"',
        b"[1,]",
        b"[" * 5000 + b"]" * 5000,
    ],
)
def test_what_is_no_json_is_a_bad_request(body):
    with pytest.raises(ProblemError) as caught:
        tables.parse(body)
    assert caught.value.kind.status == 400


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ([GOOD], {""}),
        ({}, {"items"}),
        ({"items": GOOD}, {"items"}),
        ({"items": []}, {"items"}),
        ({"items": [GOOD] * 3}, {"items"}),
        ({"items": [GOOD], "more": 1}, {"more"}),
        ({"rows": [GOOD]}, {"items", "rows"}),
    ],
)
def test_a_batch_of_another_form_is_refused(document, fields):
    with pytest.raises(ProblemError) as caught:
        tables.batch_items(document, TAKES)
    assert {error.field for error in caught.value.errors} == fields
