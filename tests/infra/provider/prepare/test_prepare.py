"""A host made ready: what is made and found again, and what makes it refuse."""

from typing import Any

import pytest

from infra.provider.prepare import Prepare, refuse_new
from infra.provider.resource import Refused


def test_what_was_made_is_found_as_declared(bench: Any, place: Any) -> None:
    place.with_podman()

    outputs = bench.create()

    assert outputs == {"machine_id": "0" * 32, "engine": "podman", "folder": str(place.root)}
    made = ["edge", "keys", "made.json", "releases", "start"]
    assert sorted(p.name for p in place.root.iterdir()) == made
    assert (place.folder / "units/bentofleet-demo.service").exists()
    assert (place.folder / "enabled-bentofleet-demo.service").exists()
    assert bench.drift() == {}


def test_making_it_again_changes_nothing(bench: Any, place: Any) -> None:
    bench.create()
    before = {p: p.stat().st_mtime_ns for p in place.folder.rglob("*") if p.name != "calls"}
    calls = [line for line in place.lines("calls") if "is-enabled" not in line]

    bench.update()

    assert {p: p.stat().st_mtime_ns for p in before} == before
    assert [line for line in place.lines("calls") if "is-enabled" not in line] == calls


def test_without_systemd_no_unit_is_asked_for(bench: Any, place: Any) -> None:
    place.with_podman().has_systemd = False

    bench.create()

    assert bench.drift() == {}
    assert list((place.folder / "units").iterdir()) == []
    assert place.lines("calls") == []


@pytest.mark.parametrize("ahead_s", [95, -95], ids=["ahead", "behind"])
def test_a_clock_that_is_off_is_refused_before_anything_is_made(
    bench: Any, place: Any, ahead_s: float
) -> None:
    place.ahead_s = ahead_s

    with pytest.raises(Refused) as caught:
        bench.create()

    told = str(caught.value)
    assert told.startswith("here: its clock is off (got 20")
    assert told.count(" UTC") == 2
    assert told.endswith("`sudo timedatectl set-ntp true`; they may differ by 30 s.")
    assert not place.root.exists()
    assert place.lines("packages") == []


@pytest.mark.parametrize("ahead_s", [20, -20], ids=["ahead", "behind"])
def test_a_clock_that_is_a_little_off_is_taken(bench: Any, place: Any, ahead_s: float) -> None:
    place.ahead_s = ahead_s

    bench.create()

    assert bench.drift() == {}


def test_a_clock_that_went_wrong_later_shows_by_itself(bench: Any, place: Any) -> None:
    bench.create()
    place.ahead_s = -7200

    found = bench.drift()

    assert list(found) == ["clock"]
    assert found["clock"].startswith("off by 7")


def test_every_fault_of_a_host_is_told_at_once(bench: Any, place: Any) -> None:
    place.with_podman().ahead_s = 95
    place.listen(8080, 21024, 21030, address="00000000")
    place.rooms = {f"{place.folder}/store": "1000 4096 9999999 9999999"}

    with pytest.raises(Refused) as caught:
        bench.create()

    clock, *others = str(caught.value).splitlines()
    assert clock.startswith("here: its clock is off")
    assert others == [
        f"here: too little disk room (got 0.0038 GiB free for {place.folder}/store, needs 3). "
        "Make room there.",
        "here: port 8080 is taken. Free it, or choose another `edge.port`.",
        "here: port 21024 is taken. Free it, or choose another `edge.ports_from`.",
    ]
    assert not place.root.exists()


def test_a_port_at_another_address_is_no_fault(bench: Any, place: Any) -> None:
    place.listen(8080, 21000, address="0200007F")

    bench.create()


def test_ports_of_the_stacks_own_containers_are_no_fault(bench: Any, place: Any) -> None:
    bench.create()
    place.serve()
    place.listen(8080, 21000, 21032, 21064, 21065, 21066, 21067)

    bench.update()

    assert bench.drift() == {}


def test_a_port_that_the_edge_is_to_move_to_has_to_be_free(bench: Any, place: Any) -> None:
    bench.create()
    place.serve()
    place.listen(8080, 8081, 21000)

    with pytest.raises(Refused) as caught:
        bench.update(ports={"edge.port": 8080, "edge.tls.http_port": 8081})

    assert str(caught.value) == (
        "here: port 8081 is taken. Free it, or choose another `edge.tls.http_port`."
    )


def test_a_host_that_gets_others_beside_it_needs_the_ports_between_them(
    bench: Any, place: Any
) -> None:
    bench.create()
    place.serve()
    place.listen(8080, 8445)

    with pytest.raises(Refused, match=r"port 8445 is taken\. .*`edge\.inner_ports_from \+ 1`\."):
        bench.update(
            ports={
                "edge.port": 8080,
                "edge.inner_ports_from": 8444,
                "edge.inner_ports_from + 1": 8445,
            }
        )


def test_an_entry_without_the_card_for_the_floating_address_is_refused(
    bench: Any, place: Any
) -> None:
    bench.inputs["card"] = "nope"

    with pytest.raises(Refused, match=r"^here: has no network card nope\."):
        bench.create()
    assert not place.root.exists()

    bench.inputs["card"] = "lo"
    bench.create()


def test_a_port_of_a_replica_that_does_not_run_has_to_be_free(bench: Any, place: Any) -> None:
    bench.create()
    place.serve()
    place.listen(21001)

    with pytest.raises(Refused, match=r"port 21001 is taken\. .* `edge\.ports_from`\."):
        bench.update()


def test_a_folder_that_may_not_be_made_is_told_with_its_cure(bench: Any, place: Any) -> None:
    place.refusal = f"mkdir: cannot create directory '{place.root}': Permission denied"

    with pytest.raises(Refused) as caught:
        bench.create()

    assert str(caught.value) == (
        f"here: the folder {place.root} cannot be written to (mkdir: cannot create directory "
        f"'{place.root}': Permission denied). Give it to the user who runs this: "
        f"sudo chown -R $USER {place.root}"
    )


def test_a_file_in_the_folders_place_is_told_and_left(bench: Any, place: Any) -> None:
    place.root.parent.mkdir()
    place.root.write_text("mine")

    with pytest.raises(Refused, match=r"cannot be written to \(mkdir: .*\)\. Move away the file"):
        bench.create()

    assert place.root.read_text() == "mine"
    assert place.lines("packages") == []


@pytest.mark.parametrize("port", [0, 65536])
def test_a_port_that_no_host_has_is_a_wrong_input(port: int) -> None:
    inputs = {"ports": {"edge.port": 443, "edge.tls.http_port": port}}

    assert list(Prepare().faults(inputs)) == ["ports"]
    assert Prepare().faults({"ports": {"edge.port": 443}}) == {}
    assert Prepare().faults({}) == {}


def test_a_new_host_is_held_against_what_it_needs_before_any_is_touched(
    bench: Any, place: Any
) -> None:
    place.listen(8080)
    before = sorted(place.folder.rglob("*"))

    with pytest.raises(Refused, match=r"^here: port 8080 is taken\."):
        refuse_new(place.host, bench.inputs)

    assert sorted(place.folder.rglob("*")) == before


def test_a_host_that_is_prepared_is_not_asked_again(bench: Any, place: Any) -> None:
    bench.create()
    place.listen(8080)
    place.ahead_s = 95

    refuse_new(place.host, bench.inputs)
