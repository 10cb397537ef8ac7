"""What a host's models do: read, compared with what was recorded, and recorded again."""

from dataclasses import replace

import pytest

from infra.commands import rates
from infra.commands.rates import Rate

PAGE = """\
# HELP bentofleet_model_rate Items a second.
# TYPE bentofleet_model_rate gauge
bentofleet_model_rate{device="cpu",model="energy"} 5120.5
bentofleet_model_rate{device="vulkan",model="wildlife"} 120.0
bentofleet_model_rate{device="cpu",model="wildlife"} 31.0
bentofleet_model_rate{device="cpu",model="retired"} 1.0
bentofleet_model_info{device="cpu",model="energy",runtime="onnx",version="a"} 1.0
"""
OTHER = """\
bentofleet_model_rate{device="cpu",model="energy"} 6000
bentofleet_model_rate{device="vulkan",model="wildlife"} 90
bentofleet_model_rate{device="cpu",model="wildlife"} 4e1
"""
VERSIONS = {"energy": "a", "wildlife": "b", "octagon": "c"}
ENERGY = Rate("cpu", 5120.5, None, "a", "1")
WILDLIFE = Rate("vulkan", 120.0, 31.0, "b", "1")


def test_a_page_of_metrics_tells_the_rate_of_each_model_of_the_release() -> None:
    assert rates.parse([PAGE], VERSIONS, "1") == {"energy": ENERGY, "wildlife": WILDLIFE}


def test_of_several_replicas_the_best_counts() -> None:
    found = rates.parse([PAGE, OTHER], VERSIONS, "1")

    assert found["energy"].per_s == 6000
    assert (found["wildlife"].per_s, found["wildlife"].cpu_per_s) == (120, 40)


@pytest.mark.parametrize("page", ["", "{}", "<html>", "bentofleet_model_rate{} 3\n"])
def test_a_page_without_rates_tells_none(page: str) -> None:
    assert rates.parse([page], VERSIONS, "1") == {}


def slow(found: Rate, recorded: Rate | None, floor: float = 0.3) -> list[str]:
    was = {} if recorded is None else {"x": recorded}
    return list(rates.too_slow({"x": found}, was, floor))


def test_a_rate_below_its_share_of_the_recorded_one_is_too_slow() -> None:
    assert slow(replace(ENERGY, per_s=29), replace(ENERGY, per_s=100)) == [
        "x does 29 items/s on its own, below 0.3 x the 100 recorded for this host"
    ]


@pytest.mark.parametrize(
    ("found", "recorded"),
    [
        (replace(ENERGY, per_s=30), replace(ENERGY, per_s=100)),
        (ENERGY, None),
        (replace(ENERGY, per_s=1, version="new"), ENERGY),
        (replace(ENERGY, per_s=1, threads="4"), ENERGY),
        (replace(ENERGY, per_s=1), replace(ENERGY, device="vulkan")),
    ],
    ids=["at the floor", "the first", "another version", "other threads", "another device"],
)
def test_what_reaches_the_floor_or_cannot_be_compared_passes(
    found: Rate, recorded: Rate | None
) -> None:
    assert slow(found, recorded) == []


def test_a_card_that_is_hardly_faster_than_the_cpu_is_too_slow() -> None:
    assert slow(replace(WILDLIFE, per_s=46), None) == [
        "x does 46 items/s on the card, below 1.5 x the 31 of this host's CPU"
    ]
    assert slow(replace(WILDLIFE, per_s=46.5), None) == []


def test_a_device_in_software_need_not_be_faster_than_the_cpu() -> None:
    assert slow(replace(WILDLIFE, device="software", per_s=1), None) == []


def test_a_model_that_told_its_rate_before_and_tells_none_now_is_named() -> None:
    assert rates.missing({"energy": ENERGY}, {"energy": ENERGY, "wildlife": WILDLIFE}) == [
        "wildlife"
    ]
    assert rates.missing({"energy": ENERGY}, {}) == []


@pytest.mark.parametrize(
    ("was_busy", "was", "kept"),
    [(False, 9000, 5120.5), (True, 9000, 9000), (True, 100, 5120.5)],
    ids=["alone", "while live had traffic", "better than before"],
)
def test_a_promotion_records_what_the_host_can_do(was_busy: bool, was: float, kept: float) -> None:
    recorded = {"energy": replace(ENERGY, per_s=was)}

    written = rates.to_record({"energy": ENERGY}, recorded, was_busy=was_busy)

    assert written["energy"].per_s == kept


def test_another_version_is_recorded_anew_even_while_live_had_traffic() -> None:
    recorded = {"energy": replace(ENERGY, per_s=9000, version="old"), "gone": ENERGY}

    assert rates.to_record({"energy": ENERGY}, recorded, was_busy=True) == {"energy": ENERGY}


def test_what_was_recorded_is_read_again() -> None:
    known = {"energy": ENERGY, "wildlife": WILDLIFE}

    assert rates.from_json(rates.to_json(known)) == known


@pytest.mark.parametrize(
    "text", [None, "", "{", "[]", '{"energy": 3}', '{"energy": {"device": "cpu"}}', "null"]
)
def test_a_record_that_is_damaged_is_none(text: str | None) -> None:
    assert rates.from_json(text) == {}


def test_rates_are_shown_in_one_line() -> None:
    known = {"wildlife": WILDLIFE, "energy": ENERGY}

    assert rates.shown(known) == "energy 5120/s, wildlife 120/s on vulkan (CPU 31)"
