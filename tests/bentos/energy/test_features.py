"""The energy graph's input and answers."""

import math
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from bentos.energy import features

ROW: dict[str, object] = {
    "diffuse_flows_w_m2": 5.0,
    "general_diffuse_flows_w_m2": 4.0,
    "wind_speed_m_s": 3.0,
    "humidity_percent": 2.0,
    "temperature_c": 1.0,
    "timestamp": datetime(2017, 2, 1, 6, 0),
}


def test_a_row_is_encoded_in_the_order_of_the_names() -> None:
    x = features.encode([ROW])
    assert x.dtype == np.float32
    assert x.shape == (1, len(features.NAMES))
    named = dict(zip(features.NAMES, x[0].tolist(), strict=True))
    assert named == {
        "temperature_c": 1.0,
        "humidity_percent": 2.0,
        "wind_speed_m_s": 3.0,
        "general_diffuse_flows_w_m2": 4.0,
        "diffuse_flows_w_m2": 5.0,
        "minute_of_day": 360.0,
        "minute_sin": pytest.approx(1.0),
        "minute_cos": pytest.approx(0.0, abs=1e-6),
        "weekday": 2.0,
        "day_of_year": 32.25,
    }


@pytest.mark.parametrize(
    "moment",
    [
        pytest.param(datetime(2017, 2, 1, 5, 0, tzinfo=UTC), id="utc"),
        pytest.param(datetime(2017, 2, 1, 6, 0, tzinfo=features.CLOCK), id="the data's clock"),
        pytest.param(
            datetime(2017, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=-5, minutes=-30))),
            id="the day before, far west",
        ),
    ],
)
def test_a_moment_with_a_zone_is_read_on_the_datas_clock(moment: datetime) -> None:
    encoded = features.encode([{**ROW, "timestamp": moment}])
    assert np.array_equal(encoded, features.encode([ROW]))


@pytest.mark.parametrize(
    ("moment", "minute", "day"),
    [
        pytest.param(datetime(2017, 1, 1), 0.0, 1.0, id="the year's start"),
        pytest.param(datetime(2016, 12, 31, 23, 59, 30), 1439.5, 366.99965, id="a leap year's end"),
    ],
)
def test_the_ends_of_a_year(moment: datetime, minute: float, day: float) -> None:
    (row,) = features.encode([{**ROW, "timestamp": moment}]).tolist()
    assert row[features.NAMES.index("minute_of_day")] == minute
    assert row[features.NAMES.index("day_of_year")] == pytest.approx(day, abs=1e-4)


def test_no_rows_are_an_empty_input() -> None:
    assert features.encode([]).shape == (0, len(features.NAMES))


def test_a_timestamp_that_is_text_is_our_own_mistake() -> None:
    with pytest.raises(TypeError, match=r"should be a datetime \(got str\)"):
        features.encode([{**ROW, "timestamp": "2017-02-01T06:00:00"}])


def test_an_answer_is_plain_numbers_by_zone() -> None:
    outputs = np.array([[1.005, 2, 3], [4, 5, math.pi]], dtype=np.float32)
    answers = features.answer(outputs)
    assert answers[0] == {
        "zone_1_kw": pytest.approx(1.0, abs=0.011),
        "zone_2_kw": 2.0,
        "zone_3_kw": 3.0,
    }
    assert answers[1]["zone_3_kw"] == 3.14
    assert {type(value) for answer in answers for value in answer.values()} == {float}
