"""What a scrape tells of graphics cards, from a tree like an RX 580's; its values are made up."""

import asyncio
import threading

import pytest

from service import cards
from service.cards import Cards
from service.contract import metrics
from service.telemetry import Metrics

ADDRESS = "0000:01:00.0"


def values(samples):
    return {(sample.metric.name, *sample.labels): sample.value for sample in samples}


def test_every_metric_of_the_card_is_read_in_its_base_unit(rx580):
    found = values(cards.read(rx580 / "sys/class/drm"))
    assert found == {
        ("bentofleet_card_busy_ratio", ADDRESS): pytest.approx(0.87),
        ("bentofleet_card_vram_used_bytes", ADDRESS): 524288000,
        ("bentofleet_card_vram_size_bytes", ADDRESS): 8589934592,
        ("bentofleet_card_power_watts", ADDRESS): pytest.approx(112.034),
        ("bentofleet_card_temperature_celsius", ADDRESS): pytest.approx(67),
        ("bentofleet_card_fan_rpm", ADDRESS): 1450,
        ("bentofleet_card_clock_hertz", ADDRESS, "core"): 1.34e9,
        ("bentofleet_card_clock_hertz", ADDRESS, "memory"): 2e9,
    }
    assert {name for name, *_ in found} == {metric.name for metric in metrics.CARD_METRICS}


def test_newer_kernels_tell_the_power_in_another_file(rx580, card):
    monitor = card / "hwmon/hwmon2"
    (monitor / "power1_average").rename(monitor / "power1_input")
    (monitor / "power1_input").write_text("98000000\n")
    found = values(cards.read(rx580 / "sys/class/drm"))
    assert found["bentofleet_card_power_watts", ADDRESS] == pytest.approx(98)


def test_without_a_measured_clock_the_level_that_is_on_is_told(rx580, card):
    for name in ("freq1_label", "freq1_input", "freq2_label", "freq2_input"):
        (card / "hwmon/hwmon2" / name).unlink()
    (card / "pp_dpm_mclk").write_text("0: 300Mhz *\n1: 1000Mhz \n2: 2000Mhz \n")
    found = values(cards.read(rx580 / "sys/class/drm"))
    assert found["bentofleet_card_clock_hertz", ADDRESS, "core"] == 1.366e9
    assert found["bentofleet_card_clock_hertz", ADDRESS, "memory"] == 3e8


@pytest.mark.parametrize("content", ["", "n/a\n", "-\n"], ids=["empty", "words", "dash"])
def test_a_value_that_is_none_is_left_out_and_the_others_stay(rx580, card, content):
    (card / "gpu_busy_percent").write_text(content)
    found = values(cards.read(rx580 / "sys/class/drm"))
    assert ("bentofleet_card_busy_ratio", ADDRESS) not in found
    assert len(found) == 7


def test_a_file_that_cannot_be_read_is_left_out(rx580, card):
    (card / "gpu_busy_percent").unlink()
    (card / "gpu_busy_percent").mkdir()  # reading it fails, as a card that sleeps makes it fail
    assert len(cards.read(rx580 / "sys/class/drm")) == 7


def test_a_card_of_another_driver_and_a_machine_without_cards_tell_nothing(rx580, card, tmp_path):
    (card / "driver").unlink()
    (rx580 / "sys/bus/pci/drivers/i915").mkdir()
    (card / "driver").symlink_to("../../../../bus/pci/drivers/i915")
    assert cards.read(rx580 / "sys/class/drm") == []
    assert cards.read(tmp_path / "none") == []


def scrape(metrics):
    return asyncio.run(metrics.scrape()).decode()


def test_a_scrape_shows_the_card_by_its_address(rx580, monkeypatch):
    monkeypatch.setattr(cards, "DRM", rx580 / "sys/class/drm")
    text = scrape(Metrics("r1"))
    assert f'bentofleet_card_busy_ratio{{card="{ADDRESS}"}} 0.87' in text
    assert f'bentofleet_card_clock_hertz{{card="{ADDRESS}",clock="memory"}} 2e+09' in text
    for metric in metrics.CARD_METRICS:
        assert f"# TYPE {metric.name} gauge" in text


def test_a_scrape_of_a_machine_without_cards_names_none(monkeypatch, tmp_path):
    monkeypatch.setattr(cards, "DRM", tmp_path / "none")
    assert "bentofleet_card" not in scrape(Metrics("r1"))


def test_a_driver_that_takes_long_holds_up_no_scrape_and_its_answer_is_in_the_next(
    rx580, monkeypatch
):
    answer, reads = threading.Event(), []

    def slow(drm):
        reads.append(drm)
        answer.wait(20)
        return cards_read(drm)

    cards_read = cards.read
    monkeypatch.setattr(cards, "read", slow)
    collector = Cards(rx580 / "sys/class/drm", wait_s=0.01)

    async def three_scrapes():
        await collector.refresh()
        first = list(collector.collect())
        await collector.refresh()  # while the first reading is still on: no second one
        answer.set()
        while not collector._reading.done():
            await asyncio.sleep(0.001)
        await collector.refresh()
        return first, list(collector.collect())

    first, last = asyncio.run(three_scrapes())
    assert first == []
    assert len(reads) == 1
    assert {family.name for family in last} == {metric.name for metric in metrics.CARD_METRICS}


def test_an_old_reading_is_shown_no_longer(rx580, monkeypatch):
    collector = Cards(rx580 / "sys/class/drm")
    asyncio.run(collector.refresh())
    assert list(collector.collect())
    monkeypatch.setattr(collector, "_read_at", collector._read_at - 31)
    assert list(collector.collect()) == []


def test_a_reading_that_fails_costs_the_cards_alone(rx580, monkeypatch):
    def broken(drm):
        raise RuntimeError("planted")

    monkeypatch.setattr(cards, "read", broken)
    monkeypatch.setattr(cards, "DRM", rx580 / "sys/class/drm")
    text = scrape(Metrics("r1"))
    assert "bentofleet_card" not in text
    assert 'bentofleet_release_info{release="r1"} 1.0' in text
