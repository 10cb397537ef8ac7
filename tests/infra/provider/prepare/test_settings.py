"""Time service, groups, unit and disks: turned on, seen when they change, and taken back."""

from typing import Any

import pytest


def test_a_time_service_that_is_off_is_turned_on_and_off_again(bench: Any, place: Any) -> None:
    place.with_podman().time_keepers = ()
    (place.folder / "time-service").touch()

    bench.create()
    place.time_keepers = ("chrony",)
    assert bench.drift() == {}
    bench.delete()

    times = [call for call in place.lines("calls") if call.startswith("timedatectl")]
    assert times == ["timedatectl set-ntp true", "timedatectl set-ntp false"]


def test_a_host_without_a_time_service_gets_one_and_gives_it_back(bench: Any, place: Any) -> None:
    place.with_podman().time_keepers = ()

    bench.create()
    assert place.lines("packages") == ["systemd-timesyncd"]
    bench.delete()

    assert place.lines("packages") == []
    assert "timedatectl set-ntp false" not in place.lines("calls")


def test_a_host_without_a_network_is_warned_of_and_prepared(bench: Any, place: Any) -> None:
    place.with_podman().time_keepers = ()
    (place.folder / "offline").touch()

    bench.create()

    (line,) = bench.console.warned
    assert line.startswith("here: nothing keeps its clock right (apt cannot install systemd-time")
    assert line.endswith("Run there: sudo timedatectl set-ntp true")


def test_a_time_service_that_stopped_shows(bench: Any, place: Any) -> None:
    bench.create()
    place.time_keepers = ()

    assert bench.drift() == {"clock": "nothing keeps it right"}


@pytest.mark.parametrize("bench", [{"accelerator": "vulkan"}], indirect=True)
def test_the_group_of_the_cards_node_is_made_seen_and_taken_back(bench: Any, place: Any) -> None:
    bench.create()
    assert place.lines("groups") == ["render:x:999:"]
    assert bench.drift() == {}

    (place.folder / "groups").write_text("")
    assert bench.drift() == {"groups": "render removed"}
    bench.update()
    bench.delete()

    assert place.lines("groups") == []


@pytest.mark.parametrize("bench", [{"accelerator": "vulkan"}], indirect=True)
@pytest.mark.parametrize("line", ["render:x:104:", "render:x:104:anna"], ids=["empty", "in use"])
def test_a_group_that_was_there_stays(bench: Any, place: Any, line: str) -> None:
    (place.folder / "groups").write_text(line + "\n")

    bench.create()
    bench.delete()

    assert place.lines("groups") == [line]


@pytest.mark.parametrize("bench", [{"accelerator": "vulkan"}], indirect=True)
def test_a_group_that_somebody_joined_stays(bench: Any, place: Any) -> None:
    bench.create()
    (place.folder / "groups").write_text("render:x:999:anna\n")

    bench.delete()

    assert place.lines("groups") == ["render:x:999:anna"]


@pytest.mark.parametrize(
    "bench",
    [{}, {"accelerator": "vulkan", "software_device": True}],
    ids=["cpu", "software"],
    indirect=True,
)
def test_without_a_card_no_group_is_made(bench: Any, place: Any) -> None:
    bench.create()

    assert place.lines("groups") == []


def test_folders_show_when_they_are_gone_or_open_to_others(bench: Any, place: Any) -> None:
    bench.create()
    (place.root / "keys").rmdir()
    assert bench.drift() == {"folder": "keys removed"}

    bench.update()
    (place.root / "keys").chmod(0o777)
    assert bench.drift() == {"folder": "keys changed by hand"}

    bench.update()
    assert bench.drift() == {}


def test_script_and_unit_show_what_was_done_to_them_by_hand(bench: Any, place: Any) -> None:
    bench.create()
    unit = place.folder / "units/bentofleet-demo.service"
    (place.root / "start").write_text("#!/bin/sh\n")
    unit.write_text("[Unit]\n")
    assert bench.drift() == {"start script": "changed by hand", "start unit": "changed by hand"}

    unit.unlink()
    (place.root / "start").unlink()
    assert bench.drift() == {"start script": "removed", "start unit": "removed"}

    bench.update()
    (place.folder / "enabled-bentofleet-demo.service").unlink()
    assert bench.drift() == {"start unit": "not enabled (disabled)"}

    bench.update()
    assert bench.drift() == {}


def test_a_disk_that_runs_full_shows(bench: Any, place: Any) -> None:
    bench.create()
    place.rooms = {
        f"{place.folder}/store": "262144 4096 100 2000000",
        str(place.root): "1000 4096 0 0",
    }

    assert bench.drift() == {
        "disk room": f"1 GiB free for {place.folder}/store, needs 3; "
        f"0.0038 GiB free for {place.root}, needs 0.062"
    }
